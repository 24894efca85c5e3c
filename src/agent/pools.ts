/**
 * The node's addresses: one pool for each PodSubnet, and the ADDs that wait for one.
 *
 * Invariants
 * - first come, first served within a subnet; nobody overtakes those who wait
 * - each wait ends: by a lease, or at its deadline with the reason in numbers
 * - only NICs that are plugged in and set up are leased from
 */
import { asFailure, type Failure, failure } from '../errors/failure.ts';
import { Pool, type PoolOptions, type Resting, type Taken } from '../ipam/pool.ts';
import type { Ip } from '../net/address.ts';
import { type Cidr, contains, firstOf } from '../net/cidr.ts';
import type { Demand, Growth, NodeNetworkStatus } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { excludedOf } from '../store/within.ts';
import { exhausted, refused } from './pool-errors.ts';
import { servedNics, withMissing } from './served-nics.ts';

/** ADDs that may wait for one subnet; a node has no more Pods than that. */
const WAITING_LIMIT = 1024;

/** Who asks for an address. */
export interface Wanting {
  /** For errors: `namespace/name`, or the container. */
  readonly pod: string;
  /** Addresses asked for by value; empty for any. */
  readonly requested: readonly Ip[];
}

interface Waiting extends Wanting {
  readonly settle: (result: Taken | Failure) => void;
}

interface SubnetPool {
  subnet: PodSubnet;
  pool: Pool;
  readonly waiting: Waiting[];
  timer: NodeJS.Timeout | undefined;
}

/** Milliseconds since the epoch that never jump: the wall clock at start plus what has passed since. */
export function now_ms(): number {
  return performance.timeOrigin + performance.now();
}

/** What a pool is made with, beside its PodSubnet. */
export interface PoolsOptions {
  /** Blocks this node gave back and that are granted still; see PoolOptions. */
  readonly returned?: readonly Cidr[];
  /** Addresses in use that no pool gave: of Pods without a record (orphans.ts), and of those that a former plugin made. */
  readonly orphans?: readonly Ip[];
  /** What the node's state says of a subnet: asked whenever its pool is made. */
  readonly known?: (subnet: string) => Known;
  /** Called synchronously whenever the numbers change; urgent when an ADD waits. */
  readonly demandChanged: (urgent: boolean) => void;
}

/** Addresses that are not free. */
export interface Known {
  readonly leased: readonly Ip[];
  readonly resting: readonly Resting[];
}

/** See the head of this file. */
export class Pools {
  readonly #pools = new Map<string, SubnetPool>();
  readonly #orphans: Set<Ip>;
  readonly #options: PoolsOptions;
  /** Given back before this agent began: until there are grants, every new pool is to keep to that. */
  #returned: readonly Cidr[];
  #growth: readonly Growth[] = [];
  /** Addresses that belong to claims: no pool knows of them. */
  #claimed: ReadonlySet<Ip> = new Set();

  constructor(subnets: readonly PodSubnet[], options: PoolsOptions) {
    this.#orphans = new Set(options.orphans);
    this.#options = options;
    this.#returned = options.returned ?? [];
    for (const subnet of subnets) this.#make(subnet, this.#returned);
  }

