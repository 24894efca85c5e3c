/**
 * Tells the scheduler how many Pods with addresses each node may have: the extended resource flatpod.dev/addresses, of which an admission policy has each
 * such Pod ask for one (docs/adr/0013). So a Pod that can get no address is not placed, and its event says `Insufficient flatpod.dev/addresses`.
 *
 * Invariants
 * - the numbers of all nodes together are never more than there are addresses (shares.ts), so no order in which Pods come overbooks a subnet
 * - no node holds more than its share: another one's may be promised already
 * - a number is never lowered below the Pods that are on the node: a kubelet that restarts would throw them out
 * - while there is plenty, nothing is written and no Pod is looked at; where there is not, all Pods are counted when a node's number is to sink, else
 *   every ten minutes: there may be hundreds of thousands
 */
import type { Clock } from '../../cloud/clock.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { type ObjectCache, watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import { ADDRESSES, type ClusterNode, readScheduling } from '../../store/kubernetes/core-objects.ts';
import type { ClusterSubnets } from '../../store/kubernetes/cluster-subnets.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';
import { sizeOfBlocks } from '../../store/within.ts';
import { cloudSubnetsOf } from '../cloud-subnets.ts';
import type { Facts, ReadFacts } from '../facts.ts';
import type { Plan } from '../plan.ts';
import type { Situation } from '../situation.ts';
import { limitsOf, type NodeLimit } from './node-limits.ts';
import { seldom } from './seldom.ts';
import { type Sharer, type Shares, sharesOf } from './shares.ts';

/** With what to work. */
export interface CapacityOptions {
  readonly api: KubeApi;
  readonly subnets: ClusterSubnets;
  /** Never from memory: what is free must have been read after what is held was seen. */
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
/** Between two moves from node to node for the same Pods; longer when it takes long to count all Pods. */
const WANTING_EVERY_ms = 5000;
const PAUSE_PER_COUNT = 10;
/** For so long a count of all Pods will do while no node's number sinks. */
const COUNTED_ms = 600_000;
/** Nodes that are told at a time. */
const AT_ONCE = 8;

/** Pods on one node. */
interface Placed {
  /** That asked for an address. */
  readonly asking: number;
  /** That have one without having asked: older than the policy. */
  readonly others: number;
}

const none: Placed = { asking: 0, others: 0 };

/** All of them, by node. */
interface Counted {
  readonly of: ReadonlyMap<string, Placed>;
  readonly at_ms: number;
  readonly took_ms: number;
}

/** For one PodSubnet. */
type Decided = Shares & { readonly subnet: string };

/** Starts telling; until it is stopped. */
export function capacity(options: CapacityOptions): Capacity {
  return new Telling(options);
}

class Telling implements Capacity {
  readonly #options: CapacityOptions;
  readonly #limits = new Map<string, Map<string, NodeLimit>>();
  readonly #shares = new Map<string, Map<string, number>>();
  /** What there was of each PodSubnet by the last look. */
  readonly #lastSeen = new Map<string, number>();
  readonly #timers = new Set<() => void>();
  readonly #work: ReturnType<typeof seldom>;
  readonly #unplaced: ObjectCache<ReturnType<typeof readScheduling>>;
  #pledges: { readonly subnet: string; readonly amount: number; readonly until_ms: number }[] = [];
  #cancelAll = (): void => undefined;
  #counted: Counted | undefined;

  constructor(options: CapacityOptions) {
    const { api, clock, log } = options;
    this.#options = options;
    const what = 'the scheduler was not told of addresses';
    this.#work = seldom({ clock, log, every_ms: EVERY_ms, first_ms: FIRST_ms, what }, async () => {
      await this.#shareAll();
      return [];
    });
    this.#unplaced = watchObjects(
      api,
      { at: resources.pods, fieldSelector: 'spec.nodeName=', parse: readScheduling },
      { log, changed: (change) => void (change.kind === 'set' && change.object.lacksAddress && this.#work.ask('all')) },
    );
    this.#lookAtAll();
  }

