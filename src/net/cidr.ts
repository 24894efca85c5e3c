/** CIDR blocks as branded canonical text: network address, slash, length. */
import { bitsOf, type Family, familyOf, type Ip, ipFromBigInt, ipToBigInt, tryParseIp } from './address.ts';

/** A block such as `10.20.0.0/24`, host bits zero. Two equal blocks are equal strings. */
export type Cidr = string & { readonly __brand: 'Cidr' };

/** Parses `address/length`; host bits must be zero. undefined when it is no block. */
export function tryParseCidr(text: string): Cidr | undefined {
  const parsed = splitPrefix(text);
  if (parsed === undefined) return undefined;
  const block = cidrOf(parsed.ip, parsed.length);
  return firstOf(block) === parsed.ip ? block : undefined;
}

/** Parses a block. @throws RangeError that quotes the text. */
export function parseCidr(text: string): Cidr {
  const cidr = tryParseCidr(text);
  if (cidr === undefined) throw new RangeError(`not a CIDR block: ${JSON.stringify(text)}`);
  return cidr;
}

/** Splits `address/length` without asking that host bits are zero (an interface address). undefined when it is neither. */
export function splitPrefix(text: string): { ip: Ip; length: number } | undefined {
  const slash = text.indexOf('/');
  const ip = tryParseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (slash < 0 || ip === undefined || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const length = Number(digits);
  return length <= bitsOf(familyOf(ip)) ? { ip, length } : undefined;
}

/** The block of that length that holds the address. */
export function cidrOf(ip: Ip, length: number): Cidr {
  const family = familyOf(ip);
  const host = BigInt(bitsOf(family) - length);
  return `${ipFromBigInt((ipToBigInt(ip) >> host) << host, family)}/${length}` as Cidr;
}

/** The address alone: /32 or /128. */
export function hostCidr(ip: Ip): Cidr {
  return `${ip}/${bitsOf(familyOf(ip))}` as Cidr;
}

/** The prefix length: 0–32 or 0–128. */
export function lengthOf(cidr: Cidr): number {
  return Number(cidr.slice(cidr.indexOf('/') + 1));
}

/** The network address: the first of the block. */
export function firstOf(cidr: Cidr): Ip {
  return cidr.slice(0, cidr.indexOf('/')) as Ip;
}

/** Whether it is one address alone: a /32 or a /128. */
export function isHost(cidr: Cidr): boolean {
  return lengthOf(cidr) === bitsOf(cidrFamily(cidr));
}

/** As people and clouds write it: an address alone without its length. */
export function sayCidr(cidr: Cidr): string {
  return isHost(cidr) ? firstOf(cidr) : cidr;
}

/** Whether it is a block of IPv4 or of IPv6 addresses. */
export function cidrFamily(cidr: Cidr): Family {
  return cidr.includes(':') ? 6 : 4;
}

/** How many addresses the block has. */
export function sizeOf(cidr: Cidr): bigint {
  return 1n << BigInt(bitsOf(cidrFamily(cidr)) - lengthOf(cidr));
}

/** The last address: IPv4's broadcast. */
export function lastOf(cidr: Cidr): Ip {
  return ipFromBigInt(ipToBigInt(firstOf(cidr)) + sizeOf(cidr) - 1n, cidrFamily(cidr));
}

/** The address at that offset from the first. @throws RangeError outside of the block. */
export function addressAt(cidr: Cidr, offset: bigint | number): Ip {
  const n = BigInt(offset);
  if (n < 0n || n >= sizeOf(cidr)) throw new RangeError(`offset ${n} is outside of ${cidr}`);
  return ipFromBigInt(ipToBigInt(firstOf(cidr)) + n, cidrFamily(cidr));
}

/** Whether the address lies in the block; false across families. */
export function contains(cidr: Cidr, ip: Ip): boolean {
  return cidrFamily(cidr) === familyOf(ip) && cidrOf(ip, lengthOf(cidr)) === cidr;
}

/** Whether `inner` lies wholly within `outer`. */
export function containsCidr(outer: Cidr, inner: Cidr): boolean {
  return lengthOf(inner) >= lengthOf(outer) && contains(outer, firstOf(inner));
}

/** Whether the blocks share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return containsCidr(a, b) || containsCidr(b, a);
}

/** The fewest blocks that hold exactly the same addresses, in order; IPv4 before IPv6. */
export function aggregate(cidrs: readonly Cidr[]): Cidr[] {
  const found: Cidr[] = [];
  for (const cidr of cidrs.toSorted(compare)) {
    const last = found.at(-1);
    if (last !== undefined && containsCidr(last, cidr)) continue;
    found.push(cidr);
    for (let joined = join(found); joined !== undefined; joined = join(found)) found.splice(-2, 2, joined);
  }
  return found;
}

/** The block that the last two are the halves of. */
function join(cidrs: readonly Cidr[]): Cidr | undefined {
  const [low, high] = cidrs.slice(-2);
  if (low === undefined || high === undefined || lengthOf(low) === 0 || lengthOf(low) !== lengthOf(high)) return undefined;
  const whole = cidrOf(firstOf(low), lengthOf(low) - 1);
  return firstOf(whole) === firstOf(low) && containsCidr(whole, high) && low !== high ? whole : undefined;
}

/** By family, then by first address; of two that begin together the larger comes first. */
function compare(a: Cidr, b: Cidr): number {
  const difference = ipToBigInt(firstOf(a)) - ipToBigInt(firstOf(b));
  return cidrFamily(a) - cidrFamily(b) || (difference < 0n ? -1 : difference > 0n ? 1 : 0) || lengthOf(a) - lengthOf(b);
}

/** Every address of the block, in order, lazily. */
export function* addressesOf(cidr: Cidr): Generator<Ip> {
  const [first, family, size] = [ipToBigInt(firstOf(cidr)), cidrFamily(cidr), sizeOf(cidr)];
  for (let i = 0n; i < size; i++) yield ipFromBigInt(first + i, family);
}
