/**
 * The free addresses of one block, as offsets from its first, in the order in which they are given out.
 * A small block queues them; an IPv6 /80 has 2^48, so there only what is *not* free is remembered.
 */
import type { Cidr } from '../net/cidr.ts';
import { Queue } from './fifo.ts';
import { type OffsetRange, offsetsOf, unusableOffsets, usableSize } from './usable.ts';

/** See the head of this file. No operation grows with the size of the block or with the number of Pods. */
export interface FreeAddresses {
  /** How many are free. */
  readonly count: number;
  has(offset: number): boolean;
  /** Takes the next one. */
  take(): number | undefined;
  /** Takes that very one. Returns false when it is not free. */
  claim(offset: number): boolean;
  /** Gives one back: last in line. One that no Pod may get (any more) is not taken. */
  putBack(offset: number): void;
}

/** Blocks up to this size are queued. */
const queuedAtMost = 4096;

/** All usable addresses of the block, free. */
export function freeAddressesOf(block: Cidr, exclude: readonly Cidr[]): FreeAddresses {
  const [offsets, unusable] = [offsetsOf(block), unusableOffsets(block, exclude)];
  return offsets <= queuedAtMost ? queued(offsets, unusable) : sequential(offsets, usableSize(block, exclude), unusable);
}

/** Never-used ones stand in the queue from the beginning, freed ones join at its end: never-used first, then the longest free. */
function queued(offsets: number, unusable: readonly OffsetRange[]): FreeAddresses {
  const queue = new Queue<number>();
  for (let offset = 0; offset < offsets; offset++) if (rangeAt(unusable, offset) === undefined) queue.add(offset);
  return {
    get count() {
      return queue.size;
    },
    has: (offset) => queue.has(offset),
    take() {
      const offset = queue.first();
      if (offset !== undefined) queue.remove(offset);
      return offset;
    },
    claim: (offset) => queue.remove(offset),
    putBack(offset) {
      if (rangeAt(unusable, offset) === undefined) queue.add(offset);
    },
  };
}

/** One after the other, from the beginning again after the last: what was just freed comes round as late as can be. */
function sequential(offsets: number, usable: number, unusable: readonly OffsetRange[]): FreeAddresses {
  const taken = new Set<number>();
  let cursor = 0;
  const isFree = (offset: number) => !taken.has(offset) && rangeAt(unusable, offset) === undefined;
  return {
    get count() {
      return usable - taken.size;
    },
    has: isFree,
    take() {
      if (taken.size >= usable) return undefined;
      for (;;) {
        const offset = cursor < offsets ? cursor : 0;
        const gap = rangeAt(unusable, offset);
        cursor = (gap?.to ?? offset) + 1;
        if (gap !== undefined || taken.has(offset)) continue;
        taken.add(offset);
        return offset;
      }
    },
    claim(offset) {
      if (!isFree(offset)) return false;
      taken.add(offset);
      return true;
    },
    putBack: (offset) => void taken.delete(offset),
  };
}

/** There are few ranges: what an operator wrote into `exclude` and lies in this block. */
function rangeAt(ranges: readonly OffsetRange[], offset: number): OffsetRange | undefined {
  return ranges.find((range) => range.from <= offset && offset <= range.to);
}
