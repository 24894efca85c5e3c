/**
 * The result of ADD in its fullest shape (CNI 1.1.0), and its JSON in the shape of each version (CNI specification, "Success" of each version;
 * where versions differ, what libcni's own conversions do).
 */
import { failure } from '../errors/failure.ts';
import type { Ip } from '../net/address.ts';
import type { Cidr } from '../net/cidr.ts';
import { type CniVersion, isAtLeast } from './versions.ts';

/** One end of a link. Those without sandbox are on the host. */
export interface ResultInterface {
  readonly name: string;
  /** As the plugin that made it wrote it; InfiniBand's are longer than Ethernet's. */
  readonly mac?: string;
  readonly mtu?: number;
  /** CNI_NETNS, verbatim. */
  readonly sandbox?: string;
  readonly socketPath?: string;
  readonly pciID?: string;
}

/** An address of an interface. */
export interface ResultIp {
  /** `address/length` in canonical text, host bits kept. */
  readonly address: string;
  readonly gateway?: Ip;
  /** Index into `interfaces`. */
  readonly interface?: number;
}

/** A route in the container. Absent and 0 differ in `table` and `scope`. */
export interface ResultRoute {
  readonly dst: Cidr;
  /** Absent: the gateway of the first address of that family. */
  readonly gw?: Ip;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: number;
}

/** Resolver settings; every part may be absent. */
export interface ResultDns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/** A result, of ours or of a plugin before us. */
export interface Result {
  readonly interfaces: readonly ResultInterface[];
  readonly ips: readonly ResultIp[];
  readonly routes: readonly ResultRoute[];
  readonly dns: ResultDns;
}

/** A value that goes into JSON; absent members are left out there. */
type Json = Readonly<Record<string, unknown>>;

/**
 * The result as JSON text of that version. Up to 0.4.0 interfaces lose what they had not yet; up to 0.2.0 only the first IPv4 and IPv6 address
 * and their families' routes remain.
 * @throws Failure resultInexpressible: up to 0.2.0 there must be an address.
 */
export function resultJson(result: Result, version: CniVersion): string {
  return JSON.stringify({ cniVersion: version, ...shapeOf(result, version) });
}

function shapeOf(result: Result, version: CniVersion): Json {
  const dns = presentOrAbsent(result.dns);
  if (!isAtLeast(version, '0.3.0')) return { ...byFamily(result, version), dns };
  const routes = filled(result.routes);
  if (isAtLeast(version, '1.0.0')) return { interfaces: filled(result.interfaces), ips: filled(result.ips), routes, dns };
  const interfaces = result.interfaces.map(({ name, mac, sandbox }) => ({ name, mac, sandbox }));
  const ips = result.ips.map((one) => ({ version: isV6(one.address) ? '6' : '4', ...one }));
  return { interfaces: filled(interfaces), ips: filled(ips), routes, dns };
}

/** 0.1.0 and 0.2.0. */
function byFamily(result: Result, version: CniVersion): Json {
  const [ip4, ip6] = [familyShape(result, false), familyShape(result, true)];
  if (ip4 === undefined && ip6 === undefined)
    throw failure('resultInexpressible', { version, reason: 'it has no address, and that version has nothing else' });
  return { ip4, ip6 };
}

function familyShape(result: Result, v6: boolean): Json | undefined {
  const first = result.ips.find(({ address }) => isV6(address) === v6);
  if (first === undefined) return undefined;
  const routes = result.routes.filter(({ dst }) => isV6(dst) === v6).map(({ dst, gw }) => ({ dst, gw }));
  return { ip: first.address, gateway: first.gateway, routes: filled(routes) };
}

function isV6(address: string): boolean {
  return address.includes(':');
}

/** Empty lists are left out, as absent fields are. */
function filled<T>(members: readonly T[]): readonly T[] | undefined {
  return members.length === 0 ? undefined : members;
}

function presentOrAbsent(dns: ResultDns): ResultDns | undefined {
  const { nameservers = [], domain, search = [], options = [] } = dns;
  return nameservers.length + search.length + options.length === 0 && domain === undefined ? undefined : dns;
}
