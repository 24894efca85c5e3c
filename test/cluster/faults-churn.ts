/** Pods that come and go without end, each as soon as it was ready for a moment: the load under which things are broken. */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import type { PodObject } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import { onePod, podsIn, shellPod } from './life-parts.ts';

/** Pods under way. Disposing stops it and waits until all its Pods are gone. */
export interface Churn extends AsyncDisposable {
  /** Pods that became ready so far. */
  readonly served: number;
  /** Waits until on every node so many Pods more have become ready than had by now. */
  goesOn(more?: number, limit_s?: number): Promise<void>;
}

const LABEL = 'churn';
/** One that is not ready by then is deleted, and another is tried. */
const PATIENCE_ms = 60_000;

/** Starts it, with so many Pods at once. Refusals of the API server are part of the game. */
export function startChurn(cluster: Cluster, namespace: string, atOnce: number): Churn {
  const stop = new AbortController();
  const servedOn = new Map<string, number>();
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const wait = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined);
  let made = 0;

  /** Resolves when the Pod is ready, or too late. */
  const untilReady = async (name: string): Promise<void> => {
    for (const end = performance.now() + PATIENCE_ms; performance.now() < end && !stop.signal.aborted; await wait(400)) {
      const pod = await cluster.admin.ask<PodObject>('GET', `${path}/${name}`).catch(() => undefined);
      if (pod?.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') !== true) continue;
      const node = pod.spec.nodeName ?? '';
      servedOn.set(node, (servedOn.get(node) ?? 0) + 1);
      return;
    }
  };
  const worker = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const name = `${LABEL}-${++made}`;
      const pod = onePod(namespace, name, shellPod('sleep 100000'));
      const created = await cluster.admin.ask('POST', path, { ...pod, metadata: { name, labels: { app: LABEL } } }).catch(() => undefined);
      if (created !== undefined) await untilReady(name);
      await wait(500);
      if (created !== undefined) await cluster.admin.ask('DELETE', `${path}/${name}`).catch(() => undefined);
    }
  };
  const working = Array.from({ length: atOnce }, worker);
  return {
    get served() {
      return servedOn.values().reduce((sum, one) => sum + one, 0);
    },
    async goesOn(more = 2, limit_s = 120) {
      const before = new Map(servedOn);
      const goal = (name: string): boolean => (servedOn.get(name) ?? 0) >= (before.get(name) ?? 0) + more;
      await eventually(`Pods start on every node`, () => cluster.nodes.every(({ name }) => goal(name)), limit_s);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(working);
      const gone = async (): Promise<boolean> => {
        await cluster.kubectl('-n', namespace, 'delete', 'pods', '-l', `app=${LABEL}`, '--wait=false');
        return (await podsIn(cluster, namespace, LABEL)).length === 0;
      };
      await eventually('the last Pods go', gone, 120);
    },
  };
}
