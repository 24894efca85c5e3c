/**
 * Objects of the API server held in memory and kept up to date.
 *
 * Invariants
 * - an object that went is told as gone, also when that happened while nobody watched; so is one whose name another has by now (by uid)
 * - one that cannot be parsed is said once, kept out, and stops no other
 * - nothing rejects and nothing gives up: what fails is in the log, and tried again after a growing pause
 */
import type { Log } from '../log.ts';
import type { KubeApi, Parse } from './api.ts';
import type { ElapsedClock } from './clock.ts';
import type { Collection, Selection } from './paths.ts';

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
export function watchObjects<T>(api: KubeApi, watched: Watched<T>, options: CacheOptions<T>): ObjectCache<T> {
  throw new Error(`not yet: ${typeof api} ${watched.at.resource} ${typeof options.log}`);
}
