/** Which blocks of a subnet are free. Pure. */
import { ipFromBigInt } from '../../net/address.ts';
import { type Cidr, cidrFamily, cidrOf } from '../../net/cidr.ts';
import { freeBlocksIn, type Span, spanOf } from '../../net/spans.ts';

/**
 * The lowest aligned IPv4 blocks of that length within some that touch nothing taken; fewer when there are no more. Of a subnet with thousands of addresses
 * it is one walk over the gaps: nothing else of the program runs meanwhile.
 */
export function freeBlocks(within: readonly Cidr[], length: 28 | 32, count: number, taken: readonly Cidr[]): Cidr[] {
  const starts = freeBlocksIn(spansOf(within), spansOf(taken), BigInt(2 ** (32 - length)));
  return starts
    .take(count)
    .map((start) => cidrOf(ipFromBigInt(start, 4), length))
    .toArray();
}

function spansOf(blocks: readonly Cidr[]): Span[] {
  return blocks.filter((block) => cidrFamily(block) === 4).map(spanOf);
}
