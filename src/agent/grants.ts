/**
 * The agent's side of NodeNetwork: what the controller granted is set up in the kernel and handed to the pools; what the pools need is told to the controller.
 *
 * Invariants
 * - a NIC is set up before the pools lease from it, and pools stop leasing from it when it is unplugged
 * - the last known status is enough: without store or controller the node goes on serving from it
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { NamedNic } from '../datapath/host-table.ts';
import { nodePlan, type PodTables } from '../datapath/node.ts';
import type { LinkKind } from '../kernel/link-kinds.ts';
import { viaNode } from './via-node.ts';
import { sayInstead } from './way.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { KernelEvent } from '../kernel/monitor.ts';
import type { Plan } from '../kernel/state.ts';
import type { Log } from '../log.ts';
import type { NodeConfig } from '../store/node-config.ts';
import type { Ip } from '../net/address.ts';
import type { Cidr } from '../net/cidr.ts';
import type {
  ClaimAsked,
  Demand,
  NodeNetwork,
  NodeNetworkSpec,
  NodeNetworkStatus,
  NodeNetworks,
  NodeSubnet,
} from '../store/node-network.ts';
import { subnetsOf } from '../store/nic-shares.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { claimedReturned, withLetGo } from './claims.ts';
import { formerSubnets } from './former-subnets.ts';
import { isOfNic, pluggedIn } from './nic-match.ts';
import { now_ms, type Pools } from './pools.ts';
import { replacePlan } from './replace-plan.ts';
import { isNotUrgent, specOf } from './spec-written.ts';

/** Gathers what a burst of ADDs changes into one write; an ADD that waits makes it shorter. */
const GATHER_ms = 250;
const GATHER_URGENT_ms = 5;
/** Demand is written again so often even when nothing changed: cooling ends without an event. */
const REFRESH_ms = 5000;
/** In a cluster, numbers that call for nothing are written so seldom. */
const WRITTEN_ANYWAY_ms = 30_000;
/** A NIC that is renamed while it is up makes no event that we hear. */
const LOOK_AT_NICS_ms = 60_000;

/** What grants need around them. */
export interface GrantsOptions {
  readonly name: string;
  readonly config: NodeConfig['spec'];
  /** The PodSubnets of the configuration; in a cluster the controller says which there are. */
  readonly subnets: readonly PodSubnet[];
  /** Names of the PodSubnets that attachments have addresses of, and those addresses. */
  readonly inUse: () => readonly string[];
  readonly leased: () => readonly Ip[];
  readonly store: NodeNetworks;
  readonly kernel: Kernel;
  readonly pools: Pools;
  readonly log: Log;
  /** Absent outside of a cluster. */
  readonly pods?: ExpectedOfPods;
  /** Tables of Pods that are there already. */
  readonly podTables: PodTables;
  /** Whether this kernel has that kind of link. */
  readonly hasKind: (kind: LinkKind) => boolean;
  /** NICs that Pods have for themselves at this moment, by id, with their names at home. */
  readonly away: () => ReadonlyMap<string, string>;
}

/** What the node's Pods need, of these subnets. */
export interface ExpectedOfPods {
  /** Pods without an address that the scheduler has placed here, by subnet. */
  expected(subnets: readonly PodSubnet[]): ReadonlyMap<string, number>;
  /** Pods that ask for addresses of their own. */
  claims(subnets: readonly PodSubnet[]): readonly ClaimAsked[];
}

