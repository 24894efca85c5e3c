/**
 * Our own dialects. `pool`: one address out of each member, written as a block, as `first-last/length`, as an object of `cidr`, `first`, `last`,
 * `gateway`, `exclude`, or as a list of those that serve for each other. `subnet`: the name of a PodSubnet.
 */
import { bitsOf, familyOf, type Ip } from '../../net/address.ts';
import { addressAt, type Cidr, cidrFamily, cidrOf, hostCidr, lastOf, lengthOf, sizeOf, splitPrefix } from '../../net/cidr.ts';
import { isInRange, rangeOf, rangesOverlap, sayRange } from '../../net/range.ts';
import { type Fields, fieldsOf, inner, ip, list, raw, text, wrong } from '../fields.ts';
import { readDns } from '../prev-result.ts';
import type { IpamConfig, LeaseRange, LeaseSet } from './config.ts';
import { demandIn, networkIn, ourKeysIn, rangeMember, routesIn, unusable } from './parts.ts';
import { type IpamSource, requestedIn } from './source.ts';

/** @throws Failure configInvalid, rangeUnusable, argumentsInvalid. */
export function readPool(source: IpamSource): IpamConfig {
  const { network, section } = source;
  const scope = `flatpod:${text(section, 'scope', 'a name of letters, digits, - _ .', scopeName) ?? network}`;
  const found = raw(section, 'pool');
  const members: unknown[] = Array.isArray(found) ? found : [found];
  const sets = members.map((member, i) => setIn(member, Array.isArray(found) ? `ipam.pool[${i}]` : 'ipam.pool'));
  if (sets.length === 0) throw unusable('ipam.pool', 'it is empty');
  const all = sets.flat();
  for (const [i, range] of all.entries()) {
    const other = all.slice(0, i).find((one) => rangesOverlap(one, range));
    if (other !== undefined) throw unusable('ipam.pool', `${sayRange(other)} and ${sayRange(range)} overlap`);
  }
  return {
    ...commonIn(source),
    dialect: 'pool',
    sets: sets.map((ranges, i): LeaseSet => ({ scope, name: String(i), ranges })),
    ...ourKeysIn(section, 'next'),
    clusterWide: false,
    subnet: undefined,
  };
}

/** @throws Failure configInvalid, argumentsInvalid. */
export function readSubnet(source: IpamSource): IpamConfig {
  const subnet = text(source.section, 'subnet', 'the name of a PodSubnet', (found) => (found.includes('/') ? undefined : found));
  return { ...commonIn(source), dialect: 'subnet', sets: [], ...ourKeysIn(source.section, 'next'), clusterWide: true, subnet };
}

function commonIn(source: IpamSource) {
  const { network, section } = source;
  const dns = readDns(inner(section, 'dns'));
  return { network, fixed: [], requested: requestedIn(source), sameAgain: false, routes: routesIn(section, true), dns } as const;
}

function scopeName(found: string): string | undefined {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(found) ? found : undefined;
}

function setIn(member: unknown, path: string): LeaseRange[] {
  if (!Array.isArray(member)) return [rangeIn(member, path)];
  if (member.length === 0) throw wrong(path, member, 'a list of ranges');
  const ranges = member.map((range, i) => rangeIn(range, `${path}[${i}]`));
  if (new Set(ranges.map(({ first }) => familyOf(first))).size > 1) throw unusable(path, 'it mixes IPv4 and IPv6');
  return ranges;
}

function rangeIn(member: unknown, path: string): LeaseRange {
  if (typeof member === 'string') return rangeInText(member, path);
  const fields = fieldsOf(member, path, true);
  const cidr = networkIn(raw(fields, 'cidr'), `${path}.cidr`);
  const exclude = list(fields, 'exclude', rangeMember) ?? [];
  const gateway = raw(fields, 'gateway') === 'none' ? undefined : (ip(fields, 'gateway') ?? usualGateway(cidr));
  return rangeOfBlock(cidr, { first: within(fields, 'first', cidr), last: within(fields, 'last', cidr), gateway, exclude }, path);
}

/** A block, or `first-last/length`. */
function rangeInText(member: string, path: string): LeaseRange {
  const [left = '', right] = member.split('-');
  if (right === undefined) {
    const cidr = networkIn(member, path);
    return rangeOfBlock(cidr, { first: undefined, last: undefined, gateway: usualGateway(cidr), exclude: [] }, path);
  }
  const end = splitPrefix(right);
  const start = end && splitPrefix(`${left}/${end.length}`);
  if (end === undefined || start === undefined) throw wrong(path, member, 'a block such as 10.0.0.0/24, or 10.0.0.5-10.0.0.9/24');
  const cidr = cidrOf(end.ip, end.length);
  demandIn(cidr, start.ip, path);
  return rangeOfBlock(cidr, { first: start.ip, last: end.ip, gateway: usualGateway(cidr), exclude: [] }, path);
}

function within(fields: Fields, key: string, cidr: Cidr): Ip | undefined {
  const found = ip(fields, key);
  if (found !== undefined) demandIn(cidr, found, `${fields.path}.${key}`);
  return found;
}

/** The first address of the block; blocks of one or two have none to spare. */
function usualGateway(cidr: Cidr): Ip | undefined {
  return sizeOf(cidr) > 2n ? addressAt(cidr, 1) : undefined;
}

interface Bounds {
  readonly first: Ip | undefined;
  readonly last: Ip | undefined;
  readonly gateway: Ip | undefined;
  readonly exclude: LeaseRange['skip'];
}

/** Without bounds all but the network's own and IPv4's broadcast address; all of a block that has no others. */
function rangeOfBlock(cidr: Cidr, { first, last, gateway, exclude }: Bounds, path: string): LeaseRange {
  const small = bitsOf(cidrFamily(cidr)) - lengthOf(cidr) < 2;
  const whole = rangeOf(cidr);
  const from = first ?? (small ? whole.first : addressAt(cidr, 1));
  const to = last ?? (small || cidrFamily(cidr) === 6 ? lastOf(cidr) : addressAt(cidr, sizeOf(cidr) - 2n));
  if (!isInRange({ first: from, last: to }, from)) throw unusable(path, `${from} comes after ${to}`);
  return { subnet: cidr, gateway, first: from, last: to, skip: gateway === undefined ? exclude : [...exclude, rangeOf(hostCidr(gateway))] };
}
