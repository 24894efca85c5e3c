/** Ranges of addresses, from a first to a last one, both included. Nothing here does I/O. */
import { bitsOf, familyOf, type Ip, ipFromBigInt, ipToBigInt } from './address.ts';
import { type Cidr, firstOf, lastOf } from './cidr.ts';

/** Addresses of one family; `last` is not before `first`. */
export interface AddressRange {
  readonly first: Ip;
  readonly last: Ip;
}

/** All addresses of the block, the network's and broadcast's own included. */
export function rangeOf(cidr: Cidr): AddressRange {
  return { first: firstOf(cidr), last: lastOf(cidr) };
}

/** Whether the address lies in the range; false across families. */
export function isInRange(range: AddressRange, ip: Ip): boolean {
  if (familyOf(range.first) !== familyOf(ip)) return false;
  const value = ipToBigInt(ip);
  return value >= ipToBigInt(range.first) && value <= ipToBigInt(range.last);
}

/** Whether the two share an address. */
export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  return isInRange(a, b.first) || isInRange(b, a.first);
}

/** How many addresses it has. */
export function sizeOfRange({ first, last }: AddressRange): bigint {
  return ipToBigInt(last) - ipToBigInt(first) + 1n;
}

/** `first-last`, as people write it. */
export function sayRange({ first, last }: AddressRange): string {
  return `${first}-${last}`;
}

/** The next address, undefined after the last of the family. */
export function nextIp(ip: Ip): Ip | undefined {
  const value = ipToBigInt(ip) + 1n;
  return value >> BigInt(bitsOf(familyOf(ip))) === 0n ? ipFromBigInt(value, familyOf(ip)) : undefined;
}