  observe(situation: Situation, plan: Plan): void {
    const { node } = situation;
    const [before, after] = [this.#limits.get(node), limitsOf(situation, plan)];
    this.#limits.set(node, after);
    if (!isSame(before, after)) this.#work.ask('all');
  }

  share(node: string, subnet: string): number | undefined {
    return this.#shares.get(node)?.get(subnet);
  }

  async stop(): Promise<void> {
    this.#cancelAll();
    for (const cancel of this.#timers) cancel();
    this.#unplaced.stop();
    await this.#work.stop();
  }

  #lookAtAll(): void {
    this.#work.ask('all');
    this.#cancelAll = this.#options.clock.after(ALL_EVERY_ms, () => this.#lookAtAll());
  }

  #later(delay_ms: number): void {
    const cancel = this.#options.clock.after(delay_ms, () => {
      this.#timers.delete(cancel);
      this.#work.ask('all');
    });
    this.#timers.add(cancel);
  }

  async #shareAll(): Promise<void> {
    const { clock, subnets } = this.#options;
    const began_ms = clock.now_ms();
    const nodes = this.#options.nodes();
    this.#forgetAllBut(new Set(nodes.map(({ name }) => name)));
    const held = new Map([...this.#limits].map(([node, of]) => [node, new Map([...of].map(([subnet, one]) => [subnet, one.held]))]));
    const all = subnets.list().map(({ subnet }) => subnet);
    // What is held was taken down before this is read: what is assigned meanwhile counts on neither side.
    const facts = await this.#options.facts(all);
    const totals = new Map(
      all.map((subnet) => [subnet.metadata.name, this.#believed(subnet.metadata.name, this.#totalOf(subnet, facts, held))]),
    );
    const isWanting = this.#unplaced.list().some(({ lacksAddress }) => lacksAddress);
    this.#pledges = this.#pledges.filter(({ until_ms }) => until_ms > clock.now_ms());
    const isTight = [...totals].some(([name, total]) => total < this.#limitOf(name));
    const decide = (placed: Counted['of'] | undefined): Decided[] =>
      [...totals].map(([name, total]) => this.#decide(name, total, nodes.length, isWanting, placed));
    let counted = isTight ? await this.#countPods(isWanting ? 0 : COUNTED_ms) : undefined;
    let decided = decide(counted?.of);
    if (counted !== undefined && counted.at_ms < began_ms && decided.some((one) => this.#sinks(one))) {
      counted = await this.#countPods(0);
      decided = decide(counted.of);
    }
    for (const one of decided) this.#share(one);
    if (isWanting && counted !== undefined) this.#later(Math.max(WANTING_EVERY_ms, PAUSE_PER_COUNT * counted.took_ms));
    const placed = counted?.of;
    const left = [...nodes];
    const tell = async (): Promise<void> => {
      for (let node = left.pop(); node !== undefined; node = left.pop()) await this.#tell(node, placed?.get(node.name) ?? none);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, tell));
  }

  #decide(subnet: string, total: number, nodes: number, isWanting: boolean, placed: Counted['of'] | undefined): Decided {
    const sharers = [...this.#limits].flatMap(([node, of]): Sharer[] => {
      const one = of.get(subnet);
      if (one === undefined) return [];
      const { asking, others } = placed?.get(node) ?? none;
      // Which subnet a Pod uses the agent knows; its number may be a while old.
      const used = of.size === 1 && placed !== undefined ? asking + others : one.used;
      return [{ node, held: one.held, used, limit: one.limit, share: this.share(node, subnet) }];
    });
    const pledged = this.#pledges.reduce((all, one) => all + (one.subnet === subnet ? one.amount : 0), 0);
    // Those that were not looked at yet are to find as much as the others.
    const free = total - pledged - sharers.reduce((all, { held, used, share = 0 }) => all + Math.max(held, used, share), 0);
    const unseen = Math.max(0, nodes - this.#limits.size);
    const kept = Math.floor((Math.max(0, free) * unseen) / Math.max(1, nodes));
    return { subnet, ...sharesOf(sharers, { total: Math.max(0, total), pledged: pledged + kept, isWanting }) };
  }

  #sinks({ subnet, shares }: Decided): boolean {
    return [...shares].some(([node, now]) => now < (this.share(node, subnet) ?? 0));
  }

  #share({ subnet, shares, taken }: Decided): void {
    for (const [node, now] of shares) {
      const of = this.#shares.get(node) ?? new Map<string, number>();
      this.#shares.set(node, of);
      if ((of.get(subnet) ?? 0) < now) this.#options.wake(node);
      of.set(subnet, now);
    }
    if (taken === 0) return;
    this.#pledges.push({ subnet, amount: taken, until_ms: this.#options.clock.now_ms() + PLEDGE_ms });
    this.#later(PLEDGE_ms + 1);
  }

  /** That there is more than before is believed when a second look says so: what a cloud says is free may lag behind what it has assigned. */
  #believed(subnet: string, seen: number): number {
    const before = this.#lastSeen.get(subnet) ?? seen;
    this.#lastSeen.set(subnet, seen);
    if (seen > before) this.#later(EVERY_ms);
    return Math.min(before, seen);
  }

  /** Addresses of the subnet that Pods can have, on all nodes together. */
  #totalOf(subnet: PodSubnet, facts: Facts, held: ReadonlyMap<string, ReadonlyMap<string, number>>): number {
    const { spec } = subnet;
    const { name } = subnet.metadata;
    if (!spec.families.includes(4)) return Number.MAX_SAFE_INTEGER;
    const free = Math.floor(cloudSubnetsOf(subnet, facts).reduce((sum, { free4 }) => sum + free4, 0) / this.#sharing(spec));
    const size = spec.unit === 'prefix' ? 16 : 1;
    let all = 0;
    for (const of of held.values()) all += of.get(name) ?? 0;
    // A subnet's last addresses may have to go to further interfaces themselves.
    let forNics = 0;
    for (const of of this.#limits.values()) {
      const one = of.get(name);
      if (one !== undefined) forNics += Math.ceil(Math.max(0, Math.min(one.limit, one.held + free) - one.held - one.room) / one.perNic);
    }
    const there = all + Math.floor(Math.max(0, free - forNics) / size) * size;
    return Math.min(there, spec.perCluster.maximum ?? there, sizeOfBlocks(spec) ?? there);
  }

  /** PodSubnets that may give the same addresses: what is free is promised to Pods of one of them. */
  #sharing({ range }: PodSubnet['spec']): number {
    if (range?.shared !== true) return 1;
    return this.#options.subnets.list().filter(({ subnet: { spec } }) => spec.range?.shared === true).length;
  }

  /** What the nodes could hold of it, if there were enough for all. */
  #limitOf(subnet: string): number {
    let all = 0;
    for (const of of this.#limits.values()) all += of.get(subnet)?.limit ?? 0;
    return all;
  }

  /** Not counted longer ago than that. */
  async #countPods(age_ms: number): Promise<Counted> {
    const { api, clock } = this.#options;
    const at_ms = clock.now_ms();
    if (this.#counted !== undefined && at_ms - this.#counted.at_ms < age_ms) return this.#counted;
    const { items } = await api.list(resources.pods, readScheduling, { fieldSelector: 'spec.nodeName!=' });
    const of = new Map<string, Placed>();
    for (const { node, asks, needsAddress } of items) {
      if (!needsAddress || node === undefined) continue;
      const { asking, others } = of.get(node) ?? none;
      of.set(node, asks ? { asking: asking + 1, others } : { asking, others: others + 1 });
    }
    this.#counted = { of, at_ms, took_ms: clock.now_ms() - at_ms };
    return this.#counted;
  }

  async #tell({ name, addresses }: ClusterNode, { asking, others }: Placed): Promise<void> {
    const { api, log } = this.#options;
    const of = this.#shares.get(name);
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
      this.#later(WANTING_EVERY_ms);
    }
  }

  #forgetAllBut(names: ReadonlySet<string>): void {
    for (const known of [this.#limits, this.#shares]) for (const node of known.keys()) if (!names.has(node)) known.delete(node);
  }
}

/** What is held changes often, and changes nothing about what there is. */
function isSame(before: ReadonlyMap<string, NodeLimit> | undefined, after: ReadonlyMap<string, NodeLimit>): boolean {
  return before?.size === after.size && [...after].every(([name, { limit }]) => before.get(name)?.limit === limit);
}
