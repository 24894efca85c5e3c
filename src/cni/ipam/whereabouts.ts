/**
 * whereabouts' ipam section: a top-level `range`, then `ipRanges`, one address out of each; static `addresses` besides. What the section lacks comes
 * from a file of defaults, the first that exists. Keys about its storage, its leader and its log have no meaning here and are ignored.
 *
 * Where we differ: the gateway is not given to a Pod, and it goes with addresses of its own family only.
 */
import { failure } from '../../errors/failure.ts';
import { bitsOf, familyOf, type Ip } from '../../net/address.ts';
import { addressAt, type Cidr, cidrFamily, cidrOf, contains, hostCidr, lengthOf, sizeOf, splitPrefix } from '../../net/cidr.ts';
import { type AddressRange, isInRange, rangeOf } from '../../net/range.ts';
import { type Fields, fieldsOf, inner, ip, list, raw, text, textMember, wrong } from '../fields.ts';
import { describe } from '../json.ts';
import { readDns } from '../prev-result.ts';
import type { IpamConfig, LeaseRange, LeaseSet } from './config.ts';
import { ourKeysIn, rangeMember, routesIn, unusable } from './parts.ts';
import { fixedIn } from './static.ts';
import type { IpamSource } from './source.ts';

/** Where whereabouts looks for defaults after `configuration_path`. */
const defaultsFiles = [
  '/etc/kubernetes/cni/net.d/whereabouts.d/whereabouts.conf',
  '/etc/cni/net.d/whereabouts.d/whereabouts.conf',
] as const;

/** @throws Failure configInvalid, rangeUnusable, ipamFileUnreadable, ipamNeedsCluster, argumentsInvalid. */
export function readWhereabouts(source: IpamSource): IpamConfig {
  const section = merged(source);
  if (text(section, 'node_slice_size') !== undefined) throw failure('ipamNeedsCluster', { key: 'node_slice_size' });
  const gateway = ip(section, 'gateway');
  const top = text(section, 'range') === undefined ? [] : [rangeIn(section, gateway)];
  const ranges = [...top, ...(list(section, 'ipRanges', (member, path) => rangeIn(fieldsOf(member, path, true), gateway)) ?? [])];
  const fixed = fixedIn({ ...source, section });
  if (ranges.length + fixed.length === 0) throw unusable('ipam', 'it has neither range, ipRanges nor addresses');
  const scopeOf = scopesIn(section);
  return {
    dialect: 'whereabouts',
    network: source.network,
    sets: ranges.map((range): LeaseSet => ({ scope: scopeOf(range.subnet), name: range.subnet, ranges: [range] })),
    fixed,
    requested: [],
    ...ourKeysIn(section, 'lowest'),
    sameAgain: true,
    routes: routesIn(section),
    dns: readDns(inner(section, 'dns')),
    clusterWide: yesOrNo(section, 'clusterWide', true),
    subnet: undefined,
  };
}

/** The scope of an address of that range: shared by all ranges under the same network_name, unless overlapping ranges are to know nothing of each other. */
function scopesIn(section: Fields): (range: Cidr) => string {
  const shared = yesOrNo(section, 'enable_overlapping_ranges', true);
  const name = text(section, 'network_name') ?? '';
  return (range) => whereaboutsScope(name, shared ? undefined : range);
}

function yesOrNo(section: Fields, key: string, otherwise: boolean): boolean {
  const found = raw(section, key) ?? otherwise;
  if (typeof found !== 'boolean') throw wrong(`${section.path}.${key}`, found, 'true or false');
  return found;
}

/** The scope's name; without a range the one that ranges share. */
export function whereaboutsScope(networkName: string, range?: Cidr): string {
  return ['whereabouts', ...(networkName === '' ? [] : [networkName]), ...(range === undefined ? [] : [range])].join(':');
}

/** The section over the defaults; enable_overlapping_ranges is never taken from there. */
function merged({ section, readFile }: IpamSource): Fields {
  const named = text(section, 'configuration_path');
  for (const path of [...(named === undefined ? [] : [named]), ...defaultsFiles]) {
    const found = readFile(path);
    if (found === undefined) continue;
    const defaults = fieldsOf(parsed(found, path), path, true);
    const own = [...section.values].filter(([, value]) => value !== null && value !== '');
    const taken = [...defaults.values].filter(([key]) => key !== 'enable_overlapping_ranges');
    return { ...section, values: new Map([...taken, ...own]) };
  }
  return section;
}

function parsed(found: string, path: string): object {
  let value: unknown;
  try {
    value = JSON.parse(found);
  } catch (cause) {
    throw failure('ipamFileUnreadable', { path, reason: cause instanceof Error ? cause.message.slice(0, 200) : 'it is no JSON' }, cause);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw failure('ipamFileUnreadable', { path, reason: `it is ${describe(value)}, not an object` });
}

/** `range`, `range_start`, `range_end`, `exclude`. Ends that lie outside of the range have no effect, as in whereabouts. */
function rangeIn(fields: Fields, gateway: Ip | undefined): LeaseRange {
  const { subnet, first, last } = writtenIn(fields);
  const size = sizeOf(subnet);
  if (bitsOf(cidrFamily(subnet)) - lengthOf(subnet) < 2) throw unusable(`${fields.path}.range`, `${subnet} is too small`);
  const whole: AddressRange = { first: addressAt(subnet, 1), last: addressAt(subnet, size - 2n) };
  const start = first !== undefined && isInRange(whole, first) ? first : whole.first;
  const end = last !== undefined && isInRange({ first: start, last: whole.last }, last) ? last : whole.last;
  const own = gateway !== undefined && familyOf(gateway) === cidrFamily(subnet) ? gateway : undefined;
  const exclude = list(fields, 'exclude', (member, path) => rangeMember(textMember(member, path), path)) ?? [];
  return { subnet, gateway: own, first: start, last: end, skip: own === undefined ? exclude : [...exclude, rangeOf(hostCidr(own))] };
}

/** A block with any address of it, or `first-last/length`. */
function writtenIn(fields: Fields): { subnet: Cidr; first: Ip | undefined; last: Ip | undefined } {
  const path = `${fields.path}.range`;
  const found = raw(fields, 'range');
  const [left = '', right] = typeof found === 'string' ? found.split('-') : [];
  const split = splitPrefix(right ?? left);
  if (split === undefined) throw wrong(path, found, 'a block such as 10.0.0.0/24, or 10.0.0.5-10.0.0.9/24');
  const subnet = cidrOf(split.ip, split.length);
  if (right === undefined) return { subnet, first: ip(fields, 'range_start'), last: ip(fields, 'range_end') };
  const first = splitPrefix(`${left}/${split.length}`)?.ip;
  if (first === undefined || !contains(subnet, first)) throw unusable(path, `${left} is not in ${subnet}`);
  return { subnet, first, last: split.ip };
}
