/**
 * The node's addresses: one pool for each PodSubnet, and the ADDs that wait for one.
 *
 * Invariants
 * - first come, first served within a subnet; nobody overtakes those who wait
 * - each wait ends: by a lease, or at its deadline with the reason in numbers
 * - only NICs that are plugged in and set up are leased from
 */
import { asFailure, type Failure, failure } from '../errors/failure.ts';
import { Pool, type Refusal, type Taken } from '../ipam/pool.ts';
import type { Ip } from '../net/address.ts';
import { type Cidr, contains } from '../net/cidr.ts';
import type { Demand, Growth, NodeNetworkStatus } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';

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
  readonly subnet: PodSubnet;
  readonly pool: Pool;
  readonly waiting: Waiting[];
  timer: NodeJS.Timeout | undefined;
}

/** Milliseconds since the epoch that never jump: the wall clock at start plus what has passed since. */
export function now_ms(): number {
  return performance.timeOrigin + performance.now();
}

/** See the head of this file. */
export class Pools {
  readonly #pools = new Map<string, SubnetPool>();
  readonly #orphans: Set<Ip>;
  readonly #demandChanged: (urgent: boolean) => void;
  #growth: readonly Growth[] = [];

  /**
   * `demandChanged` is called synchronously whenever the numbers change; urgent when an ADD waits. `returned`: see PoolOptions.
   * `orphans`: addresses in use by Pods without a record (orphans.ts).
   */
  constructor(subnets: readonly PodSubnet[], returned: readonly Cidr[], orphans: readonly Ip[], demandChanged: (urgent: boolean) => void) {
    this.#orphans = new Set(orphans);
    this.#demandChanged = demandChanged;
    for (const subnet of subnets) {
      const { families, exclude, perNode } = subnet.spec;
      const pool = new Pool({ families, exclude, maximum: perNode.maximum, returned });
      this.#pools.set(subnet.metadata.name, { subnet, pool, waiting: [], timer: undefined });
    }
  }

  /** The pool of the subnet; undefined for a subnet that is no longer configured. */
  pool(subnet: string): Pool | undefined {
    return this.#pools.get(subnet)?.pool;
  }

  /** Tells what may be leased from now on: those of the granted NICs that are plugged in. Serves those who wait. Returns blocks that overlap others and were left out. */
  grant({ nics, growth }: NodeNetworkStatus, plugged: ReadonlySet<string>): string[] {
    this.#growth = growth;
    const granted = nics.flatMap((nic) => nic.blocks);
    return [...this.#pools].flatMap(([name, own]) => {
      const serving = nics.filter((nic) => nic.subnet === name);
      const overlapping = own.pool.grant(
        serving.filter((nic) => plugged.has(nic.id)),
        granted,
      );
      const blocks = serving.flatMap((nic) => nic.blocks);
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
      this.#demandChanged(false);
      return taken;
    }
    if (patience_ms <= 0 || own.waiting.length >= WAITING_LIMIT) throw this.#exhausted(own, wanting);
    return this.#wait(own, wanting, patience_ms);
  }

  /** Ends leases; the addresses rest until then (milliseconds of {@link now_ms}), 0 for not at all. */
  release(subnet: string, addresses: readonly Ip[], until_ms: number): void {
    const own = this.#pools.get(subnet);
    if (own === undefined) return;
    own.pool.release(addresses, until_ms);
    this.#demandChanged(own.waiting.length > 0);
    this.#serve(own);
  }

  /** The Pod without a record that used the address is gone: it rests, then it is free. */
  endOrphan(address: Ip, until_ms: number): void {
    this.#orphans.delete(address);
    for (const name of this.#pools.keys()) this.release(name, [address], until_ms);
  }

  /** What the controller is to know. */
  demand(): Demand[] {
    return [...this.#pools.values()].map(({ subnet, pool, waiting }) => {
      const { inUse, cooling } = pool.counts(now_ms());
      return { subnet: subnet.metadata.name, inUse, cooling, waiting: waiting.length };
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
      this.#demandChanged(false);
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
    this.#demandChanged(true);
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
    const counts = own.pool.counts(now_ms());
    const growth = this.growth(own.subnet.metadata.name);
    const { limit, remedy } = limitOf(growth, own.subnet);
    const next = own.pool.nextFree_ms(now_ms());
    return failure('addressesExhausted', {
      pod,
      subnet: own.subnet.metadata.name,
      inUse: counts.inUse,
      cooling: counts.cooling,
      seconds: next === undefined ? '-' : Math.ceil(next / 1000),
      wanted: own.waiting.length + 1,
      held: counts.held,
      limit,
      remedy,
    });
  }
}

function refused({ address, why, wait_ms }: Refusal, pod: string, subnet: PodSubnet): Failure {
  const facts = { address, pod, subnet: subnet.metadata.name };
  switch (why) {
    case 'leased':
      return failure('addressInUse', facts);
    case 'cooling':
      return failure('addressCooling', { ...facts, seconds: Math.ceil(wait_ms / 1000) });
    case 'excluded':
      return failure('addressExcluded', facts);
    case 'notHeld':
    case 'returned':
      return failure('addressNotHeld', facts);
    case 'otherNic':
    case 'family':
      return failure('addressesUnfit', { ...facts, families: subnet.spec.families.map((family) => `IPv${family}`).join(', ') });
  }
}

function limitOf(growth: Growth | undefined, subnet: PodSubnet): { limit: string; remedy: string } {
  const name = subnet.metadata.name;
  const text = growth?.text ?? '';
  switch (growth?.stoppedBy) {
    case undefined:
      return { limit: 'nobody: the controller has not answered yet', remedy: 'see whether the controller runs: flatpod status' };
    case 'none':
      return {
        limit: 'nothing: more is on its way',
        remedy: `the runtime tries again; raise spec.warm.spare of PodSubnet ${name} if this happens in bursts`,
      };
    case 'ceiling':
      return { limit: `the ceiling (${text})`, remedy: `raise spec.perNode.maximum of PodSubnet ${name}` };
    case 'instance':
      return { limit: `the instance (${text})`, remedy: 'use a larger instance type, or spec.unit: prefix' };
    case 'subnet':
      return { limit: `the subnet (${text})`, remedy: 'add a PodSubnet with room, or lower spec.warm on other nodes' };
    case 'cloud':
      return { limit: `the cloud (${text})`, remedy: 'the controller tries again by itself; flatpod status shows the last answer' };
    case 'switch':
      return { limit: 'spec.cloud.changes: false', remedy: 'allow changing calls again' };
  }
}
