/** A result as a plugin before us, or the runtime's cache, wrote it: any version's shape becomes the fullest one. */
import { failure } from '../errors/failure.ts';
import type { Ip } from '../net/address.ts';
import { block, type Fields, fieldsOf, inner, interfaceAddress, ip, list, raw, text, textMember, whole, wrong } from './fields.ts';
import { describe } from './json.ts';
import type { Result, ResultDns, ResultInterface, ResultIp, ResultRoute } from './result.ts';
import { type CniVersion, cniVersions, isAtLeast, isCniVersion } from './versions.ts';

const unsigned32 = 0xffff_ffff;

/**
 * Reads a result. One that names no version (allowed below 1.0.0) is in that of the configuration. Fields that no version knows are dropped.
 * @throws Failure configInvalid that names the key, versionUnsupported.
 */
export function readResult(value: unknown, path: string, configVersion: CniVersion): Result {
  const fields = fieldsOf(value, path);
  const version = raw(fields, 'cniVersion') ?? configVersion;
  if (!isCniVersion(version)) throw unsupported(`${path}.cniVersion`, version);
  const dns = readDns(inner(fields, 'dns'));
  if (!isAtLeast(version, '0.3.0')) return { ...readFamilies(fields), dns };
  const interfaces = list(fields, 'interfaces', readInterface) ?? [];
  const ips = list(fields, 'ips', (member, at) => readIp(member, at, interfaces.length)) ?? [];
  return { interfaces, ips, routes: list(fields, 'routes', readRoute) ?? [], dns };
}

/** The failure for a cniVersion that is none of ours. */
export function unsupported(key: string, version: unknown): Error {
  const found = typeof version === 'string' ? version.slice(0, 40) : describe(version);
  return failure('versionUnsupported', { key, found, supported: cniVersions.join(', ') });
}

/** `nameservers`, `domain`, `search`, `options`: of a result or a configuration. @throws Failure configInvalid. */
export function readDns(fields: Fields | undefined): ResultDns {
  if (fields === undefined) return {};
  return present({
    nameservers: list(fields, 'nameservers', textMember),
    domain: text(fields, 'domain'),
    search: list(fields, 'search', textMember),
    options: list(fields, 'options', textMember),
  });
}

function readInterface(member: unknown, path: string): ResultInterface {
  const fields = fieldsOf(member, path);
  const name = text(fields, 'name');
  if (name === undefined) throw wrong(`${path}.name`, raw(fields, 'name'), 'the name of an interface');
  return present({
    name,
    mac: text(fields, 'mac'),
    mtu: whole(fields, 'mtu', 0, unsigned32),
    sandbox: text(fields, 'sandbox'),
    socketPath: text(fields, 'socketPath'),
    pciID: text(fields, 'pciID'),
  });
}

function readIp(member: unknown, path: string, interfaces: number): ResultIp {
  const fields = fieldsOf(member, path);
  const index = whole(fields, 'interface', 0, unsigned32);
  if (index !== undefined && index >= interfaces)
    throw wrong(`${path}.interface`, index, `an index into the list of ${interfaces} interfaces`);
  return present({ address: addressOf(fields, 'address'), gateway: ip(fields, 'gateway'), interface: index });
}

function addressOf(fields: Fields, key: string): string {
  const wanted = 'an address with its length such as 10.0.0.7/24';
  const address = text(fields, key, wanted, interfaceAddress);
  if (address === undefined) throw wrong(`${fields.path}.${key}`, raw(fields, key), wanted);
  return address;
}

/** A route of a result, or of an ipam section. @throws Failure configInvalid. */
export function readRoute(member: unknown, path: string): ResultRoute {
  const fields = fieldsOf(member, path);
  const dst = block(fields, 'dst');
  if (dst === undefined) throw wrong(`${path}.dst`, raw(fields, 'dst'), 'an address block');
  const number = (key: string): number | undefined => whole(fields, key, 0, unsigned32);
  return present({
    dst,
    gw: ip(fields, 'gw'),
    mtu: number('mtu'),
    advmss: number('advmss'),
    priority: number('priority'),
    table: number('table'),
    scope: number('scope'),
  });
}

/** The shape of 0.1.0 and 0.2.0: no interfaces; routes inside of the families. */
function readFamilies(fields: Fields): Omit<Result, 'dns'> {
  const ips: ResultIp[] = [];
  const routes: ResultRoute[] = [];
  for (const key of ['ip4', 'ip6']) {
    const family = inner(fields, key);
    if (family === undefined) continue;
    const gateway: Ip | undefined = ip(family, 'gateway');
    ips.push(present({ address: addressOf(family, 'ip'), gateway }));
    routes.push(...(list(family, 'routes', readRoute) ?? []));
  }
  return { interfaces: [], ips, routes };
}

/** The object without its undefined members. */
type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function present<T extends object>(object: T): Present<T> {
  // Exactly what the type says: members that are undefined go.
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Present<T>;
}
