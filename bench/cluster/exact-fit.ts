/** Part `exact-fit`: as many Pods as a subnet has addresses, no more and no less, by a scheduler that knows how many there are. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '../../test/cluster/admin.ts';
import type { PodObject } from '../../test/cluster/checker-views.ts';
import { type Cluster, startCluster } from '../../test/cluster/cluster.ts';
import { installFlatpod } from '../../test/cluster/flatpod.ts';
import { eventually } from '../../test/life/lab.ts';
import { type Row, rowOf } from '../rows.ts';
import { createPods, type Namespace, removePods, startPods } from './pods.ts';

const SUBNET = 'fit';
const ADDRESSES = 'flatpod.dev/addresses';
/** Created beyond what fits. */
const TOO_MANY = 5;
/** Longer than the controller takes to move a share from one node to another: what is still left then stays left. */
const LONGER_ms = 15_000;
const SETTLED_ms = 5000;

/**
 * For each size rows `exact-fit/N` (milliseconds from creation to readiness), `…/wall` (until all were), `…/left-over` (addresses that no Pod has
 * although Pods wait) and `…/too-many` (Pods beyond N that were placed on a node).
 * @throws Error when not all of them run
 */
export async function exactFit(sizes: readonly number[], progress: (text: string) => void): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of sizes) {
    progress(`a cluster with a subnet for ${size} Pods`);
    // The smallest block that holds them, four reserved addresses at its beginning, one at its end, and the interfaces.
    const length = 32 - Math.ceil(Math.log2(size + 16));
    await using cluster = await startCluster({ vpc: { subnets: { [SUBNET]: { cidr4: `10.20.200.0/${length}` } } } });
    const spec = { cloudSubnet: cluster.vpc.lab.subnets.get(SUBNET)?.id, default: true };
    await installFlatpod(cluster, { subnets: { pods: spec }, values: { scheduler: { enabled: true } } });
    await cluster.kubectl('create', 'namespace', SUBNET);
    await narrow(cluster, size);
    progress(`${size} Pods into ${size} addresses`);
    rows.push(...(await fit({ cluster, name: SUBNET, subject: 'flatpod', rests: () => Promise.resolve(true) }, size)));
  }
  return rows;
}

async function fit(namespace: Namespace, size: number): Promise<Row[]> {
  const { cluster, subject } = namespace;
  const name = `exact-fit/${size}`;
  const { pods, wall_ms } = await startPods(namespace, size);
  await createPods(namespace, TOO_MANY);
  await sleep(LONGER_ms);
  const all = await cluster.admin.list<PodObject>(`/api/v1/namespaces/${SUBNET}/pods`);
  const placed = all.filter(({ spec }) => spec.nodeName !== undefined).length;
  const left = (await freeIn(cluster)) + (await heldBy(cluster)) - size;
  await removePods(namespace);
  const took = pods.map(({ took_ms }) => took_ms);
  return [
    rowOf(name, subject, 'ms', took),
    rowOf(`${name}/wall`, subject, 'ms', [wall_ms]),
    rowOf(`${name}/left-over`, subject, 'count', [left]),
    rowOf(`${name}/too-many`, subject, 'count', [placed - size]),
  ];
}

/** Takes so many addresses out of the subnet that the nodes say exactly `size`. */
async function narrow(cluster: Cluster, size: number): Promise<void> {
  let said = Number.NaN;
  await eventually('the nodes say how many addresses there are', async () => Number.isFinite((said = await settled(cluster))), 60);
  // A NIC that nobody uses has one address for itself.
  const over = said - size - 1;
  if (over < 0) throw new Error(`a subnet for ${size} Pods has ${said} addresses`);
  const subnet = cluster.vpc.lab.subnets.get(SUBNET)?.id;
  const want = over > 0 ? { want: { addresses4: over } } : {};
  await cluster.vpc.api.call('POST', '/v1/nics', { clientToken: 'what-is-too-many', subnet, ...want });
  await eventually(`the nodes say ${size}`, async () => (await told(cluster)) === size, 60);
}

/** What the nodes say when they have said it for some seconds; NaN when they have not. */
async function settled(cluster: Cluster): Promise<number> {
  const before = await told(cluster);
  await sleep(SETTLED_ms);
  return before > 0 && before === (await told(cluster)) ? before : Number.NaN;
}

/** What the nodes tell the scheduler, together. NaN while one says nothing. */
async function told(cluster: Cluster): Promise<number> {
  const nodes = await cluster.admin.list<KubeObject & { status: { allocatable: Record<string, string> } }>('/api/v1/nodes');
  return nodes.reduce((sum, { status }) => sum + Number(status.allocatable[ADDRESSES] ?? Number.NaN), 0);
}

async function freeIn(cluster: Cluster): Promise<number> {
  const { items } = await cluster.vpc.api.call<{ items: readonly { readonly name: string; readonly free4: number }[] }>(
    'GET',
    '/v1/subnets',
  );
  return items.find(({ name }) => name === SUBNET)?.free4 ?? Number.NaN;
}

async function heldBy(cluster: Cluster): Promise<number> {
  const nodes = await cluster.admin.list<KubeObject & { status?: { held?: number } }>('/apis/flatpod.dev/v1alpha1/nodenetworks');
  return nodes.reduce((sum, { status }) => sum + (status?.held ?? 0), 0);
}
