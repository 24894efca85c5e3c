/** Pods with addresses of their own, made, moved and deleted on three nodes, while everything around them fails. What must hold is checked after each step. */
import assert from 'node:assert/strict';
import { failure } from '../../src/errors/failure.ts';
import type { Ip } from '../../src/net/address.ts';
import { familyOf } from '../../src/net/address.ts';
import { hostCidr } from '../../src/net/cidr.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { carries, type Fault } from '../cloud/memory-cloud.ts';
import { type ClusterBench, clusterBench } from './cluster-bench.ts';
import { subnet } from './harness.ts';

const nodes = ['n1', 'n2', 'n3'] as const;
const fixedPods = ['db-0', 'db-1', 'web-0', 'web-1'] as const;
const rangePods = ['job-a', 'job-b', 'job-c'] as const;
/** Each asks for one address by value; those that the cloud gives first may be somebody's. */
const valuePods = {
  4: { 'val-0': '10.20.0.9', 'val-1': '10.20.0.200' },
  6: { 'val-0': '2001:db8:0:20:1::9', 'val-1': '2001:db8:0:20:f1::9' },
} as const;
const valueOf = (pod: string, families: readonly (4 | 6)[]): string => valuePods[families.includes(4) ? 4 : 6][pod as 'val-0'];
const valueNames = ['val-0', 'val-1'] as const;
const plainPods = ['p-1', 'p-2', 'p-3', 'p-4'] as const;
export const podNames = [...fixedPods, ...rangePods, ...valueNames, ...plainPods];

/** One thing that happens. */
export type Step =
  /** Made on that node; when it is there already, deleted. */
  | { readonly do: 'pod'; readonly pod: (typeof podNames)[number]; readonly node: 0 | 1 | 2 }
  /** Dies, or lives again. */
  | { readonly do: 'node'; readonly node: 0 | 1 | 2 }
  | { readonly do: 'leader' }
  /** Stops in the middle of what it does while another leads; those that did so before go on, and hear of it a moment later. */
  | { readonly do: 'paused' }
  | { readonly do: 'awake' }
  /** The Node is deleted, its instance with it or not; or it comes back. */
  | { readonly do: 'vanish'; readonly node: 0 | 1 | 2; readonly instance: 'dies' | 'lives' }
  /** The cloud's next change meets this. */
  | { readonly do: 'cloud'; readonly fault: 'loseRequest' | 'loseAnswer' | 'dieBefore' | 'dieAfter' | 'full' }
  /** The next write of a claim or of a status meets this. */
  | { readonly do: 'kube'; readonly fault: 'loseAnswer' | 'refuse' | 'conflict' }
  /** Watches are late, or no more. */
  | { readonly do: 'late' }
  | { readonly do: 'stale' }
  | { readonly do: 'pass'; readonly ms: number };

/** What the PodSubnet is like. */
export interface Setting {
  readonly families: readonly (4 | 6)[];
  readonly unit: 'address' | 'prefix';
  /** It has a second subnet of the cloud, and the first interfaces of nodes are in one, in the other and in neither. */
  readonly several: boolean;
}

/** Runs them, then lets everything come to rest. Rejects when something did not hold. */
export async function simulate(steps: readonly Step[], { families, unit, several }: Setting): Promise<void> {
  /** What each Pod with fixed addresses got first. */
  const firsts = new Map<string, readonly Ip[]>();
  await using b = clusterBench({
    cidr6: '2001:db8:0:20::/64',
    attached({ pod }, addresses) {
      assert.deepEqual(addresses.map(familyOf), families, `${pod.name} got ${addresses.join(', ')}`);
      for (const address of addresses) {
        const holder = claims(b).find((claim) => claim.addresses.some((held) => held.address === address));
        if (isAmong(plainPods, pod.name)) assert.equal(holder, undefined, `${pod.name} got ${address} of claim ${holder?.name}`);
      }
      if (isAmong(valueNames, pod.name))
        assert.ok(
          addresses.some((ip) => ip === valueOf(pod.name, families)),
          `${pod.name} got ${addresses.join(', ')}`,
        );
      if (isAmong(fixedPods, pod.name) || isAmong(valueNames, pod.name)) {
        assert.deepEqual(addresses, firsts.get(pod.name) ?? addresses, `${pod.name} got other addresses`);
        firsts.set(pod.name, addresses);
      }
    },
  });
  const where = several ? { cloudSubnets: { ids: ['subnet-a', 'subnet-b'] } } : { cloudSubnet: 'subnet-a' };
  b.subnets = [subnet('pods', { ...where, default: true, families, unit, warm: { spare: 1 } })];
  b.cloud.addSubnet('subnet-b', '10.21.0.0/24', { cidr6: '2001:db8:0:21::/64' });
  b.cloud.addSubnet('subnet-nodes', '10.22.0.0/24');
  b.addClaim('jobs', { podSelector: { matchLabels: { app: 'jobs' } }, count: 2, reclaim: 'TTL', ttl_s: 60 });
  for (const [i, node] of nodes.entries()) b.addNode(node, several ? ['subnet-a', 'subnet-b', 'subnet-nodes'][i] : 'subnet-a');
  const faults = faultsOf(b);
  await b.lead();
  for (const step of steps) {
    await take(b, step, faults, families);
    if (faults.died) {
      faults.died = false;
      await b.lead();
    }
    await b.pass(step.do === 'pass' ? step.ms : 50);
    check(b);
  }
  faults.clear();
  await b.wakeUp();
  for (const node of nodes) live(b, node);
  await b.lead();
  await b.pass(400_000);
  check(b);
  atRest(b, families.length);
}

