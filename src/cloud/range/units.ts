/**
 * How addresses of ranges are counted: in units, which are given to nodes whole (an IPv4 address, an IPv6 /80), and slices of 4096 units, each of which is
 * written down as one. Slices are the same for all ranges: an address is in one slice, whichever PodSubnets have it in theirs.
 */
import { bitsOf, type Family, type Ip, ipFromBigInt, ipToBigInt } from '../../net/address.ts';
import { type Cidr, cidrFamily, cidrOf, firstOf, lengthOf } from '../../net/cidr.ts';

/** Units of a slice. */
export const SLICE_UNITS = 4096;
const SLICE_BITS = 12;

/** Length of a unit: /32 and /80. */
export function unitLength(family: Family): number {
  return family === 4 ? 32 : 80;
}

/** Number of the unit that holds the address, counted from the family's first. */
export function unitOf(ip: Ip, family: Family): bigint {
  return ipToBigInt(ip) >> BigInt(bitsOf(family) - unitLength(family));
}

/** The slice that holds the unit. */
export function sliceOf(unit: bigint, family: Family): Cidr {
  return cidrAt(unit, SLICE_BITS, family);
}

/** Number of the slice's first unit. */
export function firstUnitOf(slice: Cidr): bigint {
  return unitOf(firstOf(slice), cidrFamily(slice));
}

/** The unit at that place of the slice. */
export function unitAt(slice: Cidr, index: number): Cidr {
  return cidrAt(firstUnitOf(slice) + BigInt(index), 0, cidrFamily(slice));
}

/** Slices and places of the units that the block has, in order. undefined: it is smaller than a unit, or larger than a slice. */
export function placesOf(block: Cidr): { readonly slice: Cidr; readonly from: number; readonly to: number } | undefined {
  const family = cidrFamily(block);
  const bits = unitLength(family) - lengthOf(block);
  if (bits < 0 || bits > SLICE_BITS) return undefined;
  const first = firstUnitOf(block);
  const slice = sliceOf(first, family);
  const from = Number(first - firstUnitOf(slice));
  return { slice, from, to: from + 2 ** bits };
}

/** The fewest blocks with exactly these places, which are in order. */
export function blocksOf(slice: Cidr, places: readonly number[]): Cidr[] {
  const [base, family] = [firstUnitOf(slice), cidrFamily(slice)];
  const found: Cidr[] = [];
  for (let i = 0; i < places.length; ) {
    const from = places[i] ?? 0;
    let length = 1;
    while (places[i + length] === from + length) length++;
    for (let at = from; at < from + length; ) {
      let bits = 0;
      while (bits < SLICE_BITS && at % 2 ** (bits + 1) === 0 && at + 2 ** (bits + 1) <= from + length) bits++;
      found.push(cidrAt(base + BigInt(at), bits, family));
      at += 2 ** bits;
    }
    i += length;
  }
  return found;
}

/** The block of 2^bits units that holds this one. */
function cidrAt(unit: bigint, bits: number, family: Family): Cidr {
  const ip = ipFromBigInt(unit << BigInt(bitsOf(family) - unitLength(family)), family);
  return cidrOf(ip, unitLength(family) - bits);
}
