/**
 * The addresses that one node holds of one PodSubnet, and which of them are leased. Pure: no I/O and no clock; times are milliseconds, given by
 * the caller, best of a monotonic clock (a wall clock that jumps ahead would end every rest at once).
 *
 * Invariants
 * - an address is in exactly one state: free, leased, cooling, or in a returned block;
 * - what is leased or cooling stays so when its block vanishes and comes again: only release and the end of the rest change it;
 * - a returned block is never leased from again until the controller has taken it out of its grants;
 * - taking and releasing cost the same however many Pods, blocks and addresses there are.
 */
import { type Family, familyOf, type Ip } from '../net/address.ts';
import { type Cidr, contains } from '../net/cidr.ts';
import { Aside } from './aside.ts';
import { BlockTable } from './block-table.ts';
import { Cooling } from './cooling.ts';
import { type Counts, Tally } from './counts.ts';
import type { PoolNic } from './grants.ts';
import type { Block, NicBlocks } from './nic-blocks.ts';

/** Of a PodSubnet. */
export interface PoolOptions {
  /** What each Pod gets: one address of each. */
  readonly families: readonly Family[];
  readonly exclude: readonly Cidr[];
  /** A node never holds more addresses of the subnet than this. */
  readonly maximum: number;
  /** Blocks this node gave back before (spec.returned of its NodeNetwork). */
  readonly returned?: readonly Cidr[];
}

/** One Pod's addresses, in the order of `families`, all on one interface. */
export interface Taken {
  readonly nic: string;
  readonly addresses: readonly Ip[];
}

/** Why a requested address cannot be had. */
export interface Refusal {
  readonly address: Ip;
  readonly why: 'leased' | 'cooling' | 'excluded' | 'notHeld' | 'returned' | 'otherNic' | 'family';
  /** For `cooling`: until it can be had. Else 0. */
  readonly wait_ms: number;
}

/** An address that rests. */
export interface Resting {
  readonly address: Ip;
  readonly until_ms: number;
}

