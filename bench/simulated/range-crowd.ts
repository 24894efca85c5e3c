/**
 * Addresses of ranges for all Pods of a cluster at once, measured from the inside: this program runs in the network namespace where a real API server
 * listens, starts the real controller beside it, and plays the agents.
 */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createLog } from '../../src/log.ts';
import { readAddressLedger } from '../../src/store/address-ledger.ts';
import { addToIp, parseIp } from '../../src/net/address.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { type PodSubnet, podSubnet } from '../../src/store/pod-subnet.ts';
import { eventually } from '../../test/life/lab.ts';
import { type Row, rowOf } from '../rows.ts';
import { type ControlPlane, controlPlane } from './control.ts';
import type { Inside } from './inside.ts';
import type { IpamClusterEffort } from './ipam-cluster.ts';
import { nodeObject, nodeStatus } from './node-object.ts';
import { type RangeAgent, rangeAgent } from './range-agent.ts';
import { defineWhereabouts, whereaboutsBurst, whereaboutsExecutable } from './whereabouts.ts';

const bundle = resolve(import.meta.dirname, '../../dist/flatpod.cjs');
const WARM_s = 60;

const plan = JSON.parse(process.argv[2] ?? '{}') as IpamClusterEffort & Inside; // by ipam-cluster.ts
const pods = plan.nodes * plan.podsPerNode;
const rows: Row[] = [];
const progress = (text: string): void => void process.send?.({ progress: `ipam-cluster: ${text}` });
const log = createLog('bench', 'warn');

/** A range for each round; `plenty` has many times as many addresses as Pods, `exact-fit` exactly as many. */
function ranges(kind: 'plenty' | 'exact-fit', place: number): PodSubnet[] {
  return Array.from({ length: plan.rounds }, (_, round) => {
    const cidr = `10.${place}.${16 * round}.0/20`;
    const first = parseIp(`10.${place}.${16 * round}.1`);
    const ipv4 = { cidr, ...(kind === 'exact-fit' && { first, last: addToIp(first, pods - 1) }) };
    // Room for one node to have more than its part.
    const spec = {
      range: { parent: 'eth1', ipv4 },
      datapath: 'macvlan',
      namespaces: [`${kind}-${round}`],
      perNode: { maximum: 4 * plan.podsPerNode },
    };
    return podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name: `${kind}-${round}` }, spec });
  });
}

/** Every Pod of every node at once. Rows: how long each waited, how many a second there were in all, and what it cost the API server. */
async function burst(
  kind: string,
  subnet: PodSubnet,
  agents: readonly RangeAgent[],
  control: ControlPlane,
  took: number[],
): Promise<{ readonly wall_ms: number; readonly calls: number }> {
  const before = new Map(control.calls());
  const began = performance.now();
  const leases = agents.flatMap((agent) =>
    Array.from({ length: plan.podsPerNode }, async () => {
      const taken = await agent.lease(subnet);
      took.push(performance.now() - began);
      return taken.addresses[0] ?? '';
    }),
  );
  const addresses = await Promise.all(leases);
  const wall_ms = performance.now() - began;
  if (new Set(addresses).size !== pods) throw new Error(`${kind}: ${pods - new Set(addresses).size} addresses were given twice`);
  const calls = [...control.calls()]
    .filter(([name]) => !/^(get|list|watch|update leases)/.test(name))
    .reduce((sum, [name, count]) => sum + count - (before.get(name) ?? 0), 0);
  return { wall_ms, calls };
}

