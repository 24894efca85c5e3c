/**
 * host-local's ipam section: `ranges` (sets of alternatives, one address out of each), or the older four keys directly in `ipam` as a first set;
 * runtimeConfig's `ipRanges` come before them. Defaults and refusals are host-local's (plugins v1.9.1).
 */
import { failure } from '../../errors/failure.ts';
import { bitsOf, familyOf, type Ip } from '../../net/address.ts';
import { addressAt, type Cidr, cidrFamily, hostCidr, lastOf, lengthOf, sizeOf } from '../../net/cidr.ts';
import { isInRange, rangeOf, rangesOverlap, sayRange } from '../../net/range.ts';
import { type Fields, fieldsOf, ip, list, raw, text, wrong } from '../fields.ts';
import type { ResultDns } from '../result.ts';
import type { IpamConfig, LeaseRange, LeaseSet } from './config.ts';
import { demandIn, networkIn, ourKeysIn, routesIn, unusable } from './parts.ts';
import { resolverIn } from './resolver.ts';
import { type IpamSource, requestedIn } from './source.ts';

/** Where host-local keeps what it gave; here only the name of a scope, and where an import would look. */
const usualDataDir = '/var/lib/cni/networks';

/** @throws Failure configInvalid, rangeUnusable, ipamFileUnreadable, argumentsInvalid. */
export function readHostLocal(source: IpamSource): IpamConfig {
  const { network, section, runtime } = source;
  const scope = scopeIn(section, network);
  const old = raw(section, 'subnet') === undefined ? [] : [[rangeIn(section)]];
  const sets = [...(list(runtime, 'ipRanges', setMember) ?? []), ...old, ...(list(section, 'ranges', setMember) ?? [])];
  if (sets.length === 0) throw unusable('ipam', 'it has neither ranges nor a subnet');
  for (const [i, set] of sets.entries()) refuseOverlaps(set, `range set ${i}`);
  for (const [i, set] of sets.entries()) refuseOverlapsOfSets(set, sets.slice(0, i), i);
  return {
    dialect: 'host-local',
    network,
    sets: sets.map((ranges, i): LeaseSet => ({ scope, name: String(i), ranges })),
    fixed: [],
    requested: requestedIn(source),
    ...ourKeysIn(section, 'next'),
    sameAgain: false,
    routes: routesIn(section),
    dns: dnsIn(source),
    clusterWide: false,
    subnet: undefined,
  };
}

/** The scope is the directory that host-local would use. @throws Failure configInvalid. */
function scopeIn(section: Fields, network: string): string {
  const dir = text(section, 'dataDir', 'an absolute path', (found) => (found.startsWith('/') ? found : undefined)) ?? usualDataDir;
  return `${dir.replaceAll(/\/+/g, '/').replace(/\/$/, '')}/${network}`;
}

function dnsIn({ section, readFile }: IpamSource): ResultDns {
  const path = text(section, 'resolvConf');
  if (path === undefined) return {};
  const found = readFile(path);
  if (found === undefined) throw failure('ipamFileUnreadable', { path, reason: 'there is no such file' });
  return resolverIn(found);
}

function setMember(member: unknown, path: string): LeaseRange[] {
  if (!Array.isArray(member) || member.length === 0) throw wrong(path, member, 'a list of ranges');
  return member.map((range, i) => rangeIn(fieldsOf(range, `${path}[${i}]`, true)));
}

function rangeIn(fields: Fields): LeaseRange {
  const subnet = networkIn(raw(fields, 'subnet'), `${fields.path}.subnet`);
  if (bitsOf(cidrFamily(subnet)) - lengthOf(subnet) < 2) throw unusable(fields.path, `${subnet} is too small to give addresses from`);
  const gateway = ip(fields, 'gateway') ?? addressAt(subnet, 1);
  const first = within(fields, 'rangeStart', subnet) ?? addressAt(subnet, 1);
  const last = within(fields, 'rangeEnd', subnet) ?? lastGiven(subnet);
  if (!isInRange({ first, last }, first)) throw unusable(fields.path, `rangeStart ${first} comes after rangeEnd ${last}`);
  return { subnet, gateway, first, last, skip: [rangeOf(hostCidr(gateway))] };
}

function within(fields: Fields, key: string, subnet: Cidr): Ip | undefined {
  const found = ip(fields, key);
  if (found !== undefined) demandIn(subnet, found, `${fields.path}.${key}`);
  return found;
}

/** All but IPv4's broadcast. */
function lastGiven(subnet: Cidr): Ip {
  return cidrFamily(subnet) === 6 ? lastOf(subnet) : addressAt(subnet, sizeOf(subnet) - 2n);
}

function refuseOverlaps(set: readonly LeaseRange[], where: string): void {
  for (const [i, range] of set.entries()) {
    const earlier = set.slice(0, i);
    const other = earlier.find((one) => rangesOverlap(one, range));
    if (other !== undefined) throw unusable(where, `${sayRange(other)} and ${sayRange(range)} overlap`);
    if (earlier.some(({ first }) => familyOf(first) !== familyOf(range.first))) throw unusable(where, 'it mixes IPv4 and IPv6');
  }
}

function refuseOverlapsOfSets(set: readonly LeaseRange[], earlier: readonly (readonly LeaseRange[])[], at: number): void {
  const other = earlier.findIndex((ranges) => ranges.some((one) => set.some((range) => rangesOverlap(one, range))));
  if (other >= 0) throw unusable(`range set ${at}`, `it overlaps with range set ${other}`);
}
