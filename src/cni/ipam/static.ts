/**
 * static's ipam section: `addresses` as they are, kept account of by nobody. `CNI_ARGS` IP= adds to them and GATEWAY= is set on each address whose subnet
 * holds it; `args.cni.ips` replaces all of them, and then runtimeConfig's `ips` (plugins v1.9.1).
 */
import { type Ip, tryParseIp } from '../../net/address.ts';
import { cidrOf, contains } from '../../net/cidr.ts';
import { type Fields, fieldsOf, inner, ip, list, raw, wrong } from '../fields.ts';
import { readDns } from '../prev-result.ts';
import type { ResultIp } from '../result.ts';
import type { IpamConfig } from './config.ts';
import { prefixMember, routesIn } from './parts.ts';
import type { IpamSource } from './source.ts';

interface StaticAddress {
  readonly ip: Ip;
  readonly length: number;
  readonly gateway: Ip | undefined;
}

/** @throws Failure configInvalid, argumentsInvalid. */
export function readStatic(source: IpamSource): IpamConfig {
  const { network, section, runtime, hints } = source;
  const member = (found: unknown, path: string): StaticAddress => ({ ...prefixMember(found, path), gateway: undefined });
  const asked = list(runtime, 'ips', member) ?? [];
  const hinted = hints.map((hint, i) => member(hint, `args.cni.ips[${i}]`));
  const addresses = [asked, hinted].find((some) => some.length > 0) ?? configured(source);
  return {
    dialect: 'static',
    network,
    sets: [],
    fixed: addresses.map(resultIp),
    requested: [],
    order: 'lowest',
    cooldown: { ms: 0, strict: false },
    reservations: [],
    sameAgain: false,
    routes: routesIn(section),
    dns: readDns(inner(section, 'dns')),
    clusterWide: false,
    subnet: undefined,
  };
}

/** Addresses of the section, those of CNI_ARGS, and the gateways there. @throws Failure configInvalid. */
export function fixedIn(source: IpamSource): ResultIp[] {
  return configured(source).map(resultIp);
}

function configured({ section, args }: IpamSource): StaticAddress[] {
  const gateways = args.gateways.map((text) => {
    const gateway = tryParseIp(text);
    if (gateway === undefined) throw wrong('CNI_ARGS GATEWAY', text, 'an IP address');
    return gateway;
  });
  const added = args.prefixes.map((text) => ({ ...prefixMember(text, 'CNI_ARGS IP'), gateway: undefined }));
  const own = list(section, 'addresses', (member, path) => addressIn(fieldsOf(member, path, true))) ?? [];
  return [...own, ...added].map((address) => {
    const block = cidrOf(address.ip, address.length);
    return { ...address, gateway: gateways.findLast((gateway) => contains(block, gateway)) ?? address.gateway };
  });
}

function addressIn(fields: Fields): StaticAddress {
  return { ...prefixMember(raw(fields, 'address'), `${fields.path}.address`), gateway: ip(fields, 'gateway') };
}

function resultIp({ ip: address, length, gateway }: StaticAddress): ResultIp {
  return { address: `${address}/${length}`, ...(gateway !== undefined && { gateway }) };
}
