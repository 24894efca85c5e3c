/** All Pods of a cluster as the API server tells of them, change by change, through its outages. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WatchEvent } from './admin.ts';
import type { PodObject } from './checker-views.ts';
import type { Cluster } from './cluster.ts';

/** What is known now. Disposing ends the watch. */
export interface FollowedPods extends AsyncDisposable {
  list(): PodObject[];
  /** Whether the API server is being heard; while it is not, nothing is known of late changes. */
  readonly isCurrent: boolean;
}

const ALL = '/api/v1/pods';
const AGAIN_ms = 300;

/** Starts following; `changed` is called with each Pod that is new or another. */
export function followPods(cluster: Cluster, changed: (pod: PodObject) => void): FollowedPods {
  const known = new Map<string, PodObject>();
  const stop = new AbortController();
  let isCurrent = false;
  const take = ({ type, object }: WatchEvent<PodObject>): void => {
    const { uid } = object.metadata;
    if (type === 'DELETED') return void known.delete(uid);
    known.set(uid, object);
    changed(object);
  };
  /** One connection. What the list tells and the watch told already is older or the same. */
  const follow = async (): Promise<void> => {
    const heard = new Set<string>();
    await using watch = await cluster.admin.watch<PodObject>(ALL, (event) => {
      heard.add(event.object.metadata.uid);
      take(event);
    });
    const listed = (await cluster.admin.list<PodObject>(ALL)).filter(({ metadata }) => !heard.has(metadata.uid));
    const there = new Set(listed.map(({ metadata }) => metadata.uid));
    for (const uid of known.keys()) if (!there.has(uid) && !heard.has(uid)) known.delete(uid);
    for (const object of listed) take({ type: 'MODIFIED', object });
    isCurrent = true;
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    stop.signal.addEventListener('abort', () => resolve(), { once: true });
    await Promise.race([watch.ended, stopped]);
  };
  const following = (async () => {
    while (!stop.signal.aborted) {
      await follow().catch(() => undefined);
      isCurrent = false;
      await sleep(AGAIN_ms, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  return {
    list: () => [...known.values()],
    get isCurrent() {
      return isCurrent;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
    },
  };
}
