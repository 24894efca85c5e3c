/** Subnets and networks of Neutron's API v2.0 as far as we use them. A PodSubnet with both families names two of Neutron's subnets: `ID4+ID6`. */
import type { Ip } from '../../net/address.ts';
import { type Cidr, cidrFamily } from '../../net/cidr.ts';
import type { SubnetId } from '../cloud.ts';
import { cidr, id, ip, list, mtu, object, optional, type Read, text } from '../wire/shape.ts';

/** From the first to the last address, both included. */
export interface Pool {
  readonly start: Ip;
  readonly end: Ip;
}

/** One family's subnet. */
export interface Subnet {
  readonly id: SubnetId;
  readonly network: string;
  readonly cidr: Cidr;
  readonly gateway?: Ip;
  /** What Neutron gives by itself, to whoever asks for any address. */
  readonly pools: readonly Pool[];
  /** Only ports with one of these as their `device_owner` get addresses of it; empty: all. */
  readonly serviceTypes: readonly string[];
}

/** A network. */
export interface Network {
  readonly id: string;
  readonly mtu: number;
  readonly project: string;
  readonly isShared: boolean;
  /** What is beyond a router, and never a Pod's. */
  readonly isExternal: boolean;
}

const poolOf: Read<Pool> = (value, at) => {
  const from = object(value, at);
  return { start: ip(from['start'], `${at}.start`), end: ip(from['end'], `${at}.end`) };
};

/** @throws Mismatch */
export const subnetOf: Read<Subnet> = (value, at) => {
  const from = object(value, at);
  const { gateway_ip: gateway } = from['gateway_ip'] === null ? {} : optional(from, 'gateway_ip', ip, at);
  return {
    id: id<SubnetId>(from['id'], `${at}.id`),
    network: id(from['network_id'], `${at}.network_id`),
    cidr: cidr(from['cidr'], `${at}.cidr`),
    ...(gateway !== undefined && { gateway }),
    pools: list(poolOf)(from['allocation_pools'] ?? [], `${at}.allocation_pools`),
    serviceTypes: list(text)(from['service_types'] ?? [], `${at}.service_types`),
  };
};

/** @throws Mismatch */
export const networkOf: Read<Network> = (value, at) => {
  const from = object(value, at);
  return {
    id: id(from['id'], `${at}.id`),
    mtu: mtu(from['mtu'] ?? 1500, `${at}.mtu`),
    project: id(from['project_id'] ?? from['tenant_id'], `${at}.project_id`),
    isShared: from['shared'] === true,
    isExternal: from['router:external'] === true,
  };
};

/** Neutron's subnets in our name for one or two of them. */
export function partsOf(subnet: SubnetId): SubnetId[] {
  // Each part of such a name is one.
  return subnet.split('+') as SubnetId[];
}

/** Our name for the subnets, IPv4 first. */
export function nameOf(parts: readonly { readonly subnet: SubnetId; readonly family: 4 | 6 }[]): SubnetId {
  const ordered = parts.toSorted((a, b) => a.family - b.family).map(({ subnet }) => subnet);
  // Made of names of subnets alone.
  return [...new Set(ordered)].join('+') as SubnetId;
}

/** Of these, the one of the family. */
export function subnetFor(subnets: readonly Subnet[], family: 4 | 6): Subnet | undefined {
  return subnets.find((one) => cidrFamily(one.cidr) === family);
}
