/**
 * IP addresses as branded canonical text (RFC 5952 for IPv6): what is stored, compared, logged and shown is one and the same string.
 * Arithmetic goes through bigint, the wire through bytes. Nothing here does I/O.
 */

/** An IPv4 or IPv6 address in canonical text. Two equal addresses are equal strings. */
export type Ip = string & { readonly __brand: 'Ip' };

/** Address family by its IP version. */
export type Family = 4 | 6;

/** Parses an address in any valid spelling; undefined when it is none. IPv4-mapped IPv6 stays IPv6. Zone suffixes are refused. */
export function tryParseIp(text: string): Ip | undefined {
  if (text.includes(':')) {
    const value = parseV6(text);
    return value === undefined ? undefined : ipFromBigInt(value, 6);
  }
  const value = parseV4(text);
  return value === undefined ? undefined : ipFromBigInt(BigInt(value), 4);
}

/** Parses an address. @throws RangeError that quotes the text. */
export function parseIp(text: string): Ip {
  const ip = tryParseIp(text);
  if (ip === undefined) throw new RangeError(`not an IP address: ${JSON.stringify(text)}`);
  return ip;
}

/** Whether it is an IPv4 or an IPv6 address. */
export function familyOf(ip: Ip): Family {
  return ip.includes(':') ? 6 : 4;
}

/** The families that the addresses are of, each once, in their order. */
export function familiesIn(addresses: readonly Ip[]): Family[] {
  return [...new Set(addresses.map(familyOf))];
}

/** Width of an address in bits: 32 or 128. */
export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** The address as an unsigned number. */
export function ipToBigInt(ip: Ip): bigint {
  // The brand promises valid text, so neither parse can fail.
  return familyOf(ip) === 4 ? BigInt(parseV4(ip) ?? 0) : (parseV6(ip) ?? 0n);
}

/** @throws RangeError when the number does not fit the family. */
export function ipFromBigInt(value: bigint, family: Family): Ip {
  if (value < 0n || value >> BigInt(bitsOf(family)) !== 0n) throw new RangeError(`${value} is outside of IPv${family}`);
  return (family === 4 ? formatV4(Number(value)) : formatV6(value)) as Ip;
}

/** Network byte order, 4 or 16 bytes. */
export function ipToBytes(ip: Ip): Uint8Array {
  const family = familyOf(ip);
  const bytes = new Uint8Array(bitsOf(family) / 8);
  if (family === 4) {
    new DataView(bytes.buffer).setUint32(0, parseV4(ip) ?? 0);
    return bytes;
  }
  const value = ipToBigInt(ip);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, value >> 64n);
  view.setBigUint64(8, value & 0xffff_ffff_ffff_ffffn);
  return bytes;
}

/** The inverse of {@link ipToBytes}. @throws RangeError unless there are 4 or 16 bytes. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) return formatV4(view.getUint32(0)) as Ip;
  if (bytes.length === 16) return formatV6((view.getBigUint64(0) << 64n) | view.getBigUint64(8)) as Ip;
  throw new RangeError(`an address has 4 or 16 bytes, not ${bytes.length}`);
}

/** The address `offset` further on. @throws RangeError when that leaves the family. */
export function addToIp(ip: Ip, offset: bigint | number): Ip {
  return ipFromBigInt(ipToBigInt(ip) + BigInt(offset), familyOf(ip));
}

/** Numeric order, IPv4 before IPv6: for sorting. */
export function compareIps(a: Ip, b: Ip): number {
  const families = familyOf(a) - familyOf(b);
  if (families !== 0) return families;
  const [x, y] = [ipToBigInt(a), ipToBigInt(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function parseV4(text: string): number | undefined {
  let value = 0;
  let part = -1;
  let parts = 0;
  let digits = 0;
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : 46;
    if (c === 46) {
      if (part < 0 || part > 255 || ++parts > 4) return undefined;
      value = value * 256 + part;
      part = -1;
      digits = 0;
    } else if (c >= 48 && c <= 57) {
      // A leading zero is octal to some C libraries and decimal to others: refuse it.
      if (part === 0 || ++digits > 3) return undefined;
      part = (part < 0 ? 0 : part * 10) + c - 48;
    } else return undefined;
  }
  return parts === 4 ? value : undefined;
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [left, right] = [groupsOf(halves[0] ?? '', halves.length === 1), groupsOf(halves[1] ?? '', true)];
  if (left === undefined || right === undefined) return undefined;
  const missing = 8 - left.length - right.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...left, ...Array<number>(missing).fill(0), ...right].reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** The 16-bit groups of one side of `::`; only the last of the address may be dotted IPv4. */
function groupsOf(text: string, mayEndInV4: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (mayEndInV4 && i === parts.length - 1 && part.includes('.')) {
      const v4 = parseV4(part);
      if (v4 === undefined) return undefined;
      groups.push(Math.floor(v4 / 65536), v4 % 65536);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function formatV4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** RFC 5952: lower case, no leading zeros, the longest (first) run of two or more zero groups as `::`. */
function formatV6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  let [best, bestLength] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > bestLength) [best, bestLength] = [i, j - i];
    if (j > i) i = j;
  }
  const hex = groups.map((group) => group.toString(16));
  if (best < 0) return hex.join(':');
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`;
}
