/**
 * The blocks that one interface carries for one PodSubnet, arranged so that the best one to give from is found at once.
 *
 * Order: partly used blocks (so that whole prefixes stay whole and can go back), then blocks never used, then those whose last address was
 * freed longest ago, and last of all blocks the controller asks back. For single addresses that reads: never used first, then oldest freed first.
 */
import { addToIp, type Family, type Ip, ipToBigInt } from '../net/address.ts';
import { type Cidr, cidrFamily, firstOf } from '../net/cidr.ts';
import { type FreeAddresses, freeAddressesOf } from './free-addresses.ts';
import { Queue } from './fifo.ts';

/** `reclaiming`: asked back, still ours. `returned`: given back; never leased from again. */
export type BlockRole = 'held' | 'reclaiming' | 'returned';

/** One block and what became of its addresses. */
export class Block {
  readonly cidr: Cidr;
  readonly nic: NicBlocks;
  readonly free: FreeAddresses;
  role: BlockRole = 'held';
  leased = 0;
  cooling = 0;
  everUsed = false;

  constructor(cidr: Cidr, nic: NicBlocks, exclude: readonly Cidr[]) {
    this.cidr = cidr;
    this.nic = nic;
    this.free = freeAddressesOf(cidr, exclude);
  }

  /** No lease and no cooldown holds any of it. */
  get unused(): boolean {
    return this.leased + this.cooling === 0;
  }

  ipAt(offset: number): Ip {
    return addToIp(firstOf(this.cidr), offset);
  }

  offsetOf(ip: Ip): number {
    return Number(ipToBigInt(ip) - ipToBigInt(firstOf(this.cidr)));
  }
}

type Choice = 'partlyUsed' | 'neverUsed' | 'usedBefore' | 'askedBack';
const order: readonly Choice[] = ['partlyUsed', 'neverUsed', 'usedBefore', 'askedBack'];

/** See the head of this file. */
export class NicBlocks {
  readonly id: string;
  #queues: Record<Family, Record<Choice, Queue<Block>>> = { 4: emptyQueues(), 6: emptyQueues() };

  constructor(id: string) {
    this.id = id;
  }

  /** The block to give from next; one that is asked back only as a last resort, when `mayAskedBack`. */
  next(family: Family, mayAskedBack: boolean): Block | undefined {
    const queues = this.#queues[family];
    for (const choice of order) {
      if (choice === 'askedBack' && !mayAskedBack) continue;
      const block = queues[choice].first();
      if (block !== undefined) return block;
    }
    return undefined;
  }

  /** Puts the block where it belongs after any change to it. */
  place(block: Block): void {
    const belongs = choiceOf(block);
    const queues = this.#queues[cidrFamily(block.cidr)];
    for (const choice of order) {
      if (choice === belongs) queues[choice].add(block);
      else queues[choice].remove(block);
    }
  }

  /** Takes the block out for good. */
  drop(block: Block): void {
    for (const choice of order) this.#queues[cidrFamily(block.cidr)][choice].remove(block);
  }
}

function choiceOf(block: Block): Choice | undefined {
  if (block.free.count === 0 || block.role === 'returned') return undefined;
  if (block.role === 'reclaiming') return 'askedBack';
  if (!block.unused) return 'partlyUsed';
  return block.everUsed ? 'usedBefore' : 'neverUsed';
}

function emptyQueues(): Record<Choice, Queue<Block>> {
  return { partlyUsed: new Queue(), neverUsed: new Queue(), usedBefore: new Queue(), askedBack: new Queue() };
}
