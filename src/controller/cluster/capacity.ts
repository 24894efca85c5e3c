/**
 * Tells the scheduler how many Pods with addresses each node may have: the extended resource flatpod.dev/addresses, of which an admission policy has each
 * such Pod ask for one (docs/adr/0013). So a Pod that can get no address is not placed, and its event says `Insufficient flatpod.dev/addresses`.
 *
 * Invariants
 * - the numbers of all nodes together are never more than there are addresses (shares.ts), so no order in which Pods come overbooks a subnet
 * - no node holds more than its share: another one's may be promised already
 * - a number is never lowered below the Pods that are on the node: a kubelet that restarts would throw them out
 * - while there is plenty, nothing is written and no Pod is looked at
 */
import type { Clock } from '../../cloud/clock.ts';
import type { SubnetId } from '../../cloud/cloud.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import { ADDRESSES, type ClusterNode, readScheduling } from '../../store/kubernetes/core-objects.ts';
import type { ClusterSubnets } from '../../store/kubernetes/cluster-subnets.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import type { Facts, ReadFacts } from '../facts.ts';
import type { Plan } from '../plan.ts';
import type { Situation } from '../situation.ts';
import { limitsOf, type NodeLimit } from './node-limits.ts';
import { seldom } from './seldom.ts';
import { type Sharer, sharesOf } from './shares.ts';