  /**
   * Makes the pools those of the subnets: new ones are made, changed ones made anew from what the node's state knows, others end with an error for
   * those who wait. Grants take effect with the next grant(). Call it on a turn of its own: what is leased must have been committed.
   */
  configure(subnets: readonly PodSubnet[]): void {
    const names = new Set(subnets.map(({ metadata }) => metadata.name));
    for (const [name, own] of this.#pools) {
      if (names.has(name)) continue;
      this.#pools.delete(name);
      clearTimeout(own.timer);
      const reason = `PodSubnet ${name} is no longer for this node`;
      for (const waiting of own.waiting.splice(0)) waiting.settle(failure('noSubnet', { pod: waiting.pod, reason }));
    }
    for (const subnet of subnets) {
      const own = this.#pools.get(subnet.metadata.name);
      if (own === undefined) this.#make(subnet, this.#returned);
      else if (JSON.stringify(poolPart(own.subnet)) === JSON.stringify(poolPart(subnet))) own.subnet = subnet;
      else Object.assign(own, { subnet, pool: this.#poolOf(subnet, own.pool.giveBack(now_ms())) });
    }
  }

  /** The pool of the subnet; undefined for a subnet that is no longer configured. */
  pool(subnet: string): Pool | undefined {
    return this.#pools.get(subnet)?.pool;
  }

  /** Tells what may be leased from now on: those of the granted NICs that are plugged in. Serves those who wait. Returns blocks that overlap others and were left out. */
  grant({ nics, growth }: NodeNetworkStatus, plugged: ReadonlySet<string>): string[] {
    this.#growth = growth.map((one) => withMissing(one, nics, plugged));
    this.#returned = [];
    const granted = nics.flatMap((nic) => nic.blocks);
    this.#claimed = new Set(nics.flatMap((nic) => nic.claimed ?? []).map(firstOf));
    return [...this.#pools.values()].flatMap((own) => {
      const { leased, aside } = servedNics(own.subnet, nics, plugged);
      // An address that was a claim's and is anyone's now may be in use still.
      this.#restore(own);
      const overlapping = own.pool.grant(leased, granted, aside);
      const blocks = [...leased, ...aside].flatMap((nic) => nic.blocks);
      own.pool.restore(
        [...this.#orphans].filter((ip) => blocks.some((block) => contains(block, ip))),
        [],
      );
      this.#serve(own);
      return [...overlapping];
    });
  }

  /**
   * Leases one address of each family, waiting for one up to `patience_ms` when none is free.
   * @throws Failure addressesExhausted, or address* when those asked for cannot be had.
   */
  async lease(subnet: PodSubnet, wanting: Wanting, patience_ms: number): Promise<Taken> {
    const own = this.#of(subnet);
    const taken = own.waiting.length > 0 ? undefined : this.#tryTake(own, wanting);
    if (taken !== undefined) {
      this.#options.demandChanged(false);
      return taken;
    }
    if (patience_ms <= 0 || own.waiting.length >= WAITING_LIMIT) throw this.#exhausted(own, wanting);
    return this.#wait(own, wanting, patience_ms);
  }

  /** Whether an ADD would get an address now, or more are on their way: otherwise the next subnet is to be asked. */
  mayServe({ metadata: { name } }: PodSubnet): boolean {
    const own = this.#pools.get(name);
    if (own === undefined) return false;
    const { free } = own.pool.counts(now_ms());
    return free > own.waiting.length || (this.growth(name)?.stoppedBy ?? 'none') === 'none';
  }

  /** Ends leases; the addresses rest until then (milliseconds of {@link now_ms}), 0 for not at all. */
  release(subnet: string, addresses: readonly Ip[], until_ms: number): void {
    const own = this.#pools.get(subnet);
    if (own === undefined) return;
    own.pool.release(addresses, until_ms);
    this.#options.demandChanged(own.waiting.length > 0);
    this.#serve(own);
  }

  /** Pods that a former plugin made use them: nobody else gets one, and no block of theirs goes, before endOrphan(). */
  occupy(addresses: readonly Ip[]): void {
    for (const ip of addresses) this.#orphans.add(ip);
    for (const { pool } of this.#pools.values()) {
      pool.restore(
        addresses.filter((ip) => pool.holds(ip)),
        [],
      );
    }
    this.#options.demandChanged(false);
  }

  /** The Pod that used the address, which no pool gave it, is gone: it rests, then it is free. */
  endOrphan(address: Ip, until_ms: number): void {
    this.#orphans.delete(address);
    for (const name of this.#pools.keys()) this.release(name, [address], until_ms);
  }

  /** What the controller is to know. */
  demand(): Demand[] {
    return [...this.#pools.values()].map(({ subnet, pool, waiting }) => {
      return { subnet: subnet.metadata.name, ...pool.demand(now_ms()), waiting: waiting.length };
    });
  }

  /** All blocks that were given back and are still granted. */
  giveBack(): Cidr[] {
    return [...new Set([...this.#pools.values()].flatMap(({ pool }) => pool.giveBack(now_ms())))];
  }

  /** Why the subnet's pool does not grow. */
  growth(subnet: string): Growth | undefined {
    return this.#growth.find((growth) => growth.subnet === subnet);
  }

  /** Ends all waits at once. */
  stop(): void {
    for (const own of this.#pools.values()) {
      clearTimeout(own.timer);
      for (const waiting of own.waiting.splice(0)) waiting.settle(this.#exhausted(own, waiting));
    }
  }

  #make(subnet: PodSubnet, returned: readonly Cidr[]): void {
    this.#pools.set(subnet.metadata.name, { subnet, pool: this.#poolOf(subnet, returned), waiting: [], timer: undefined });
  }

  #poolOf(subnet: PodSubnet, returned: readonly Cidr[]): Pool {
    return this.#restore({ subnet, pool: new Pool({ ...poolPart(subnet), returned }) }).pool;
  }

  /** Tells the pool what the node's state knows of its addresses; what is known already stays as it is. */
  #restore<T extends Pick<SubnetPool, 'subnet' | 'pool'>>(own: T): T {
    const { leased, resting } = this.#options.known?.(own.subnet.metadata.name) ?? { leased: [], resting: [] };
    const ordinary = (ip: Ip): boolean => !this.#claimed.has(ip);
    own.pool.restore(
      leased.filter(ordinary),
      resting.filter(({ address }) => ordinary(address)),
    );
    return own;
  }

  #of(subnet: PodSubnet): SubnetPool {
    const own = this.#pools.get(subnet.metadata.name);
    if (own === undefined) throw failure('noSubnet', { pod: subnet.metadata.name, reason: 'it is not configured on this node' });
    return own;
  }

  /** undefined: nothing is free. @throws Failure address* when those asked for cannot be had. */
  #tryTake({ pool, subnet }: SubnetPool, { requested, pod }: Wanting): Taken | undefined {
    if (requested.length === 0) return pool.take(now_ms());
    const taken = pool.takeRequested(requested, now_ms());
    if (taken === undefined || 'addresses' in taken) return taken;
    throw refused(taken, pod, subnet);
  }

  async #wait(own: SubnetPool, wanting: Wanting, patience_ms: number): Promise<Taken> {
    const { promise, resolve, reject } = Promise.withResolvers<Taken>();
    const timer = setTimeout(() => {
      own.waiting.splice(own.waiting.indexOf(waiting), 1);
      waiting.settle(this.#exhausted(own, wanting));
      this.#options.demandChanged(false);
    }, patience_ms);
    const waiting: Waiting = {
      ...wanting,
      settle(result) {
        clearTimeout(timer);
        if ('addresses' in result) resolve(result);
        else reject(result);
      },
    };
    own.waiting.push(waiting);
    this.#options.demandChanged(true);
    this.#serve(own);
    return promise;
  }

  /** Hands out what is free to those who wait, in order; looks again when the next rest ends. */
  #serve(own: SubnetPool): void {
    clearTimeout(own.timer);
    for (let first = own.waiting[0]; first !== undefined; first = own.waiting[0]) {
      let result: Taken | Failure | undefined;
      try {
        result = this.#tryTake(own, first);
      } catch (error) {
        result = asFailure(error);
      }
      if (result === undefined) break;
      own.waiting.shift();
      first.settle(result);
    }
    const next = own.waiting.length === 0 ? undefined : own.pool.nextFree_ms(now_ms());
    if (next !== undefined) own.timer = setTimeout(() => this.#serve(own), Math.ceil(next) + 1);
  }

  #exhausted(own: SubnetPool, { pod }: Wanting): Failure {
    const { subnet, waiting } = own;
    const counts = { ...own.pool.counts(now_ms()), waiting: waiting.length };
    return exhausted(pod, subnet, counts, own.pool.nextFree_ms(now_ms()), this.growth(subnet.metadata.name));
  }
}

/** What of a PodSubnet a pool depends on. */
function poolPart({ spec }: PodSubnet): PoolOptions {
  return { families: spec.families, exclude: excludedOf(spec), maximum: spec.perNode.maximum };
}
