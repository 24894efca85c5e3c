/** Which blocks of a subnet are free. Pure. */
import { ipFromBigInt, ipToBigInt } from '../../net/address.ts';
import { type Cidr, cidrFamily, cidrOf, firstOf, lastOf } from '../../net/cidr.ts';

/** First and last address, as numbers: those of IPv4 fit. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * The lowest aligned IPv4 blocks of that length within some that touch nothing taken; fewer when there are no more. Of a subnet with thousands of addresses
 * it is one walk over the gaps: nothing else of the program runs meanwhile.
 */
export function freeBlocks(within: readonly Cidr[], length: 28 | 32, count: number, taken: readonly Cidr[]): Cidr[] {
  const size = 2 ** (32 - length);
  const filled = spansOf(taken);
  const found: Cidr[] = [];
  let i = 0;
  for (const { start, end } of spansOf(within)) {
    let at = alignedUp(start, size);
    while (found.length < count && at + size - 1 <= end) {
      const next = filled[i];
      if (next !== undefined && next.end < at) i++;
      else if (next !== undefined && next.start < at + size) at = alignedUp(next.end + 1, size);
      else {
        found.push(cidrOf(ipFromBigInt(BigInt(at), 4), length));
        at += size;
      }
    }
  }
  return found;
}

/** In order, and no two touch. */
function spansOf(blocks: readonly Cidr[]): Span[] {
  const own = blocks.filter((block) => cidrFamily(block) === 4);
  const spans = own.map((block): Span => ({ start: Number(ipToBigInt(firstOf(block))), end: Number(ipToBigInt(lastOf(block))) }));
  const found: Span[] = [];
  for (const span of spans.sort((a, b) => a.start - b.start)) {
    const last = found.at(-1);
    if (last === undefined || span.start > last.end + 1) found.push(span);
    else if (span.end > last.end) found[found.length - 1] = { start: last.start, end: span.end };
  }
  return found;
}

function alignedUp(value: number, size: number): number {
  return Math.ceil(value / size) * size;
}
