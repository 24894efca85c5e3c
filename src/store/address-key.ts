/** Addresses as keys of tables: bytes whose order is that of addresses, IPv4 before IPv6, so that an index finds neighbours. */
import { familyOf, type Ip, ipFromBytes, ipToBytes } from '../net/address.ts';

/** A byte for the family, then the address in network byte order. */
export function addressKey(ip: Ip): Uint8Array {
  return Uint8Array.from([familyOf(ip), ...ipToBytes(ip)]);
}

/** The inverse of {@link addressKey}. @throws RangeError when the column holds something else. */
export function ipOfKey(column: unknown): Ip {
  if (!(column instanceof Uint8Array)) throw new RangeError('an address column without bytes');
  return ipFromBytes(column.subarray(1));
}