/** See the head of this file. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #countedFamily: Family;
  readonly #tally: Tally;
  readonly #table: BlockTable;
  readonly #returned: Set<Cidr>;
  #aside = new Aside([]);
  readonly #leases = new Set<Ip>();
  readonly #cooling = new Cooling();
  /** Leases of the family that counts. */
  #countedLeases = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#returned = new Set(options.returned);
    this.#countedFamily = options.families.includes(4) ? 4 : 6;
    this.#tally = new Tally(this.#countedFamily);
    this.#table = new BlockTable(options.exclude);
  }

  /**
   * Makes the pool's blocks those that are granted. Leases and rests of a block that vanished are remembered, and hold again when it comes back.
   * Answers with blocks it did not take in because they overlap others: log them, something is wrong with the grants.
   *
   * `granted`: all blocks of the controller's grants, also those of NICs that are unplugged right now and so not among `nics`. A block given back
   * is forgotten only when it is gone from there: plugged in again it must not be leased, as the controller may be taking it away.
   * `aside`: NICs of this pool that nothing is leased from now, whose blocks are given back all the same.
   */
  grant(
    nics: readonly PoolNic[],
    granted: readonly Cidr[] = nics.flatMap((nic) => nic.blocks),
    aside: readonly PoolNic[] = [],
  ): readonly Cidr[] {
    this.#aside = new Aside(aside);
    const { added, dropped, overlapping } = this.#table.replace(nics);
    for (const block of dropped) this.#tally.count(block, -1);
    for (const block of added) this.#tally.count(block, 1);
    const fresh = new Set(added);
    if (fresh.size > 0) {
      for (const ip of this.#leases) this.#occupy(ip, 'leased', fresh);
      for (const ip of this.#cooling.keys()) this.#occupy(ip, 'cooling', fresh);
    }
    const asked = new Set(nics.flatMap((nic) => nic.reclaiming));
    const still = new Set(granted);
    for (const cidr of this.#returned) if (!still.has(cidr)) this.#returned.delete(cidr);
    for (const block of this.#table.blocks()) {
      const role = this.#returned.has(block.cidr) ? 'returned' : asked.has(block.cidr) ? 'reclaiming' : 'held';
      if (role !== block.role || fresh.has(block)) this.#change(block, () => (block.role = role));
    }
    return overlapping;
  }

  /** What the node's state says is leased and resting: after a restart, or when others turn out to use some. An address that is both is leased, also one that rested here until now. Before or after {@link grant}. */
  restore(leased: readonly Ip[], resting: readonly Resting[]): void {
    for (const ip of leased) {
      if (this.#leases.has(ip)) continue;
      this.#endRest(ip);
      this.#addLease(ip);
      this.#occupy(ip, 'leased');
    }
    for (const { address, until_ms } of resting) {
      if (this.#leases.has(address) || this.#cooling.until(address) !== undefined) continue;
      this.#cooling.add(address, until_ms);
      this.#occupy(address, 'cooling');
    }
  }

  /** Leases one address of each family, from one interface. undefined: none is free (see {@link counts} for why). */
  take(now_ms: number): Taken | undefined {
    this.#expire(now_ms);
    return this.#takeRest([]);
  }

  /** Leases these addresses and, for families they do not cover, any on the same interface. undefined: there is no such other address. */
  takeRequested(requested: readonly Ip[], now_ms: number): Taken | Refusal | undefined {
    this.#expire(now_ms);
    let nic: NicBlocks | undefined;
    const seen = new Set<Family>();
    for (const address of requested) {
      const refused = this.#refusal(address, now_ms);
      if (refused !== undefined) return refused;
      const family = familyOf(address);
      if (!this.#options.families.includes(family) || seen.has(family)) return { address, why: 'family', wait_ms: 0 };
      seen.add(family);
      const own = this.#table.of(address)?.nic;
      if (nic !== undefined && own !== nic) return { address, why: 'otherNic', wait_ms: 0 };
      nic = own;
    }
    return this.#takeRest(requested, nic);
  }

  /**
   * Ends leases; the addresses rest until then. With 0 they are free again at once: right for addresses that never were on the wire.
   * An address that is not leased is left alone, so this may be repeated.
   */
  release(addresses: readonly Ip[], until_ms: number): void {
    for (const ip of addresses) {
      if (!this.#leases.delete(ip)) continue;
      if (familyOf(ip) === this.#countedFamily) this.#countedLeases--;
      this.#cooling.add(ip, until_ms);
      const block = this.#table.of(ip);
      if (block === undefined) continue;
      this.#change(block, () => {
        block.leased--;
        block.cooling++;
      });
    }
  }

  /** Whether the address is in a block of the pool's. */
  holds(address: Ip): boolean {
    return this.#table.of(address) !== undefined;
  }

  /** How many addresses are in which state. */
  counts(now_ms: number): Counts {
    this.#expire(now_ms);
    return this.#tally.counts(this.#options.maximum, this.#countedLeases);
  }

  /** What the controller is to know. Beside what {@link counts} says, what is leased and rests in blocks set aside: these it counts as held as well. */
  demand(now_ms: number): Pick<Counts, 'inUse' | 'cooling'> {
    const { inUse, cooling } = this.counts(now_ms);
    const more = (of: Iterable<Ip>): number =>
      this.#aside.count(
        [...of].filter((ip) => !this.holds(ip)),
        this.#countedFamily,
      );
    return { inUse: inUse + more(this.#leases), cooling: cooling + more(this.#cooling.keys()) };
  }

  /** Until the first resting address is free again; undefined when none rests. Looks at all of them: for error messages. */
  nextFree_ms(now_ms: number): number | undefined {
    this.#expire(now_ms);
    let first: number | undefined;
    for (const ip of this.#cooling.keys()) {
      const until = this.#cooling.until(ip);
      if (until === undefined || familyOf(ip) !== this.#countedFamily || (this.#table.of(ip)?.role ?? 'returned') === 'returned') continue;
      first = Math.min(first ?? until, until);
    }
    return first === undefined ? undefined : first - now_ms;
  }

  /**
   * Gives back each block that is asked for and neither leased from nor resting. Answers with all blocks given back so far that are still granted:
   * the whole of spec.returned. From then on the pool does not lease from them.
   */
  giveBack(now_ms: number): Cidr[] {
    this.#expire(now_ms);
    for (const block of this.#table.blocks()) {
      if (block.role !== 'reclaiming' || !block.unused) continue;
      this.#returned.add(block.cidr);
      this.#change(block, () => (block.role = 'returned'));
    }
    for (const cidr of this.#aside.unused([...this.#leases, ...this.#cooling.keys()])) this.#returned.add(cidr);
    return [...this.#returned];
  }

  #takeRest(requested: readonly Ip[], only?: NicBlocks): Taken | undefined {
    const { free, reclaiming } = this.#tally.counts(this.#options.maximum, this.#countedLeases);
    if (free + reclaiming === 0) return undefined;
    const missing = this.#options.families.filter((family) => !requested.some((ip) => familyOf(ip) === family));
    for (const mayAskedBack of [false, true]) {
      for (const nic of only === undefined ? this.#table.nics() : [only]) {
        const blocks = missing.map((family) => nic.next(family, mayAskedBack));
        if (blocks.includes(undefined)) continue;
        const others = blocks.flatMap((block) => (block === undefined ? [] : [this.#leaseNext(block)]));
        for (const ip of requested) this.#leaseVery(ip);
        const all = [...requested, ...others];
        return { nic: nic.id, addresses: this.#options.families.flatMap((family) => all.filter((ip) => familyOf(ip) === family)) };
      }
    }
    return undefined;
  }

  #leaseNext(block: Block): Ip {
    let offset: number | undefined;
    this.#change(block, () => {
      offset = block.free.take();
      if (offset !== undefined) block.leased++;
    });
    if (offset === undefined) throw new Error(`block ${block.cidr} stood in a queue without a free address`);
    const ip = block.ipAt(offset);
    this.#addLease(ip);
    return ip;
  }

  #leaseVery(ip: Ip): void {
    this.#addLease(ip);
    this.#occupy(ip, 'leased');
  }

  #addLease(ip: Ip): void {
    this.#leases.add(ip);
    if (familyOf(ip) === this.#countedFamily) this.#countedLeases++;
  }

  /** Its end would free an address that somebody uses. */
  #endRest(ip: Ip): void {
    if (!this.#cooling.delete(ip)) return;
    const block = this.#table.of(ip);
    if (block !== undefined) this.#change(block, () => block.cooling--);
  }

  /** Books a lease or a rest on the block of the address; an excluded address occupies nothing that was free. */
  #occupy(ip: Ip, as: 'leased' | 'cooling', among?: ReadonlySet<Block>): void {
    const block = this.#table.of(ip);
    if (block === undefined || among?.has(block) === false) return;
    this.#change(block, () => {
      block.free.claim(block.offsetOf(ip));
      block[as]++;
    });
  }

  #refusal(address: Ip, now_ms: number): Refusal | undefined {
    const refuse = (why: Refusal['why'], wait_ms = 0): Refusal => ({ address, why, wait_ms });
    const until = this.#cooling.until(address);
    if (this.#leases.has(address)) return refuse('leased');
    if (until !== undefined) return refuse('cooling', until - now_ms);
    if (this.#options.exclude.some((cidr) => contains(cidr, address))) return refuse('excluded');
    const block = this.#table.of(address);
    if (block === undefined) return refuse('notHeld');
    if (block.role === 'returned') return refuse('returned');
    return block.free.has(block.offsetOf(address)) ? undefined : refuse('excluded');
  }

  #expire(now_ms: number): void {
    for (let ip = this.#cooling.takeExpired(now_ms); ip !== undefined; ip = this.#cooling.takeExpired(now_ms)) {
      const block = this.#table.of(ip);
      const offset = block?.offsetOf(ip);
      if (block === undefined || offset === undefined) continue;
      this.#change(block, () => {
        block.cooling--;
        block.free.putBack(offset);
      });
    }
  }

  /** The only way to change a block: sums and queues follow. */
  #change(block: Block, change: () => void): void {
    this.#tally.count(block, -1);
    change();
    block.everUsed ||= !block.unused;
    this.#tally.count(block, 1);
    block.nic.place(block);
  }
}
