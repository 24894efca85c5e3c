/**
 * Objects of the API server held in memory and kept up to date.
 *
 * Invariants
 * - an object that went is told as gone, also when that happened while nobody watched; so is one whose name another has by now (by uid)
 * - one that cannot be parsed is said once and stops no other: it is kept out, or stays what it was before, since gone is told only of what went
 * - nothing rejects and nothing gives up: what fails is in the log, and tried again after a growing pause
 */
import { asFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';
import { complaintOf, type Identity, identityOf } from './answers.ts';
import type { KubeApi, Parse } from './api.ts';
import { type ElapsedClock, elapsedClock } from './clock.ts';
import { follow } from './follow.ts';
import { type Collection, nameOf, type Selection } from './paths.ts';

/** What to hold. */
export interface Watched<T> extends Selection {
  readonly at: Collection;
  /** Sees one object as the server sent it; what it returns is all that is held, so leave out what nobody needs. */
  readonly parse: Parse<T>;
  /** The first look may be as old as what the API server has at hand, which is cheap for it; later ones never go back. Otherwise it is the newest. */
  readonly oldIsFine?: boolean;
}

/** One change, told once. `key` is `namespace/name`, or the name where there are no namespaces. */
export type Change<T> =
  | { readonly kind: 'set'; readonly key: string; readonly object: T; readonly before: T | undefined }
  | { readonly kind: 'gone'; readonly key: string; readonly before: T };

/** With what to work. */
export interface CacheOptions<T> {
  readonly log: Log;
  /** Called once for each change, in order, on a later turn; what it throws is logged. The state may be further by then. */
  readonly changed?: (change: Change<T>) => void;
  readonly clock?: ElapsedClock;
  /** In [0, 1); Math.random when absent. */
  readonly random?: () => number;
}

/** The objects there are. */
export interface ObjectCache<T> {
  get(key: string): T | undefined;
  list(): T[];
  /** Resolves when the first list is in, or when the cache was stopped. Never rejects; wait for it with a deadline of your own. */
  readonly synced: Promise<void>;
  /** Milliseconds since the last sign that this is how things are; 0 while a watch is up. Undefined before the first list. */
  stale_ms(): number | undefined;
  /** Tells nothing any more. What is held stays readable. */
  stop(): void;
}

/** Starts to hold and follow those objects. */
export function watchObjects<T>(api: Pick<KubeApi, 'list' | 'watch'>, watched: Watched<T>, options: CacheOptions<T>): ObjectCache<T> {
  const { log, clock = elapsedClock, random = Math.random } = options;
  const news = tell(options);
  const held = holding(watched, log, news.push);
  const stopping = new AbortController();
  const { promise: synced, resolve: sync } = Promise.withResolvers<void>();
  let up = false;
  let seen_ms: number | undefined;
  const { at, fieldSelector, labelSelector, oldIsFine = false } = watched;
  const selection = { ...(fieldSelector === undefined ? {} : { fieldSelector }), ...(labelSelector === undefined ? {} : { labelSelector }) };
  const follower = {
    all(objects: readonly unknown[]): void {
      held.replace(objects);
      seen_ms = clock.elapsed_ms();
      news.afterwards(sync);
    },
    one: held.take,
    up(is: boolean): void {
      if (is || up) seen_ms = clock.elapsed_ms();
      up = is;
    },
  };
  void follow(api, { at, ...selection, oldIsFine }, follower, { log, clock, random, signal: stopping.signal });
  return {
    get: held.get,
    list: held.list,
    synced,
    stale_ms() {
      if (up) return 0;
      return seen_ms === undefined ? undefined : clock.elapsed_ms() - seen_ms;
    },
    stop() {
      stopping.abort();
      news.stop();
      sync();
    },
  };
}

/** Changes on their way to the listener, which is called on a later turn: it may do anything without getting into our own work. */
function tell<T>({ changed, log }: CacheOptions<T>) {
  let waiting: (() => void)[] = [];
  let stopped = false;
  const flush = (): void => {
    const now = waiting;
    waiting = [];
    for (const one of now) {
      if (stopped) return;
      try {
        one();
      } catch (error) {
        log.error(`a change could not be heeded: ${sentence(asFailure(error))}`);
      }
    }
  };
  const afterwards = (what: () => void): void => {
    if (waiting.push(what) === 1) setImmediate(flush);
  };
  return {
    afterwards,
    push(change: Change<T>): void {
      if (changed !== undefined) afterwards(() => changed(change));
    },
    stop(): void {
      stopped = true;
      waiting = [];
    },
  };
}

/** One object as it is held. */
interface Held<T> extends Identity {
  readonly object: T;
}

/** The objects themselves. */
function holding<T>({ at, parse }: Watched<T>, log: Log, push: (change: Change<T>) => void) {
  const objects = new Map<string, Held<T>>();
  /** What was said of those that cannot be parsed, by key. */
  const bad = new Map<string, string>();
  const drop = (key: string): void => {
    const before = objects.get(key);
    bad.delete(key);
    if (!objects.delete(key) || before === undefined) return;
    push({ kind: 'gone', key, before: before.object });
  };
  const put = (id: Identity, value: unknown): void => {
    const { key, uid, resourceVersion } = id;
    if (objects.has(key) && objects.get(key)?.uid !== uid) drop(key);
    const before = objects.get(key);
    if (before?.resourceVersion === resourceVersion) return;
    try {
      const object = parse(value);
      objects.set(key, { key, uid, resourceVersion, object });
      bad.delete(key);
      push({ kind: 'set', key, object, before: before?.object });
    } catch (error) {
      const complaint = complaintOf(error);
      if (bad.get(key) === complaint) return;
      bad.set(key, complaint);
      log.warn(`${nameOf(at)} ${key} cannot be read and is ${before === undefined ? 'left out' : 'taken as it was before'}: ${complaint}`);
    }
  };
  const identified = (value: unknown): Identity | undefined => {
    const id = identityOf(value);
    if (id === undefined) log.warn(`the API server sent one of ${nameOf(at)} without name, uid or version`);
    return id;
  };
  return {
    get: (key: string): T | undefined => objects.get(key)?.object,
    list: (): T[] => [...objects.values()].map(({ object }) => object),
    take({ type, object }: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: unknown }): void {
      const id = identified(object);
      if (id === undefined) return;
      if (type === 'DELETED') drop(id.key);
      else put(id, object);
    },
    replace(values: readonly unknown[]): void {
      const ids = values.map((value) => ({ value, id: identified(value) }));
      const there = new Set(ids.map(({ id }) => id?.key));
      for (const key of [...objects.keys(), ...bad.keys()]) if (!there.has(key)) drop(key);
      for (const { value, id } of ids) if (id !== undefined) put(id, value);
    },
  };
}
