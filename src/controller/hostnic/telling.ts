/** What is said of hostnic's settings: in the log, and as events of the objects that they stand in. */
import { isDeepStrictEqual } from 'node:util';
import { failure, sentence } from '../../errors/failure.ts';
import type { Log } from '../../log.ts';
import { saySettings } from '../../store/say-settings.ts';
import type { Events } from '../cluster/events.ts';
import type { Kept } from './made-subnets.ts';
import { CNI_CONFIG, IPAM_CONFIG, type Mistaken, nameOf, type Settings, type SettingsObject } from './settings.ts';

/** Where it is said. */
export interface Said {
  readonly events: Events;
  readonly log: Log;
}

type About = Parameters<Events['say']>[0]['about'];

/** The event is of the object that is wrong, or, where that is gone, of one that is there. `said`: what the log has already; it is brought up to date. */
export function sayRefused({ events, log }: Said, objects: readonly SettingsObject[], { mistakes }: Mistaken, said: Set<string>): void {
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

/** What became of the PodSubnets. `unwritten`: what the API server said against them before; it is brought up to date. */
export function saySubnets(
  { events, log }: Said,
  objects: readonly SettingsObject[],
  { changed, deleted, others, refused }: Kept,
  { subnets }: Settings,
  unwritten: Set<string>,
): void {
  const notes = refused.map(({ name, why }) => `PodSubnet ${name} is not written: ${sentence(why)}`);
  const news = notes.filter((note) => !unwritten.has(note));
  unwritten.clear();
  for (const note of notes) unwritten.add(note);
  for (const note of news) log.warn(note);
  const about = aboutConfig(objects, IPAM_CONFIG);
  if (about === undefined) return;
  if (changed.length + deleted.length > 0) {
    const gone = deleted.length === 0 ? '' : `; ${deleted.join(', ')} went`;
    const note = `served by ${subnets.length} PodSubnets; written now: ${changed.join(', ') || 'none'}${gone}`;
    log.info(`hostnic's settings are ${note}`);
    events.say({ about, type: 'Normal', reason: 'Served', action: 'ServeHostnic', note });
  }
  for (const note of news) events.say({ about, type: 'Warning', reason: 'NotWritten', action: 'ServeHostnic', note });
  for (const name of others) {
    const note = `PodSubnet ${name} was made by somebody else and stays as it is: label it flatpod.dev/made-from=hostnic, or delete it`;
    events.say({ about, type: 'Warning', reason: 'NotOurs', action: 'ServeHostnic', note });
  }
}

/** What is another than `before` and no PodSubnet shows: what nodes are told, what has no equal, and what is not taken from there while the controller runs. */
export function sayChanges({ events, log }: Said, objects: readonly SettingsObject[], before: Settings | undefined, now: Settings): void {
  for (const text of now.without) if (before?.without.includes(text) !== true) log.info(`of hostnic's settings this has no equal: ${text}`);
  // What each term would say again is no news to anybody.
  if (before === undefined) return;
  if (!isDeepStrictEqual(before.nodes, now.nodes)) {
    const note = `nodes are told now: ${saySettings(now.nodes).join(', ') || 'nothing beside their own configuration'}`;
    log.info(`of hostnic's settings ${note}`);
    const about = aboutConfig(objects, CNI_CONFIG);
    if (about !== undefined) events.say({ about, type: 'Normal', reason: 'Served', action: 'ServeHostnic', note });
  }
  const keys = [...new Set([...Object.keys(before.ofController), ...Object.keys(now.ofController)])];
  const others = keys.filter((key) => !isDeepStrictEqual(before.ofController[key], now.ofController[key]));
  if (others.length === 0) return;
  const note = `changed, but not heeded: ${others.join(', ')}; the controller goes on with what its ControllerConfig says: change it there`;
  log.warn(`of hostnic's settings these are ${note}`);
  const about = aboutConfig(objects, 'clusterconfig') ?? aboutConfig(objects, CNI_CONFIG);
  if (about !== undefined) events.say({ about, type: 'Warning', reason: 'NotHeeded', action: 'ServeHostnic', note });
}

function aboutConfig(objects: readonly SettingsObject[], name: string): About | undefined {
  const configMap = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name);
  return configMap === undefined ? undefined : aboutOf(configMap);
}

function aboutOf({ apiVersion, kind, metadata: { name, namespace, uid } }: SettingsObject): About {
  return { apiVersion, kind, name, uid, ...(namespace !== undefined && { namespace }) };
}
