/**
 * Follows a selection of objects for as long as it is wanted: a list, then watches from it on, each from where the one before ended; a list again when
 * the server has forgotten that version. What is list+watch in k8s.io/client-go/tools/cache (Reflector).
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { asFailure, failure, isFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';
import { isRecord } from './answers.ts';
import type { KubeApi } from './api.ts';
import type { WatchEvent } from './asked.ts';
import type { ElapsedClock } from './clock.ts';
import { type Collection, nameOf, type Selection } from './paths.ts';

/** What is followed. */
export interface Followed extends Selection {
  readonly at: Collection;
  /** The first list may be as old as what the server has at hand. */
  readonly oldIsFine: boolean;
}

/** Who is told. What these throw is a defect. */
export interface Follower {
  /** These are all there are. */
  all(objects: readonly unknown[]): void;
  /** One came, changed or went. */
  one(event: WatchEvent & { readonly type: Exclude<WatchEvent['type'], 'BOOKMARK'> }): void;
  /** Whether a watch is up from now on. */
  up(is: boolean): void;
}

/** With what to work. */
export interface FollowOptions {
  readonly log: Log;
  readonly clock: ElapsedClock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** A server ends watches after such a time of ours, so that they spread over the servers there are: 5 to 10 minutes, as client-go has it. */
const WATCH_s = 300;
/** Bookmarks come every minute; three missing ones are a sign. */
const SILENCE_ms = 180_000;
/** Pauses after a failure double from the first to the longest, which a server that comes back with 5000 nodes waiting can bear. */
const FIRST_PAUSE_ms = 500;
const LONGEST_PAUSE_ms = 15_000;
/** A watch that ended in good order, but sooner than that, counts as a failure: else we would ask without pause. */
const SHORT_ms = 1_000;

/** Runs until the signal. Never rejects. */
export async function follow(api: Pick<KubeApi, 'list' | 'watch'>, what: Followed, to: Follower, options: FollowOptions): Promise<void> {
  const { log, clock, random, signal } = options;
  const name = nameOf(what.at);
  const place: Place = { version: undefined, known: what.oldIsFine ? '0' : undefined };
  let failures = 0;
  let saidAt_ms: number | undefined;
  while (!signal.aborted) {
    const began_ms = clock.elapsed_ms();
    try {
      if (place.version === undefined) await relist(api, what, place, to);
      if (signal.aborted) return;
      await watchFrom(api, what, place, options, {
        ...to,
        up(is) {
          if (is && saidAt_ms !== undefined) log.info(`${name} are followed again after ${seconds(clock.elapsed_ms() - saidAt_ms)} s`);
          if (is) saidAt_ms = undefined;
          to.up(is);
        },
      });
      failures = clock.elapsed_ms() - began_ms < SHORT_ms ? failures + 1 : 0;
    } catch (error) {
      if (signal.aborted) return;
      if (clock.elapsed_ms() - began_ms >= LONGEST_PAUSE_ms) failures = 0;
      failures++;
      if (isPlaceLost(error, failures)) place.version = undefined;
      if (isFailure(error, 'kubeExpired')) log.debug(`${name} are listed again: ${error.details}`);
      else if (saidAt_ms === undefined) {
        // Once per outage, not once per try.
        saidAt_ms = began_ms;
        log.warn(`${name} are not followed at the moment: ${sentence(asFailure(error))}`);
      } else log.debug(`${name} are still not followed: ${sentence(asFailure(error))}`);
    }
    await pause(clock, failures === 0 ? 0 : pauseAfter(failures, random), signal);
  }
}

/** Whether to list again instead of going on from where we were: a server that answers, but cannot go on from there, need not have said why. */
function isPlaceLost(error: unknown, failures: number): boolean {
  if (isFailure(error, 'kubeExpired') || isFailure(error, 'kubeInvalid')) return true;
  return failures % 5 === 0 && (isFailure(error, 'kubeFailing') || isFailure(error, 'kubeGarbled') || isFailure(error, 'kubeTooLarge'));
}

/** Where we are: the version to watch from, and the newest ever seen. */
interface Place {
  version: string | undefined;
  known: string | undefined;
}

async function relist(
  api: Pick<KubeApi, 'list'>,
  { at, fieldSelector, labelSelector }: Followed,
  place: Place,
  to: Follower,
): Promise<void> {
  const how = { ...selectors(fieldSelector, labelSelector), ...(place.known === undefined ? {} : { notOlderThan: place.known }) };
  const { items, resourceVersion } = await api.list<unknown>(at, (item) => item, how);
  to.all(items);
  place.version = place.known = resourceVersion;
}

async function watchFrom(api: Pick<KubeApi, 'watch'>, what: Followed, place: Place, options: FollowOptions, to: Follower): Promise<void> {
  const { at, fieldSelector, labelSelector } = what;
  try {
    await api.watch(at, {
      ...selectors(fieldSelector, labelSelector),
      resourceVersion: place.version ?? '',
      lasts_s: Math.round(WATCH_s * (1 + options.random())),
      silence_ms: SILENCE_ms,
      signal: options.signal,
      began: () => to.up(true),
      event(event) {
        const version = versionOf(event.object);
        if (version === undefined)
          throw failure('kubeGarbled', { call: `watch ${nameOf(at)}`, server: '', text: 'an object without a version' });
        const { type, object } = event;
        if (type !== 'BOOKMARK') to.one({ type, object });
        place.version = place.known = version;
      },
    });
  } finally {
    to.up(false);
  }
}

function selectors(fieldSelector: string | undefined, labelSelector: string | undefined): Selection {
  return { ...(fieldSelector === undefined ? {} : { fieldSelector }), ...(labelSelector === undefined ? {} : { labelSelector }) };
}

function versionOf(object: unknown): string | undefined {
  const meta = isRecord(object) ? object['metadata'] : undefined;
  const version = isRecord(meta) ? meta['resourceVersion'] : undefined;
  return typeof version === 'string' && version !== '' ? version : undefined;
}

function pauseAfter(failures: number, random: () => number): number {
  return Math.min(LONGEST_PAUSE_ms, FIRST_PAUSE_ms * 2 ** Math.min(failures - 1, 10)) * (0.5 + random() / 2);
}

/** Ends early with the signal. Even a pause of nothing lets others have their turn. */
async function pause(clock: ElapsedClock, pause_ms: number, signal: AbortSignal): Promise<void> {
  if (pause_ms === 0) {
    await nextTurn();
    return;
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(pause_ms, resolve);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  cancel();
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
