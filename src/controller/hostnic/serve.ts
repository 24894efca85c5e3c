/**
 * hostnic's settings served as they are: the PodSubnets are what its ConfigMaps and objects say now.
 *
 * Invariants
 * - settings are read whole: with one mistake in them nothing is changed, what was served before goes on, and an event of the object says why
 * - a PodSubnet that the API server finds wrong is said once, and tried again every few seconds; the others are served
 * - nothing is remembered that is not in the API server: whoever leads next goes on from there
 * - with subnet-auto-assign blocks are written into hostnic-ipam-config first, over the version that was read, and served when they stand there
 */
import type { Clock } from '../../cloud/clock.ts';
import { failure, isFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import { readNamespace } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import type { NodeNetwork } from '../../store/node-network.ts';
import type { Events } from '../cluster/events.ts';
import { seldom } from '../cluster/seldom.ts';
import { keepSubnets } from './made-subnets.ts';
import { type Mistaken, nameOf, readSettings, type Settings, type SettingsObject } from './settings.ts';
import { followSources, IPAM_CONFIG, type Sources } from './sources.ts';
import { type BlockWrite, blocksToWrite } from './write-back.ts';

/** With what to work. */
export interface ServingHostnic {
  readonly api: KubeApi;
  /** Where its ConfigMaps are. */
  readonly namespace: string;
  /** All nodes, for what is in use. */
  readonly nodes: () => Promise<readonly NodeNetwork[]>;
  /** Called when {@link ServedHostnic.nicsPerInstance} is another now: nodes that were full may have room. */
  readonly limitChanged: () => void;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
}

/** It at work. */
export interface ServedHostnic {
  /** See Settings; undefined: nothing was served yet, or there is no such limit. */
  nicsPerInstance(): number | undefined;
  stop(): Promise<void>;
}

const FIRST_ms = 50;
const EVERY_ms = 1000;
/** Whether Pods wait for another block, and blocks that were in use are free by now. */
const LOOK_AGAIN_ms = 5000;

/** Starts serving. */
export function serveHostnic(of: ServingHostnic): ServedHostnic {
  const { api, namespace, clock, log } = of;
  let served: Settings | undefined;
  let sources: Sources | undefined;
  let stopped = false;
  const said = new Set<string>();
  const unwritten = new Set<string>();
  const work = seldom({ clock, log, every_ms: EVERY_ms, first_ms: FIRST_ms, what: "hostnic's settings were not served" }, async () => {
    const objects = sources?.objects();
    // Before all is read nobody knows what is gone.
    if (objects === undefined || namespaces.stale_ms() === undefined) return ['all'];
    const settings = readAll(objects, namespace);
    if ('mistakes' in settings) {
      refuse(of, objects, settings, said);
      return [];
    }
    said.clear();
    const nodes = await of.nodes();
    const write = blocksToWrite(objects, namespaces.list(), settings.subnets, nodes);
    if (write !== undefined && (await writeBack(of, write))) return ['all'];
    await serve(of, objects, settings, { served, unwritten });
    const before = served?.nicsPerInstance;
    served = settings;
    if (before !== settings.nicsPerInstance) of.limitChanged();
    return [];
  });
  const ask = (): void => work.ask('all');
  const namespaces = watchObjects(api, { at: resources.namespaces, parse: readNamespace }, { log, changed: ask });
  let cancel = (): void => undefined;
  const lookAgain = (): void => {
    cancel = clock.after(LOOK_AGAIN_ms, () => {
      ask();
      lookAgain();
    });
  };
  lookAgain();
  const begun = followSources(api, namespace, log, ask).then((found) => {
    sources = found;
    if (stopped) found.stop();
    ask();
  });
  return {
    nicsPerInstance: () => served?.nicsPerInstance,
    async stop() {
      stopped = true;
      cancel();
      namespaces.stop();
      sources?.stop();
      await Promise.all([begun, work.stop()]);
    },
  };
}

function readAll(objects: readonly SettingsObject[], namespace: string): Settings | Mistaken {
  if (objects.some(({ metadata: { name } }) => name === IPAM_CONFIG)) return readSettings(objects);
  const what = 'is not there: nobody knows which namespace has which blocks';
  return {
    mistakes: [{ file: `ConfigMap ${namespace}/${IPAM_CONFIG}`, line: 1, key: '', what, remedy: 'make it, if only with ipam: {}' }],
  };
}

/** The event is of the object that is wrong, or, where that is gone, of one that is there. */
function refuse({ events, log }: ServingHostnic, objects: readonly SettingsObject[], { mistakes }: Mistaken, said: Set<string>): void {
  const refused = failure('hostnicMistaken', { count: mistakes.length, list: mistakes.map(sayMistake).join('; ') });
  const note = sentence(refused);
  if (!said.has(note)) log.warn(note);
  said.clear();
  said.add(note);
  for (const file of new Set(mistakes.map((mistake) => mistake.file))) {
    const object = objects.find((one) => nameOf(one) === file) ?? objects.find(({ kind }) => kind === 'ConfigMap');
    if (object !== undefined) events.say({ about: aboutOf(object), type: 'Warning', reason: 'Refused', action: 'ServeHostnic', note });
  }
}

function sayMistake({ file, line, key, what, remedy }: Mistaken['mistakes'][number]): string {
  const place = [file, key, line > 1 ? `(line ${line})` : ''].filter((part) => part !== '').join(' ');
  return `${place} ${what}${remedy === '' ? '' : `: ${remedy}`}`;
}

/** Whether something was written that is read anew. */
async function writeBack({ api, events, log }: ServingHostnic, { configMap, body, unserved }: BlockWrite): Promise<boolean> {
  for (const { name, uid } of unserved) {
    const note = `no block of the pool is free for namespace ${name} (subnet-auto-assign): add a vxnet to the VxNetPool, or let namespaces go`;
    events.say({ about: { kind: 'Namespace', name, uid }, type: 'Warning', reason: 'NoBlockFree', action: 'AssignBlock', note });
  }
  if (body === undefined) return false;
  const { namespace, name } = configMap.metadata;
  try {
    await api.patch(
      { ...resources.configMaps, ...(namespace !== undefined && { namespace }), name },
      { kind: 'merge', body },
      () => undefined,
    );
    log.info('blocks were assigned to namespaces, in hostnic-ipam-config');
  } catch (error) {
    if (!isFailure(error, 'kubeConflict')) throw error;
  }
  return true;
}

/** What was served, and said, before. */
interface Before {
  readonly served: Settings | undefined;
  /** What the API server says against PodSubnets: said once. */
  readonly unwritten: Set<string>;
}

async function serve(
  { api, events, log }: ServingHostnic,
  objects: readonly SettingsObject[],
  settings: Settings,
  { served, unwritten }: Before,
): Promise<void> {
  const { changed, deleted, others, refused } = await keepSubnets(api, settings.subnets);
  for (const text of settings.without)
    if (served?.without.includes(text) !== true) log.info(`of hostnic's settings this has no equal: ${text}`);
  const notes = refused.map(({ name, why }) => `PodSubnet ${name} is not written: ${sentence(why)}`);
  const news = notes.filter((note) => !unwritten.has(note));
  unwritten.clear();
  for (const note of notes) unwritten.add(note);
  for (const note of news) log.warn(note);
  const configMap = objects.find(({ metadata: { name } }) => name === IPAM_CONFIG);
  if (configMap === undefined) return;
  const about = aboutOf(configMap);
  if (changed.length + deleted.length > 0) {
    const gone = deleted.length === 0 ? '' : `; ${deleted.join(', ')} went`;
    const note = `served by ${settings.subnets.length} PodSubnets; written now: ${changed.join(', ') || 'none'}${gone}`;
    log.info(`hostnic's settings are ${note}`);
    events.say({ about, type: 'Normal', reason: 'Served', action: 'ServeHostnic', note });
  }
  for (const note of news) events.say({ about, type: 'Warning', reason: 'NotWritten', action: 'ServeHostnic', note });
  for (const name of others) {
    const note = `PodSubnet ${name} was made by somebody else and stays as it is: label it flatpod.dev/made-from=hostnic, or delete it`;
    events.say({ about, type: 'Warning', reason: 'NotOurs', action: 'ServeHostnic', note });
  }
}

function aboutOf({ apiVersion, kind, metadata: { name, namespace, uid } }: SettingsObject): Parameters<Events['say']>[0]['about'] {
  return { apiVersion, kind, name, uid, ...(namespace !== undefined && { namespace }) };
}
