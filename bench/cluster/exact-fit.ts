/** Part `exact-fit`: as many Pods as a subnet has addresses, no more and no less, by a scheduler that knows how many there are. */
import type { KubeObject } from '../../test/cluster/admin.ts';
import type { PodObject } from '../../test/cluster/checker-views.ts';
import { type Cluster, startCluster } from '../../test/cluster/cluster.ts';
import { installFlatpod } from '../../test/cluster/flatpod.ts';
import { eventually } from '../../test/life/lab.ts';
import { type Row, rowOf } from '../rows.ts';
import { type Namespace, removePods, startThoseThatFit } from './pods.ts';

const SUBNET = 'fit';
const ADDRESSES = 'flatpod.dev/addresses';
/** Of an interface of the nodes' instance type: beside its own. */
const PER_NIC = 29;
/** Of an IPv4 subnet: four addresses at its beginning, and the last. */
const RESERVED = 5;
/** Created beyond what fits. */
const TOO_MANY = 5;
/** Longer than the controller takes to move a share from one node to another: what is still left then stays left. */
const STILL_ms = 30_000;

/**
 * For each size, with a few Pods more than addresses, rows `exact-fit/N` (milliseconds from creation to readiness), `…/wall` (until the last of them),
 * `…/running`, `…/left-over` (addresses that no Pod has although Pods wait) and `…/too-many` (Pods on a node that has no address for them).
 */
export async function exactFit(sizes: readonly number[], progress: (text: string) => void): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of sizes) {
    progress(`a cluster with a subnet for ${size} Pods`);
    const length = 32 - Math.ceil(Math.log2(size + 16));
    await using cluster = await startCluster({ vpc: { subnets: { [SUBNET]: { cidr4: `10.20.200.0/${length}` } } } });
    await narrow(cluster, 2 ** (32 - length), size);
    const spec = { cloudSubnet: subnetOf(cluster), default: true };
    await installFlatpod(cluster, { subnets: { pods: spec }, values: { scheduler: { enabled: true } } });
    await cluster.kubectl('create', 'namespace', SUBNET);
    await eventually('every node says how many addresses it has', async () => Number.isFinite(await told(cluster)), 60);
    progress(`${size} Pods into ${size} addresses`);
    rows.push(...(await fit({ cluster, name: SUBNET, subject: 'flatpod', rests: () => Promise.resolve(true) }, size)));
  }
  return rows;
}

/** Leaves as many addresses in the subnet as the Pods need, and the interfaces that carry them when each node has as many Pods as the others. */
async function narrow(cluster: Cluster, addresses: number, size: number): Promise<void> {
  const nodes = cluster.nodes.length;
  const nics = nodes * Math.ceil(size / nodes / PER_NIC);
  // The NIC that takes the others has one for itself.
  const others = addresses - RESERVED - size - nics - 1;
  await cluster.vpc.api.call('POST', '/v1/nics', {
    clientToken: 'what-is-too-many',
    subnet: subnetOf(cluster),
    ...(others > 0 && { want: { addresses4: others } }),
  });
}

function subnetOf(cluster: Cluster): string {
  return cluster.vpc.lab.subnets.get(SUBNET)?.id ?? '';
}

async function fit(namespace: Namespace, size: number): Promise<Row[]> {
  const { cluster, subject } = namespace;
  const name = `exact-fit/${size}`;
  const { pods, wall_ms } = await startThoseThatFit(namespace, size + TOO_MANY, STILL_ms);
  const all = await cluster.admin.list<PodObject>(`/api/v1/namespaces/${SUBNET}/pods`);
  const placed = all.filter(({ spec }) => spec.nodeName !== undefined).length;
  const left = (await freeIn(cluster)) + (await heldBy(cluster)) - pods.length;
  await removePods(namespace);
  const took = pods.map(({ took_ms }) => took_ms);
  return [
    rowOf(name, subject, 'ms', took),
    rowOf(`${name}/wall`, subject, 'ms', [wall_ms]),
    rowOf(`${name}/running`, subject, 'count', [pods.length]),
    rowOf(`${name}/left-over`, subject, 'count', [left]),
    rowOf(`${name}/too-many`, subject, 'count', [placed - pods.length]),
  ];
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