/** With what to work. */
export interface CapacityOptions {
  readonly api: KubeApi;
  readonly subnets: ClusterSubnets;
  readonly facts: ReadFacts;
  readonly nodes: () => readonly ClusterNode[];
  /** Has that node passed over: its share is larger now. */
  readonly wake: (node: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** See the head of this file. */
export interface Capacity {
  /** What a pass over a node has seen. */
  observe(situation: Situation, plan: Plan): void;
  /** What the node may hold of the PodSubnet; undefined: that is not decided yet. */
  share(node: string, subnet: string): number | undefined;
  stop(): Promise<void>;
}

const FIRST_ms = 300;
const EVERY_ms = 2000;
const ALL_EVERY_ms = 30_000;
/** For so long the scheduler may not have heard that a node's number was lowered. */
const PLEDGE_ms = 3000;
/** Between two moves from node to node for the same Pods. */
const WANTING_EVERY_ms = 5000;

/** Pods on one node. */
interface Placed {
  /** That asked for an address. */
  readonly asking: number;
  /** That have one without having asked: older than the policy. */
  readonly others: number;
}

const none: Placed = { asking: 0, others: 0 };

/** Starts telling. */
export function capacity(options: CapacityOptions): Capacity {
  const { api, clock, log, wake } = options;
  const limits = new Map<string, Map<string, NodeLimit>>();
  const shares = new Map<string, Map<string, number>>();
  let pledges: { readonly subnet: string; readonly amount: number; readonly until_ms: number }[] = [];
  const timers = new Set<() => void>();
  const work = seldom({ clock, log, every_ms: EVERY_ms, first_ms: FIRST_ms, what: 'the scheduler was not told of addresses' }, async () => {
    await share();
    return [];
  });
  const later = (delay_ms: number): void => {
    const cancel = clock.after(delay_ms, () => {
      timers.delete(cancel);
      work.ask('all');
    });
    timers.add(cancel);
  };
  const unplaced = watchObjects(
    api,
    { at: resources.pods, fieldSelector: 'spec.nodeName=', parse: readScheduling },
    { log, changed: (change) => void (change.kind === 'set' && change.object.lacksAddress && work.ask('all')) },
  );
  let cancelAll = (): void => undefined;
  const lookAtAll = (): void => {
    work.ask('all');
    cancelAll = clock.after(ALL_EVERY_ms, lookAtAll);
  };
  lookAtAll();

  async function share(): Promise<void> {
    const nodes = options.nodes();
    forgetAllBut(new Set(nodes.map(({ name }) => name)));
    const held = new Map([...limits].map(([node, of]) => [node, new Map([...of].map(([subnet, one]) => [subnet, one.held]))]));
    const all = options.subnets.list().map(({ subnet }) => subnet);
    // What is held was taken down before this is read: what is assigned meanwhile counts on neither side.
    const facts = await options.facts(new Set(all.map(({ spec }) => spec.cloudSubnet as SubnetId)));
    const totals = new Map(all.map((subnet) => [subnet.metadata.name, totalOf(subnet, facts, held)]));
    const isTight = [...totals].some(([name, total]) => total < sum(name, 'limit'));
    const placed = isTight ? await placedPods() : undefined;
    const isWanting = unplaced.list().some(({ lacksAddress }) => lacksAddress);
    pledges = pledges.filter(({ until_ms }) => until_ms > clock.now_ms());
    for (const [name, total] of totals) shareOne(name, total, isWanting, placed);
    if (isWanting && isTight) later(WANTING_EVERY_ms);
    for (const node of nodes) await tell(node, placed?.get(node.name) ?? none);
  }
  function shareOne(subnet: string, total: number, isWanting: boolean, placed: ReadonlyMap<string, Placed> | undefined): void {
    const sharers = [...limits].flatMap(([node, of]): Sharer[] => {
      const one = of.get(subnet);
      if (one === undefined) return [];
      const { asking, others } = placed?.get(node) ?? none;
      // Which subnet a Pod uses the agent knows; its number may be a while old.
      const used = of.size === 1 && placed !== undefined ? asking + others : one.used;
      return [{ node, held: one.held, used, limit: one.limit, share: shares.get(node)?.get(subnet) }];
    });
    const pledged = pledges.reduce((all, one) => all + (one.subnet === subnet ? one.amount : 0), 0);
    const decided = sharesOf(sharers, { total: Math.max(0, total), pledged, isWanting });
    for (const [node, now] of decided.shares) {
      const of = shares.get(node) ?? new Map<string, number>();
      shares.set(node, of);
      if ((of.get(subnet) ?? 0) < now) wake(node);
      of.set(subnet, now);
    }
    if (decided.taken === 0) return;
    pledges.push({ subnet, amount: decided.taken, until_ms: clock.now_ms() + PLEDGE_ms });
    later(PLEDGE_ms + 1);
  }
  function totalOf(
    { metadata: { name }, spec }: ReturnType<ClusterSubnets['list']>[number]['subnet'],
    facts: Facts,
    held: ReadonlyMap<string, ReadonlyMap<string, number>>,
  ): number {
    if (!spec.families.includes(4)) return Number.MAX_SAFE_INTEGER;
    const free = facts.subnets.get(spec.cloudSubnet as SubnetId)?.free4 ?? 0;
    const size = spec.unit === 'prefix' ? 16 : 1;
    let all = 0;
    for (const of of held.values()) all += of.get(name) ?? 0;
    // A subnet's last addresses may have to go to further interfaces themselves.
    let forNics = 0;
    for (const of of limits.values()) {
      const one = of.get(name);
      if (one !== undefined) forNics += Math.ceil(Math.max(0, Math.min(one.limit, one.held + free) - one.held - one.room) / one.perNic);
    }
    const there = all + Math.floor(Math.max(0, free - forNics) / size) * size;
    return Math.min(there, spec.perCluster.maximum ?? there);
  }
  function sum(subnet: string, field: 'limit'): number {
    let all = 0;
    for (const of of limits.values()) all += of.get(subnet)?.[field] ?? 0;
    return all;
  }
  async function placedPods(): Promise<Map<string, Placed>> {
    const { items } = await api.list(resources.pods, readScheduling, { fieldSelector: 'spec.nodeName!=' });
    const placed = new Map<string, Placed>();
    for (const { node, asks, hasAddress } of items) {
      if (!hasAddress || node === undefined) continue;
      const { asking, others } = placed.get(node) ?? { asking: 0, others: 0 };
      placed.set(node, asks ? { asking: asking + 1, others } : { asking, others: others + 1 });
    }
    return placed;
  }
  async function tell({ name, addresses }: ClusterNode, { asking, others }: Placed): Promise<void> {
    const of = shares.get(name);
    if (of === undefined) return;
    const all = of.values().reduce((total, one) => total + one, 0);
    const number = Math.max(all - others, asking);
    if (number === addresses) return;
    const told = { [ADDRESSES]: String(number) };
    const body = { status: { capacity: told, allocatable: told } };
    try {
      await api.patch({ ...resources.nodes, name, subresource: 'status' }, { kind: 'merge', body }, () => undefined);
      log.info(`node ${name} may have ${number} Pods with addresses`, { node: name });
    } catch (error) {
      log.warn(`the scheduler was not told that node ${name} may have ${number}: ${sentence(asFailure(error))}`, { node: name });
      later(WANTING_EVERY_ms);
    }
  }
  function forgetAllBut(names: ReadonlySet<string>): void {
    for (const known of [limits, shares]) for (const node of known.keys()) if (!names.has(node)) known.delete(node);
  }
  return {
    observe(situation, plan) {
      const { node } = situation;
      const [before, after] = [limits.get(node), limitsOf(situation, plan)];
      limits.set(node, after);
      if (!isSame(before, after)) work.ask('all');
    },
    share: (node, subnet) => shares.get(node)?.get(subnet),
    async stop() {
      cancelAll();
      for (const cancel of timers) cancel();
      unplaced.stop();
      await work.stop();
    },
  };
}

/** What is held changes often, and changes nothing about what there is. */
function isSame(before: ReadonlyMap<string, NodeLimit> | undefined, after: ReadonlyMap<string, NodeLimit>): boolean {
  return before?.size === after.size && [...after].every(([name, { limit }]) => before.get(name)?.limit === limit);
}