/** See the head of this file. */
export class Grants {
  /** NICs that are plugged in and set up. */
  nics: readonly NamedNic[] = [];
  /** The PodSubnets whose addresses the node may use. */
  subnets: readonly PodSubnet[];
  /** The controller's last word, less what it takes back of what was given back; undefined until there was one. */
  status: NodeNetworkStatus | undefined;
  /** What the kernel should hold for the node itself. */
  plan: Plan = [];
  /** What Pods with a service veth reach through the node. */
  viaNode: readonly Cidr[] = [];
  /** Set while the node asks for nothing and gives everything back: one word per leaving, which the controller repeats. */
  draining: string | undefined;
  readonly #options: GrantsOptions;
  readonly #ends: (() => void)[] = [];
  /** The controller's very last word. */
  #said: NodeNetworkStatus | undefined;
  /** Addresses of claims that were said to be returned. */
  #letGo: ReadonlySet<Cidr> = new Set();
  /** What was logged of subnets that this kernel cannot serve as they ask, by name. */
  #saidUnserved: ReadonlyMap<string, string | undefined> = new Map();
  /** Why the last write failed, as it was logged. */
  #saidUnwritten = '';
  /** The spec as it was last written, and when. */
  #written: NodeNetworkSpec | undefined;
  #written_ms = 0;
  /** Ends with the last write that has begun; whether one is to follow it. */
  #writing: Promise<void> = Promise.resolve();
  #isNext = false;
  #timer: NodeJS.Timeout | undefined;
  #due_ms = Number.POSITIVE_INFINITY;

  constructor(options: GrantsOptions) {
    this.#options = options;
    this.subnets = options.subnets;
  }

