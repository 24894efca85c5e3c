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
import type { KubeApi } from './api.ts';
import type { Parse } from './asked.ts';
import { type ElapsedClock, elapsedClock } from './clock.ts';
import { follow } from './follow.ts';
import { type Change, holding } from './held.ts';
import type { Collection, Selection } from './paths.ts';

/** What to hold. */
export interface Watched<T> extends Selection {
  readonly at: Collection;
  /** Sees one object as the server sent it; what it returns is all that is held, so leave out what nobody needs. */
  readonly parse: Parse<T>;
  /** The first look may be as old as what the API server has at hand, which is cheap for it; later ones never go back. Otherwise it is the newest. */
  readonly oldIsFine?: boolean;
}

export type { Change } from './held.ts';

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
  const { at, parse, fieldSelector, labelSelector, oldIsFine = false } = watched;
  const held = holding(at, parse, log, (change) => news.push(change));
  const stopping = new AbortController();
  const { promise: synced, resolve: sync } = Promise.withResolvers<void>();
  let up = false;
  let seen_ms: number | undefined;
  const selection = {
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  };
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
