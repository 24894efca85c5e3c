/** Which addresses of a block Pods may get: all of them, less what a PodSubnet excludes and the first of an IPv6 prefix. */
import { ipToBigInt } from '../net/address.ts';
import { type Cidr, cidrFamily, containsCidr, firstOf, overlaps, sizeOf } from '../net/cidr.ts';

/** More than any node can use; keeps offsets exact in a number. Larger blocks are used up to here (a /80 has just as many). */
const largestBlock = 2 ** 48;

/** Offsets in a block, both ends included. */
export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

/** How many offsets of the block are looked at, usable or not. */
export function offsetsOf(block: Cidr): number {
  const size = sizeOf(block);
  return size > BigInt(largestBlock) ? largestBlock : Number(size);
}

/**
 * The offsets that no Pod gets: sorted, without overlap. The first address of an IPv6 prefix is among them: it is the subnet-router anycast
 * address (RFC 4291 section 2.6.1) of whoever routes the prefix. Of an IPv4 prefix all addresses count.
 */
export function unusableOffsets(block: Cidr, exclude: readonly Cidr[]): OffsetRange[] {
  const offsets = offsetsOf(block);
  const ranges: OffsetRange[] = cidrFamily(block) === 6 && offsets > 1 ? [{ from: 0, to: 0 }] : [];
  for (const excluded of exclude) {
    if (!overlaps(block, excluded)) continue;
    if (containsCidr(excluded, block)) return [{ from: 0, to: offsets - 1 }];
    const from = ipToBigInt(firstOf(excluded)) - ipToBigInt(firstOf(block));
    const to = from + sizeOf(excluded) - 1n;
    if (from < BigInt(offsets)) ranges.push({ from: Number(from), to: Math.min(Number(to), offsets - 1) });
  }
  return merged(ranges);
}

/** How many addresses of the block Pods may get. */
export function usableSize(block: Cidr, exclude: readonly Cidr[]): number {
  return unusableOffsets(block, exclude).reduce((left, range) => left - (range.to - range.from + 1), offsetsOf(block));
}

function merged(ranges: readonly OffsetRange[]): OffsetRange[] {
  const result: OffsetRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last === undefined || range.from > last.to) result.push(range);
    else result[result.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
  }
  return result;
}