/** The same for whereabouts, where its executable is given: one round, as far as it gets in the time that it has. */
async function peer(control: ControlPlane, nodes: readonly string[]): Promise<void> {
  const executable = whereaboutsExecutable();
  const [api] = control.apis;
  if (typeof executable === 'string') console.log(`left out: whereabouts: ${executable}`);
  if (typeof executable === 'string' || api === undefined) return;
  await defineWhereabouts(api);
  for (const [kind, cidr] of [
    ['plenty', '10.11.0.0/20'],
    ['exact-fit', '10.12.0.0/20'],
  ] as const) {
    progress(`${kind}: whereabouts`);
    const exactly = kind === 'exact-fit' ? { exactly: pods } : {};
    const plain = { dir: plan.dir, kubeconfig: control.adminKubeconfig, nodes, podsPerNode: plan.podsPerNode, limit_s: plan.peerLimit_s };
    const seen = await whereaboutsBurst({ executable: executable.path, name: kind, cidr, ...exactly, ...plain });
    const { took, addresses, wall_ms, failed, words, late } = seen;
    if (failed > 0) console.log(`whereabouts, ${kind}: ${failed} refused, the first: ${words}`);
    if (new Set(addresses).size !== addresses.length)
      console.log(`whereabouts, ${kind}: ${addresses.length - new Set(addresses).size} addresses given twice`);
    if (took.length > 0) rows.push(rowOf(`ipam-cluster/${kind}`, 'whereabouts', 'ms', took));
    rows.push(rowOf(`ipam-cluster/${kind}/wall`, 'whereabouts', 'ms', [wall_ms]));
    rows.push(rowOf(`ipam-cluster/${kind}/rate`, 'whereabouts', 'per_s', [(1000 * took.length) / wall_ms], took.length));
    rows.push(rowOf(`ipam-cluster/${kind}/failed`, 'whereabouts', 'count', [failed]));
    rows.push(rowOf(`ipam-cluster/${kind}/late`, 'whereabouts', 'count', [late]));
  }
}

async function measure(): Promise<void> {
  progress('control plane, Nodes and PodSubnets');
  await using undo = new AsyncDisposableStack();
  const control = undo.use(await controlPlane(plan.dir, plan.netns, plan.address));
  const [api] = control.apis;
  if (api === undefined) throw new Error('there is no connection');
  const names = Array.from({ length: plan.nodes }, (_, i) => `node-${i}`);
  for (const name of names) {
    await api.create(resources.nodes, nodeObject(name, 'rack-0'), () => undefined);
    await api.patch(
      { ...resources.nodes, name, subresource: 'status' },
      { kind: 'merge', body: { status: nodeStatus(new Date()) } },
      () => undefined,
    );
  }
  const all = { plenty: ranges('plenty', 9), 'exact-fit': ranges('exact-fit', 10) };
  for (const subnet of Object.values(all).flat()) await api.create(resources.podSubnets, subnet, () => undefined);
  const config = join(plan.dir, 'controller.yaml');
  const spec = { cluster: 'bench', cloud: { type: 'none' }, kubeconfig: control.kubeconfig, log: 'warn' };
  writeFileSync(
    config,
    JSON.stringify({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'ControllerConfig', metadata: { name: 'flatpod' }, spec }),
  );
  const controller = await control.machine.start('controller', [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    bundle,
    'controller',
    '--config',
    config,
  ]);
  undo.defer(() => controller.kill('SIGTERM'));
  const subnets = Object.values(all).flat();
  const agents = names.map((name, i) => rangeAgent(control.apis[i % control.apis.length] ?? api, name, subnets, log));
  undo.defer(() => agents.forEach((agent) => agent.stop()));
  await eventually(
    'every node has addresses ready',
    () => agents.every((agent) => subnets.every((subnet) => agent.free(subnet) > 0)),
    WARM_s,
  );
  for (const [kind, some] of Object.entries(all)) {
    const [took, rates, walls, calls]: number[][] = [[], [], [], []];
    for (const [round, subnet] of some.entries()) {
      progress(`${kind}: ${round} of ${some.length}`);
      const seen = await burst(kind, subnet, agents, control, took ?? []);
      walls?.push(seen.wall_ms);
      rates?.push((1000 * pods) / seen.wall_ms);
      calls?.push(seen.calls);
    }
    rows.push(rowOf(`ipam-cluster/${kind}`, 'flatpod', 'ms', took ?? []));
    rows.push(rowOf(`ipam-cluster/${kind}/wall`, 'flatpod', 'ms', walls ?? []));
    rows.push(rowOf(`ipam-cluster/${kind}/rate`, 'flatpod', 'per_s', rates ?? []));
    rows.push(rowOf(`ipam-cluster/${kind}/controller-writes`, 'flatpod', 'count', calls ?? []));
  }
  const { items } = await api.list(resources.addressLedgers, readAddressLedger);
  const bytes = items.map(({ spec: { slice, shares } }) => JSON.stringify({ slice, shares }).length);
  rows.push(rowOf('ipam-cluster/ledger-bytes', 'flatpod', 'count', bytes));
  await peer(control, names);
}

// Its parent ended, however that was: everything here ends too.
process.once('disconnect', () => process.exit(1));
await measure();
process.removeAllListeners('disconnect');
process.send?.({ rows });
process.disconnect?.();
