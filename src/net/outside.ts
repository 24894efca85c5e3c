/** What is left of all addresses when some blocks are taken out. Nothing here does I/O. */
import { type Ip, ipFromBigInt, ipToBigInt } from './address.ts';
import { type Cidr, cidrOf, containsCidr, firstOf, lengthOf, overlaps } from './cidr.ts';

/** The fewest IPv4 blocks that hold every IPv4 address outside of these, in order. Blocks of IPv6 are passed over. */
export function outside4(blocks: readonly Cidr[]): Cidr[] {
  return outsideIn(cidrOf('0.0.0.0' as Ip, 0), blocks); // four bytes, as an address is written
}

function outsideIn(whole: Cidr, blocks: readonly Cidr[]): Cidr[] {
  const near = blocks.filter((block) => overlaps(whole, block));
  if (near.length === 0) return [whole];
  if (near.some((block) => containsCidr(block, whole))) return [];
  const length = lengthOf(whole) + 1;
  const low = cidrOf(firstOf(whole), length);
  const high = cidrOf(ipFromBigInt(ipToBigInt(firstOf(whole)) + (1n << BigInt(32 - length)), 4), length);
  return [...outsideIn(low, near), ...outsideIn(high, near)];
}
