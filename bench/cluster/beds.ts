/** The clusters that are measured: the same machines, once with Flatpod, once with the reference plugins, never both at a time. */
import type { NodeReport } from '../../src/agent/status-report.ts';
import { reportOf } from '../../test/cluster/checker-views.ts';
import { type Cluster, startCluster } from '../../test/cluster/cluster.ts';
import { installFlatpod } from '../../test/cluster/flatpod.ts';
import { type Namespace, removePods, startPods } from './pods.ts';

/** Who gives Pods their network. */
export type BedName = 'flatpod' | 'ptp';

/** A cluster of two nodes, and the namespaces of it that are measured. */
export interface Bed extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly namespaces: readonly Namespace[];
}

/** The subject whose Pods come to nodes without addresses. */
export const COLD = 'flatpod-cold';

/** More than half of the Pods of any case: no ADD in the namespace `warm` waits for the cloud, and none has the node ask for more. */
const WARM = 100;
const SPARE = 4;
/** Enough for some on each node. */
const FIRST = 6;

/** Starts one. Each node has started a Pod when this returns: what is read from disk for the first time is in memory. */
export async function startBed(name: BedName, audit = false): Promise<Bed> {
  const vpc = { subnets: { cold: { cidr4: '10.20.200.0/23' } } };
  await using undo = new AsyncDisposableStack();
  const cluster = undo.use(await startCluster(name === 'ptp' ? { cni: 'ptp', audit } : { vpc, audit }));
  const namespaces = name === 'ptp' ? [onPtp(cluster)] : await onFlatpod(cluster);
  for (const namespace of namespaces) await cluster.kubectl('create', 'namespace', namespace.name);
  for (const namespace of namespaces.slice(0, 1)) {
    await startPods(namespace, FIRST);
    await removePods(namespace);
  }
  const all = undo.move();
  return { cluster, namespaces, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

function onPtp(cluster: Cluster): Namespace {
  return { cluster, name: 'warm', subject: 'ptp', rests: () => Promise.resolve(true) };
}

/** In `warm` all addresses are there before any Pod is; in `cold` nodes hold none of the subnet, and have no interface in it, until a Pod is placed there. */
async function onFlatpod(cluster: Cluster): Promise<Namespace[]> {
  const { subnets } = cluster.vpc.lab;
  const warm = { minimum: WARM, spare: SPARE };
  await installFlatpod(cluster, {
    subnets: {
      pods: { cloudSubnet: subnets.get('pods')?.id, default: true, warm },
      cold: { cloudSubnet: subnets.get('cold')?.id, namespaces: ['cold'], warm: { minimum: 0, spare: 0 } },
    },
  });
  const everyNode = async (holds: (report: NodeReport) => boolean): Promise<boolean> =>
    (await Promise.all(cluster.nodes.map(reportOf))).every(holds);
  const isWarm = ({ pools }: NodeReport): boolean => pools.some(({ subnet, free }) => subnet === 'pods' && free >= WARM);
  const isCold = ({ pools, nics }: NodeReport): boolean =>
    pools.every(({ subnet, held }) => subnet !== 'cold' || held === 0) && nics.every(({ subnet }) => subnet !== 'cold');
  return [
    { cluster, name: 'warm', subject: 'flatpod', rests: () => everyNode(isWarm) },
    { cluster, name: 'cold', subject: COLD, rests: () => everyNode(isCold) },
  ];
}
