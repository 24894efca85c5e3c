/** Parts that ipam sections of several dialects have: ranges in text, routes, and the keys that are ours in any of them. */
import { failure } from '../../errors/failure.ts';
import { familyOf, type Ip, tryParseIp } from '../../net/address.ts';
import { cidrOf, contains, type Cidr, firstOf, hostCidr, splitPrefix, tryParseCidr } from '../../net/cidr.ts';
import { type AddressRange, isInRange, rangeOf } from '../../net/range.ts';
import { type Fields, fieldsOf, list, raw, text, whole, wrong } from '../fields.ts';
import { readRoute } from '../prev-result.ts';
import type { ResultRoute } from '../result.ts';
import type { Cooldown, IpamConfig, Reservation } from './config.ts';

/** Longer than a connection that nobody answers is tried (conntrack's SYN_SENT, 120 s). */
const usualCooldown_s = 120;
const longestCooldown_s = 86_400;

/** `10.0.0.0/24`, `10.0.0.5` or `10.0.0.5-10.0.0.9`. undefined when it is none of them. */
function rangeInText(found: string): AddressRange | undefined {
  const ip = tryParseIp(found);
  if (ip !== undefined) return rangeOf(hostCidr(ip));
  const split = splitPrefix(found);
  if (split !== undefined) return rangeOf(cidrOf(split.ip, split.length));
  const [first, last, ...more] = found.split('-').map((end) => tryParseIp(end.trim()));
  if (first === undefined || last === undefined || more.length > 0 || familyOf(first) !== familyOf(last)) return undefined;
  // A range that ends before it begins holds nothing, not even its own first address.
  return isInRange({ first, last }, first) ? { first, last } : undefined;
}

/** A member of a list of ranges in text. @throws Failure configInvalid. */
export function rangeMember(member: unknown, path: string): AddressRange {
  const found = typeof member === 'string' ? rangeInText(member) : undefined;
  if (found === undefined) throw wrong(path, member, 'an address, a block such as 10.0.0.0/28, or first-last');
  return found;
}

/** `address/length`, host bits kept, for the result. @throws Failure configInvalid. */
export function prefixMember(member: unknown, path: string): { readonly ip: Ip; readonly length: number } {
  const found = typeof member === 'string' ? splitPrefix(member.trim()) : undefined;
  if (found === undefined) throw wrong(path, member, 'an address with its length such as 10.0.0.7/24');
  return found;
}

/** The failure for a range that is written well and cannot be. */
export function unusable(where: string, problem: string): Error {
  return failure('rangeUnusable', { where, problem });
}

/** A block without host bits. @throws Failure rangeUnusable, configInvalid. */
export function networkIn(found: unknown, path: string): Cidr {
  const split = typeof found === 'string' ? splitPrefix(found) : undefined;
  if (typeof found !== 'string' || split === undefined) throw wrong(path, found, 'an address block such as 10.0.0.0/16');
  const cidr = tryParseCidr(found) ?? cidrOf(split.ip, split.length);
  if (firstOf(cidr) !== split.ip) throw unusable(path, `${found} has host bits set; its network address is ${firstOf(cidr)}`);
  return cidr;
}

/** @throws Failure rangeUnusable unless the address is one of the block. */
export function demandIn(cidr: Cidr, ip: Ip, where: string): void {
  if (!contains(cidr, ip)) throw unusable(where, `${ip} is not in ${cidr}`);
}

/** `routes`, as objects; with `texts` also as bare destinations. @throws Failure configInvalid. */
export function routesIn(section: Fields, texts = false): ResultRoute[] {
  const read = (member: unknown, path: string): ResultRoute =>
    readRoute(texts && typeof member === 'string' ? { dst: member } : member, path);
  return list(section, 'routes', read) ?? [];
}

/** The keys that are ours in every dialect that leases: `order`, `cooldown`, `reservations`. @throws Failure configInvalid. */
export function ourKeysIn(section: Fields, order: IpamConfig['order']): Pick<IpamConfig, 'order' | 'cooldown' | 'reservations'> {
  const chosen = text(section, 'order', 'lowest, next or random', (found) => orders.find((name) => name === found));
  return { order: chosen ?? order, cooldown: cooldownIn(section), reservations: list(section, 'reservations', reservation) ?? [] };
}
const orders = ['lowest', 'next', 'random'] as const;

/** Seconds, or an object of `seconds` and `strict`. */
function cooldownIn(section: Fields): Cooldown {
  const found = raw(section, 'cooldown');
  if (typeof found !== 'object') {
    const seconds = whole(section, 'cooldown', 0, longestCooldown_s);
    return { ms: (seconds ?? usualCooldown_s) * 1000, strict: false };
  }
  const fields = fieldsOf(found, `${section.path}.cooldown`, true);
  const strict = raw(fields, 'strict') ?? false;
  if (typeof strict !== 'boolean') throw wrong(`${fields.path}.strict`, strict, 'true or false');
  return { ms: (whole(fields, 'seconds', 0, longestCooldown_s) ?? usualCooldown_s) * 1000, strict };
}

/** A range in text, or an object of `address` and `pod`. */
function reservation(member: unknown, path: string): Reservation {
  if (typeof member !== 'object' || member === null) return { ...rangeMember(member, path), pod: undefined };
  const fields = fieldsOf(member, path, true);
  const pod = text(fields, 'pod', 'the Pod as namespace/name', (found) => (/^[^/\s]+\/[^/\s]+$/.test(found) ? found : undefined));
  return { ...rangeMember(raw(fields, 'address'), `${path}.address`), pod };
}