function isAmong(names: readonly string[], name: string): boolean {
  return names.includes(name);
}

interface Faults {
  cloud: Fault;
  kube: 'none' | 'loseAnswer' | 'refuse' | 'conflict';
  died: boolean;
  clear(): void;
}

function faultsOf(b: ClusterBench): Faults {
  const faults: Faults = {
    cloud: 'none',
    kube: 'none',
    died: false,
    clear() {
      Object.assign(faults, { cloud: 'none', kube: 'none' });
      b.cloud.stale_ms = 0;
      b.kube.catchUp();
    },
  };
  b.cloud.fault = ({ changing }) => {
    if (!changing) return 'none';
    const { cloud } = faults;
    faults.cloud = 'none';
    faults.died ||= cloud === 'dieBefore' || cloud === 'dieAfter';
    return cloud;
  };
  b.kube.fault = ({ verb, resource }) => {
    if (verb === 'get' || verb === 'list' || verb === 'watch' || resource === 'pods') return 'none';
    const { kube } = faults;
    faults.kube = 'none';
    if (kube === 'refuse') return failure('kubeUnreachable', { call: verb, server: 'memory', text: 'refused' });
    if (kube === 'conflict' && resource === 'ipclaims') return failure('kubeConflict', { object: resource, text: 'somebody was quicker' });
    return kube === 'loseAnswer' ? 'loseAnswer' : 'none';
  };
  return faults;
}

async function take(b: ClusterBench, step: Step, faults: Faults, families: Setting['families']): Promise<void> {
  switch (step.do) {
    case 'pod': {
      const isRange = (rangePods as readonly string[]).includes(step.pod);
      const isPlain = (plainPods as readonly string[]).includes(step.pod);
      const own = isAmong(valueNames, step.pod) ? valueOf(step.pod, families) : 'fixed';
      const annotations = isRange ? { 'flatpod.dev/ip-claim': 'jobs' } : { 'flatpod.dev/ip': own };
      if (b.uidOf(step.pod) !== undefined) b.removePod(step.pod);
      else b.addPod(step.pod, nodes[step.node], isPlain ? {} : annotations, isRange ? { app: 'jobs' } : {});
      return;
    }
    case 'node': {
      const node = nodes[step.node];
      const agent = b.agents.get(node);
      if (gone(b).has(node)) return;
      if (agent?.dead === true) live(b, node);
      else if (agent !== undefined) {
        agent.dead = true;
        b.ready(node, false);
      }
      return;
    }
    case 'leader':
      return b.lead();
    case 'paused':
      return b.pauseAndLead();
    case 'awake':
      return b.wakeUp();
    case 'vanish': {
      const node = nodes[step.node];
      if (gone(b).has(node)) live(b, node);
      else b.removeNode(node, step.instance);
      return;
    }
    case 'cloud':
      faults.cloud =
        step.fault === 'full' ? failure('cloudSubnetFull', { subnet: 'subnet-a', wanted: 'some', text: 'full for now' }) : step.fault;
      return;
    case 'kube':
      faults.kube = step.fault;
      return;
    case 'late':
      if (b.kube.late) b.kube.catchUp();
      else b.kube.late = true;
      return;
    case 'stale':
      b.cloud.stale_ms = b.cloud.stale_ms === 0 ? 3000 : 0;
      return;
    case 'pass':
      return;
    default:
      return step satisfies never;
  }
}

