/**
 * hostnic's settings served as they are: the PodSubnets are what its ConfigMaps and objects say now.
 *
 * Invariants
 * - settings are read whole: with one mistake in them nothing is changed, what was served before goes on, and an event of the object says why
 * - a PodSubnet that the API server finds wrong is said once, and tried again every few seconds; the others are served
 * - nothing is remembered that is not in the API server: whoever leads next goes on from there
 * - with subnet-auto-assign blocks are written into hostnic-ipam-config first, over the version that was read, and served when they stand there
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../cloud/clock.ts';
import { isFailure } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import type { Cidr } from '../../net/cidr.ts';
import { readNamespace } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import type { NodeNetwork, NodeSettings } from '../../store/node-network.ts';
import type { Events } from '../cluster/events.ts';
import { seldom } from '../cluster/seldom.ts';
import { cutPools, unknownVxnets } from './cut-pools.ts';
import { keepSubnets } from './made-subnets.ts';
import { CNI_CONFIG, IPAM_CONFIG, type Mistaken, readSettings, type Settings, type SettingsObject } from './settings.ts';
import { followSources, type Sources } from './sources.ts';
import { sayChanges, sayRefused, saySubnets } from './telling.ts';
import { type BlockWrite, blocksToWrite } from './write-back.ts';

/** With what to work. */
export interface ServingHostnic {
  readonly api: KubeApi;
  /** Where its ConfigMaps are. */
  readonly namespace: string;
  /** All nodes, for what is in use. */
  readonly nodes: () => Promise<readonly NodeNetwork[]>;
  /** Called when what is said of all nodes is another now: those that were full may have room, and each is to be told. */
  readonly nodesChanged: () => void;
  /** The cloud's blocks of these vxnets, of those that it has and that are known. */
  readonly blocksOf: (vxnets: readonly string[]) => Promise<ReadonlyMap<string, Cidr>>;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
}

/** It at work. */
export interface ServedHostnic {
  /**
   * Whether the limit is not read yet, for a few seconds after the start at the most: nobody is to get another interface then, nor to hear what a node could
   * hold. `nodesChanged` is called when that is over.
   */
  isUnread(): boolean;
  /** See Settings; undefined: there is no such limit, or none that could be read. */
  nicsPerInstance(): number | undefined;
  /** See Settings; undefined: nothing was served yet. */
  nodeSettings(): NodeSettings | undefined;
  stop(): Promise<void>;
}

const FIRST_ms = 50;
const EVERY_ms = 1000;
/** Whether Pods wait for another block, and blocks that were in use are free by now. */
const LOOK_AGAIN_ms = 5000;

/** For so long whoever begins to lead attaches nothing rather than more than a maxNic that it has not read. */
const UNREAD_ms = 5000;

/** Who deletes one of these does not mean that all is as if it had never been said. */
const needed = [
  [IPAM_CONFIG, 'which namespace has which blocks', 'make it, if only with ipam: {}'],
  [CNI_CONFIG, 'how Pods are connected', "make it, if only with hostnic-cni: '{}'"],
] as const;

/** Starts serving. */
export function serveHostnic(of: ServingHostnic): ServedHostnic {
  const { api, namespace, clock, log } = of;
  let served: Settings | undefined;
  let sources: Sources | undefined;
  let [stopped, isSynced, isUnread] = [false, false, true];
  const read = (): void => {
    if (isUnread) of.nodesChanged();
    isUnread = false;
  };
  const said = new Set<string>();
  const unwritten = new Set<string>();
  const work = seldom({ clock, log, every_ms: EVERY_ms, first_ms: FIRST_ms, what: "hostnic's settings were not served" }, async () => {
    const found = sources?.objects();
    // Before all is read nobody knows what is gone.
    if (found === undefined || namespaces.stale_ms() === undefined) return [];
    const blocks = await of.blocksOf(unknownVxnets(found));
    const objects = cutPools(found, (vxnet) => blocks.get(vxnet));
    const settings = readAll(objects, namespace);
    if ('mistakes' in settings) {
      sayRefused(of, objects, settings, said);
      read();
      return [];
    }
    said.clear();
    const nodes = await of.nodes();
    const write = blocksToWrite(objects, namespaces.list(), settings, nodes);
    if (write !== undefined && (await writeBack(of, write))) return ['all'];
    const before = served;
    // Before there are new PodSubnets, which would be served without these limits.
    served = settings;
    if (isUnread) read();
    else if (!isSameForNodes(before, settings)) of.nodesChanged();
    sayChanges(of, objects, before, settings);
    saySubnets(of, objects, await keepSubnets(api, settings.subnets), settings, unwritten);
    return [];
  });
  const ask = (): void => void (isSynced && work.ask('all'));
  const namespaces = watchObjects(api, { at: resources.namespaces, parse: readNamespace }, { log, changed: ask });
  let cancel = (): void => undefined;
  const lookAgain = (): void => {
    cancel = clock.after(LOOK_AGAIN_ms, () => {
      ask();
      lookAgain();
    });
  };
  lookAgain();
  const endUnread = clock.after(UNREAD_ms, read);
  const begun = followSources(api, namespace, log, ask).then(async (found) => {
    sources = found;
    if (stopped) found.stop();
    // A go before that would find nothing, and put the first that does off.
    await Promise.all([found.synced, namespaces.synced]);
    isSynced = true;
    ask();
  });
  return {
    isUnread: () => isUnread,
    nicsPerInstance: () => served?.nicsPerInstance,
    nodeSettings: () => served?.nodes,
    async stop() {
      stopped = true;
      cancel();
      endUnread();
      namespaces.stop();
      sources?.stop();
      await Promise.all([begun, work.stop()]);
    },
  };
}

function isSameForNodes(before: Settings | undefined, { nicsPerInstance, nodes }: Settings): boolean {
  return before?.nicsPerInstance === nicsPerInstance && isDeepStrictEqual(before?.nodes, nodes);
}

function readAll(objects: readonly SettingsObject[], namespace: string): Settings | Mistaken {
  const missing = needed.filter(([name]) => !objects.some(({ metadata }) => metadata.name === name));
  if (missing.length === 0) return readSettings(objects);
  const mistakes = missing.map(([name, why, remedy]) => ({
    file: `ConfigMap ${namespace}/${name}`,
    line: 1,
    key: '',
    what: `is not there: nobody knows ${why}`,
    remedy,
  }));
  return { mistakes };
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
