/** How many addresses of a pool are in which state, kept by adding and taking away whole blocks as they change: reading costs nothing. */
import { cidrFamily } from '../net/cidr.ts';
import type { Family } from '../net/address.ts';
import type { Block } from './nic-blocks.ts';

/**
 * Addresses of the family that counts: IPv4, or IPv6 in a subnet without IPv4. `held` = inUse + cooling + free + reclaiming.
 * In an IPv6 subnet `held` and `free` are bounded by what the node may hold: a /80 is practically without end.
 */
export interface Counts {
  /** Leased, in blocks this node holds. */
  readonly inUse: number;
  /** Freed, resting. */
  readonly cooling: number;
  /** Can be given out now. */
  readonly free: number;
  /** All of them, excluded ones apart. */
  readonly held: number;
  /** Free, but in blocks the controller asks back: given out as a last resort only. */
  readonly reclaiming: number;
  /** Leased, but their block is no longer granted: a Pod may be using an address the cloud has taken away. */
  readonly lost: number;
}

/** Running sums over the blocks that count. */
export class Tally {
  readonly #family: Family;
  #inUse = 0;
  #cooling = 0;
  #free = 0;
  #reclaiming = 0;

  constructor(family: Family) {
    this.#family = family;
  }

  /** Adds the block's numbers (sign 1) or takes them away (sign −1). Blocks of the other family, and returned ones, count for nothing. */
  count(block: Block, sign: 1 | -1): void {
    if (cidrFamily(block.cidr) !== this.#family || block.role === 'returned') return;
    this.#inUse += sign * block.leased;
    this.#cooling += sign * block.cooling;
    if (block.role === 'reclaiming') this.#reclaiming += sign * block.free.count;
    else this.#free += sign * block.free.count;
  }

  /** `maximum` bounds what is held in IPv6; an IPv4 block that is held is held. `leases`: all of the family, wherever their block is. */
  counts(maximum: number, leases: number): Counts {
    const [inUse, cooling] = [this.#inUse, this.#cooling];
    const room = this.#family === 6 ? Math.max(0, maximum - inUse - cooling) : Number.POSITIVE_INFINITY;
    const free = Math.min(this.#free, room);
    const reclaiming = Math.min(this.#reclaiming, room - free);
    return { inUse, cooling, free, held: inUse + cooling + free + reclaiming, reclaiming, lost: leases - inUse };
  }
}