/** Nodes that were deleted. */
function gone(b: ClusterBench): ReadonlySet<string> {
  return new Set(nodes.filter((name) => b.kube.stored({ ...resources.nodes, name }) === undefined));
}

function live(b: ClusterBench, node: string): void {
  if (gone(b).has(node)) b.returnNode(node);
  b.ready(node, true);
  b.agents.get(node)?.revive();
}

function claims(b: ClusterBench) {
  return ['jobs', ...fixedPods, ...valueNames].flatMap((name) => {
    const claim = b.claim(name);
    return claim === undefined ? [] : [{ name, addresses: claim.status.addresses }];
  });
}

/** At every moment. */
function check(b: ClusterBench): void {
  const truth = b.cloud.truth();
  const blocks = truth.flatMap((nic) => nic.blocks);
  assert.equal(new Set(blocks).size, blocks.length, 'an address is on two NICs');
  const owned = claims(b).flatMap(({ addresses }) => addresses.map(({ address }) => address));
  assert.equal(new Set(owned).size, owned.length, 'two claims have one address');
  const holders = new Map<Ip, string>();
  for (const [node, { attached }] of b.agents) {
    for (const [uid, { pod, addresses }] of attached) {
      if (b.uidOf(pod) !== uid) continue;
      for (const address of addresses) {
        assert.equal(holders.get(address), undefined, `${address} is used by ${pod} and ${holders.get(address)}`);
        holders.set(address, pod);
        assert.ok(carries(truth, b.instanceOf(node), address), `${address} was taken away from ${pod} on ${node}`);
      }
    }
  }
}

/** In the end: who asks is served, but for those a full range has no room for, who are told so; and nothing is kept that nobody has. */
function atRest(b: ClusterBench, families: number): void {
  for (const pod of [...fixedPods, ...plainPods]) {
    if (b.uidOf(pod) === undefined || b.addressOf(pod) !== undefined) continue;
    // While it was on no node the cloud has made it an interface's own.
    const isLost = b.cloud.truth().some(({ primary4 }) => b.claim(pod)?.status.addresses.some(({ address }) => address === primary4));
    assert.ok(isLost, `${pod} has no address: ${b.problemOf(pod)}`);
    assert.match(b.problemOf(pod) ?? '', /^no Pod can have .* primary address/);
  }
  for (const pod of valueNames) {
    if (b.uidOf(pod) === undefined || b.addressOf(pod) !== undefined) continue;
    // Another claim has it, an ordinary Pod has it or shares a prefix with it, or it is the own address of an interface.
    const why = b.problemOf(pod) ?? '';
    assert.match(
      why,
      /^(no Pod can have .* primary address|[\da-f.:]+ (belongs to IPClaim|is used by Pod shop\/p-|lies in .*, which node))/,
    );
    const isOrdinary = /is used|lies in/.test(why);
    const isInTheWay = plainPods.some((plain) => b.addressOf(plain) !== undefined);
    assert.ok(!isOrdinary || isInTheWay, `nobody is in the way of ${pod}`);
  }
  for (const name of ['jobs', ...fixedPods])
    assert.ok((b.claim(name)?.status.addresses.length ?? 0) <= families * (name === 'jobs' ? 2 : 1), `${name} has too much`);
  const jobs = rangePods.filter((pod) => b.uidOf(pod) !== undefined);
  const served = jobs.filter((pod) => b.addressOf(pod) !== undefined);
  assert.equal(served.length, Math.min(jobs.length, 2), jobs.map((pod) => `${pod}: ${b.problemOf(pod)}`).join('; '));
  for (const pod of jobs)
    if (!served.includes(pod)) assert.match(b.problemOf(pod) ?? '', /^all 2 addresses of IPClaim shop\/jobs have Pods/);
  for (const node of nodes) {
    for (const { claimed = [], reclaiming } of b.status(node).nics) {
      const owned = claims(b).flatMap(({ addresses }) =>
        addresses.filter((held) => held.node === node).map(({ address }) => hostCidr(address)),
      );
      assert.deepEqual(
        claimed.filter((block) => !owned.includes(block)),
        [],
        `${node} keeps what no claim has there`,
      );
      assert.deepEqual(
        reclaiming.filter((block) => claimed.includes(block)),
        [],
        `${node} is asked for what it is to keep`,
      );
    }
  }
}