  /** Starts following; the status known by then is in effect when this resolves. */
  async follow(): Promise<void> {
    const { store, kernel, name } = this.#options;
    this.#ends.push(
      store.watch((node) => this.#guarded(() => this.#take(node))),
      kernel.watch((event) => this.#linkChanged(event)),
    );
    const refresh = setInterval(() => this.demandChanged(false), REFRESH_ms);
    const look = setInterval(() => this.#guarded(() => this.#setUp()), LOOK_AT_NICS_ms);
    this.#ends.push(() => [refresh, look].forEach(clearInterval));
    const known = await store.get(name);
    this.#letGo = new Set(
      (known?.status.nics ?? []).flatMap(({ claimed = [] }) => claimed.filter((block) => known?.spec.returned.includes(block))),
    );
    this.#chooseSubnets(known?.status);
    if (known !== undefined) this.#guarded(() => this.#take(known));
    this.demandChanged(true);
  }

  /** The numbers have changed: the controller hears of it soon, sooner when urgent. */
  demandChanged(urgent: boolean): void {
    const wait = urgent ? GATHER_URGENT_ms : GATHER_ms;
    const due = performance.now() + wait;
    if (due >= this.#due_ms) return;
    clearTimeout(this.#timer);
    this.#due_ms = due;
    this.#timer = setTimeout(() => {
      this.#due_ms = Number.POSITIVE_INFINITY;
      this.#writeInTurn();
    }, wait);
  }

  /** Begins or ends to give everything back. */
  drain(begin: boolean): void {
    this.draining = begin ? randomUUID() : undefined;
    this.demandChanged(true);
  }

  /** Stops following for good. Returns what the kernel holds for the node; from now on it should hold nothing. */
  leave(): Plan {
    this.stop();
    const { plan } = this;
    this.plan = [];
    return plan;
  }

  /** Stops following. */
  stop(): void {
    for (const end of this.#ends.splice(0)) end();
    clearTimeout(this.#timer);
    this.#due_ms = Number.NEGATIVE_INFINITY;
  }

  #take(node: NodeNetwork): void {
    if (node.name !== this.#options.name || isDeepStrictEqual(node.status, this.#said)) return;
    this.#said = node.status;
    this.#chooseSubnets(node.status);
    this.status = withLetGo(node.status, this.#letGo);
    this.#setUp();
  }

  /** Pools for what may be used, and for what is still held or used of others. */
  #chooseSubnets(status: NodeNetworkStatus | undefined): void {
    const { pools, inUse } = this.#options;
    if (status?.subnets !== undefined) this.subnets = status.subnets.map(asPodSubnet);
    this.#sayUnserved();
    pools.configure([...this.subnets, ...formerSubnets(this.subnets, [...inUse(), ...(status?.nics ?? []).flatMap(subnetsOf)])]);
  }

  /** Before a Pod meets it, and once for each subnet. */
  #sayUnserved(): void {
    const { log, hasKind } = this.#options;
    const said = new Map(this.subnets.map((subnet) => [subnet.metadata.name, sayInstead(subnet, hasKind)]));
    for (const [name, text] of said) if (text !== undefined && text !== this.#saidUnserved.get(name)) log.warn(text, { subnet: name });
    this.#saidUnserved = said;
  }

  #setUp(): void {
    if (this.status === undefined) return;
    const { kernel, config, log, pools, podTables, away } = this.#options;
    const nics = pluggedIn(kernel, this.status.nics, away(), this.nics);
    const plan = nodePlan(config, nics, this.status.vpcCidrs, podTables);
    if (JSON.stringify(plan) !== JSON.stringify(this.plan)) replacePlan(kernel, log, this.plan, plan);
    this.nics = nics;
    this.plan = plan;
    this.viaNode = viaNode(kernel.addresses(), config, this.status.settings);
    const overlapping = pools.grant(this.status, new Set(nics.map(({ nic }) => nic.id)));
    if (overlapping.length > 0) log.error(`granted blocks overlap and are not used: ${overlapping.join(', ')}`);
    this.demandChanged(false);
  }

  #linkChanged(event: KernelEvent): void {
    if ((event.kind !== 'link' && event.kind !== 'link-gone') || !isOfNic(event.link, this.status?.nics ?? [], this.nics)) return;
    if (event.kind === 'link-gone') this.#options.log.warn(`NIC ${event.link.name} (${event.link.mac ?? ''}) was unplugged`);
    this.#guarded(() => this.#setUp());
  }

  /** After the one under way: two at a time could end in the wrong order, and the second cannot know yet that it may wait. */
  #writeInTurn(): void {
    if (this.#isNext) return;
    this.#isNext = true;
    this.#writing = this.#writing
      .then(() => {
        this.#isNext = false;
        return this.#write();
      })
      .then(
        () => void (this.#saidUnwritten = ''),
        (error: unknown) => this.#sayUnwritten(sentence(asFailure(error))),
      );
  }

  async #write(): Promise<void> {
    const { config, pools, store, name } = this.#options;
    const plugged = new Set(this.nics.map(({ nic }) => nic.id));
    const unplugged = (this.status?.nics ?? []).map(({ id }) => id).filter((id) => !plugged.has(id));
    const claimed = claimedReturned(this.status, new Set(this.#options.leased()));
    this.#letGo = new Set(claimed);
    const returned = [...new Set([...pools.giveBack(), ...claimed])];
    const claims = this.#options.pods?.claims(this.subnets) ?? [];
    const spec = specOf(config, this.#demand(), returned, { unplugged, claims, draining: this.draining });
    if (isDeepStrictEqual(spec, this.#written) || this.#mayWait(spec)) return;
    await store.writeSpec(name, spec);
    this.#written = spec;
    this.#written_ms = performance.now();
  }

  #demand(): Demand[] {
    const expected = this.#options.pods?.expected(this.subnets);
    return this.#options.pools.demand().map((one) => ({ ...one, waiting: Math.max(one.waiting, expected?.get(one.subnet) ?? 0) }));
  }

  /** In a cluster each write costs the API server: numbers that call for nothing yet may be a while old. */
  #mayWait(spec: NodeNetworkSpec): boolean {
    const before = this.#written;
    if (this.#options.pods === undefined || before === undefined || performance.now() - this.#written_ms > WRITTEN_ANYWAY_ms) return false;
    return isNotUrgent(before, spec, (one) => {
      const spare = this.subnets.find(({ metadata }) => metadata.name === one.subnet)?.spec.warm.spare ?? 0;
      return { spare, free: this.#options.pools.pool(one.subnet)?.counts(now_ms()).free ?? 0 };
    });
  }

  /** It is tried again every few seconds; the log has each reason once. */
  #sayUnwritten(why: string): void {
    if (why !== this.#saidUnwritten) this.#options.log.warn(`demand was not written: ${why}`);
    this.#saidUnwritten = why;
  }

  #guarded(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.#options.log.error(`setting up NICs failed: ${sentence(asFailure(error))}`);
    }
  }
}

function asPodSubnet({ name, spec }: NodeSubnet): PodSubnet {
  return { apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec };
}
