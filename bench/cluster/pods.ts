/** Many Pods at once: from the API server's answer to each creation until a watch tells that the Pod is ready. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PodObject } from '../../test/cluster/checker-views.ts';
import type { Cluster } from '../../test/cluster/cluster.ts';
import { images } from '../../test/cluster/images.ts';

/** Where Pods are started, and who gives them their network. */
export interface Namespace {
  readonly cluster: Cluster;
  readonly name: string;
  readonly subject: string;
  /** Whether all is as before the first Pod: addresses have rested, and cold nodes have lost them. */
  readonly rests: () => Promise<boolean>;
}

/** A Pod that became ready. */
export interface StartedPod {
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  /** Milliseconds from the answer to its creation. */
  readonly took_ms: number;
}

/** Those of one start. */
export interface Batch {
  readonly pods: readonly StartedPod[];
  /** From the first request to the last Pod's readiness. */
  readonly wall_ms: number;
}

const START_DEADLINE_s = 300;
const REST_DEADLINE_s = 120;
const LOOK_ms = 50;
/** Less than the administrator's connections, one of which is the watch. */
const LANES = 6;

let batches = 0;

/** Waits until all is as before the first Pod. */
export async function untilRested({ name, rests }: Namespace): Promise<void> {
  await within(`the namespace ${name} is as before its first Pod`, rests);
}

/** Starts them and waits for all. @throws Error that says what became of the others */
export async function startPods({ cluster, name }: Namespace, count: number): Promise<Batch> {
  await using starting = await begin(cluster, name, count);
  const until_ms = performance.now() + START_DEADLINE_s * 1000;
  while (starting.ready_ms.size < count) {
    if (performance.now() > until_ms) throw new Error(await missing(cluster, name, [...starting.last.values()]));
    await sleep(LOOK_ms);
  }
  return batchOf(starting);
}

/** Starts them and waits until none has become ready for `still_ms`; those that were. */
export async function startThoseThatFit({ cluster, name }: Namespace, count: number, still_ms: number): Promise<Batch> {
  await using starting = await begin(cluster, name, count);
  const { ready_ms } = starting;
  const created_ms = performance.now();
  while (performance.now() < Math.max(created_ms, ...ready_ms.values()) + still_ms) await sleep(LOOK_ms);
  return batchOf(starting);
}

/** Pods on their way. By their names: when their creation was answered, when they were ready, how they were last seen. */
interface Starting extends AsyncDisposable {
  readonly begun_ms: number;
  readonly answered_ms: ReadonlyMap<string, number>;
  readonly ready_ms: ReadonlyMap<string, number>;
  readonly last: ReadonlyMap<string, PodObject>;
}

async function begin(cluster: Cluster, namespace: string, count: number): Promise<Starting> {
  const answered_ms = new Map<string, number>();
  const ready_ms = new Map<string, number>();
  const last = new Map<string, PodObject>();
  const watch = await cluster.admin.watch<PodObject>(podsOf(namespace), ({ object }) => {
    const { name } = object.metadata;
    last.set(name, object);
    if (isReady(object) && !ready_ms.has(name)) ready_ms.set(name, performance.now());
  });
  const begun_ms = performance.now();
  await inLanes(namesOf(count), async (name) => {
    await cluster.admin.ask('POST', podsOf(namespace), podNamed(name));
    answered_ms.set(name, performance.now());
  });
  return { begun_ms, answered_ms, ready_ms, last, [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose]() };
}

function batchOf({ begun_ms, answered_ms, ready_ms, last }: Starting): Batch {
  const pods = [...ready_ms].map(([name, at_ms]) => {
    const found = last.get(name);
    return {
      name,
      uid: found?.metadata.uid ?? '',
      node: found?.spec.nodeName ?? '',
      took_ms: at_ms - (answered_ms.get(name) ?? Number.NaN),
    };
  });
  return { pods, wall_ms: Math.max(...ready_ms.values()) - begun_ms };
}

/** Deletes all Pods of the namespace, and waits until they are gone. */
export async function removePods({ cluster, name }: Namespace): Promise<void> {
  const all = await cluster.admin.list(podsOf(name));
  // The deletion of a collection is answered when all are done, which takes longer than a request may.
  await inLanes(all, ({ metadata }) => cluster.admin.ask('DELETE', `${podsOf(name)}/${metadata.name}`));
  await within(`the Pods of ${name} are gone`, async () => (await cluster.admin.list(podsOf(name))).length === 0);
}

/** As many at a time as the administrator has connections: a request's deadline begins when it is made, not when it is sent. */
async function inLanes<T>(all: readonly T[], act: (one: T) => Promise<unknown>): Promise<void> {
  const left = all.values();
  const lane = async (): Promise<void> => {
    for (const one of left) await act(one);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function within(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const until_ms = performance.now() + REST_DEADLINE_s * 1000;
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > until_ms) throw new Error(`not within ${REST_DEADLINE_s} s: ${what}`);
    await sleep(LOOK_ms);
  }
}

function namesOf(count: number): string[] {
  const batch = ++batches;
  return Array.from({ length: count }, (_, i) => `b${batch}-${i}`);
}

function podsOf(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/pods`;
}

/** As little as there is to a Pod beside its network: no volume, no probe, an image that is there. */
function podNamed(name: string): object {
  const container = { name: 'c', image: images.pause, imagePullPolicy: 'Never' };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { automountServiceAccountToken: false, enableServiceLinks: false, containers: [container] },
  };
}

function isReady({ status }: PodObject): boolean {
  return status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
}

async function missing(cluster: Cluster, namespace: string, pods: readonly PodObject[]): Promise<string> {
  const late = pods.filter((pod) => !isReady(pod)).map(({ metadata }) => metadata.name);
  const events = await cluster.tryKubectl(['-n', namespace, 'get', 'events', '--field-selector=type=Warning', '--no-headers']);
  return `${late.length} of ${pods.length} Pods are not ready after ${START_DEADLINE_s} s: ${late.slice(0, 5).join(', ')}; ${events.stdout.slice(-500)}`;
}
