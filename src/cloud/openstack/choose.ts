/**
 * Which free blocks a NIC gets. Pure.
 *
 * Invariants
 * - what is chosen is aligned, within the room, touches nothing that is taken, and no two of it overlap
 * - blocks lie beside those the NIC has, so that few address pairs hold many; the first of a NIC lies where most is free around it
 * - single addresses lie where a /28 is broken already, so that whole ones stay for others
 */
import { bitsOf, type Family, ipFromBigInt, ipToBigInt } from '../../net/address.ts';
import { type Cidr, cidrFamily, cidrOf, firstOf } from '../../net/cidr.ts';
import { freeBlocksIn, joined, type Span } from '../../net/spans.ts';

/** What there is to choose from. */
export interface Choice {
  readonly family: Family;
  readonly room: readonly Span[];
  readonly taken: readonly Span[];
  /** What the NIC has already. */
  readonly own: readonly Cidr[];
}

/** Of more candidates only so many are looked at: a /64 has 65 536 blocks of /80. */
const MOST = 8192;

/** That many blocks of the length; fewer when there are no more. */
export function chooseBlocks({ family, room, taken, own }: Choice, length: number, wanted: number): Cidr[] {
  const bits = bitsOf(family);
  const size = 1n << BigInt(bits - length);
  const chosen: bigint[] = [];
  const mine = own.filter((block) => cidrFamily(block) === family).map((block) => ipToBigInt(firstOf(block)));
  if (wanted <= 0) return [];
  const filled = joined(taken);
  const candidates = [...freeBlocksIn(room, filled, size).take(MOST)];
  while (chosen.length < wanted && candidates.length > 0) {
    let [best, bestRank] = [0, -1];
    for (const [i, start] of candidates.entries()) {
      const rank = rankOf(start, { mine: [...mine, ...chosen], filled, bits, isSingle: length === bits });
      if (rank > bestRank) [best, bestRank] = [i, rank];
    }
    chosen.push(...candidates.splice(best, 1));
  }
  return chosen.map((start) => cidrOf(ipFromBigInt(start, family), length)).toSorted();
}

/** Nearness to what the NIC has counts most; then, for single addresses nearness to what is taken, for blocks the distance from it. */
function rankOf(start: bigint, of: { mine: readonly bigint[]; filled: readonly Span[]; bits: number; isSingle: boolean }): number {
  const { mine, filled, bits, isSingle } = of;
  const own = mine.reduce((most, one) => Math.max(most, shared(start, one, bits)), 0);
  const at = firstAfter(filled, start);
  const [before, after] = [filled[at - 1], filled[at]];
  const near = Math.max(
    before === undefined ? 0 : shared(start, before.end, bits),
    after === undefined ? 0 : shared(start, after.start, bits),
  );
  // Beyond sharing a /28 there is nothing to gain for a single address.
  return own * 1000 + (isSingle ? Math.min(near, bits - 4) : bits - near);
}

/** How many leading bits two addresses share. */
function shared(a: bigint, b: bigint, bits: number): number {
  return bits - bitLength(a ^ b);
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

/** Index of the first span that begins after the address. */
function firstAfter(spans: readonly Span[], at: bigint): number {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.start ?? 0n) > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
