/** A PodSubnet that may serve a Pod's wish, and which addresses of it a claim can have. */
import { createHash } from 'node:crypto';
import type { CloudSubnet, SubnetId } from '../../cloud/cloud.ts';
import { failure } from '../../errors/failure.ts';
import { compareIps, type Family, familyOf, type Ip } from '../../net/address.ts';
import { addressAt, contains, lastOf, sizeOf } from '../../net/cidr.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';
import { subnetIdOf } from '../../store/subnet-id.ts';
import { givesWhole } from '../uses.ts';

/** What is known of a node when its Pods' wishes are followed. */
export interface NodeView {
  /** The PodSubnets it may use. */
  readonly subnets: readonly PodSubnet[];
  readonly cloudSubnets: ReadonlyMap<SubnetId, CloudSubnet>;
  readonly zone: string;
}

/** A PodSubnet, and what the cloud says of it. */
export interface Candidate {
  readonly name: string;
  readonly spec: PodSubnet['spec'];
  readonly cloud: CloudSubnet;
}

/** The PodSubnet of that name, or why its addresses cannot be on that node. */
export function candidateOf(name: string, { subnets, cloudSubnets, zone }: NodeView): Candidate | string {
  const found = subnets.find(({ metadata }) => metadata.name === name);
  if (found === undefined) return 'this node may not use it';
  if (found.spec.cloudSubnets !== undefined)
    return 'it has several subnets of the cloud (spec.cloudSubnets), and such an address is of one: name a PodSubnet with cloudSubnet';
  const cloud = cloudSubnets.get(subnetIdOf(found));
  if (cloud === undefined) return `the cloud knows no subnet ${subnetIdOf(found)}`;
  if (cloud.zone !== undefined && cloud.zone !== zone) return `it is in zone ${cloud.zone}, and this node in ${zone}`;
  if (givesWhole(found)) return `with datapath ${found.spec.datapath} its Pods have the address that the cloud gives their interface`;
  return { name, spec: found.spec, cloud };
}

/** @throws Failure claimAddressUnusable that says why no Pod can have the address. */
export function refuseUnusable(candidate: Candidate, address: Ip): void {
  const reason = whyUnusable(candidate, address);
  if (reason !== undefined) throw failure('claimAddressUnusable', { address, reason });
}

function whyUnusable({ name, spec, cloud }: Candidate, address: Ip): string | undefined {
  const family = familyOf(address);
  if (!spec.families.includes(family)) return `PodSubnet ${name} gives its Pods no IPv${family} addresses (spec.families)`;
  const cidr = cidrOfFamily(cloud, family);
  if (cidr === undefined || !contains(cidr, address))
    return `it lies outside of PodSubnet ${name}, which has ${cidr ?? `no IPv${family} block`}`;
  if (spec.range !== undefined && family === 6) return whyNone6(name);
  const { first = address, last = address } = spec.range?.ipv4 ?? {};
  if (compareIps(address, first) < 0 || compareIps(address, last) > 0)
    return `PodSubnet ${name} gives ${first} to ${last} alone (spec.range)`;
  if (address === cloud.gateway4 || address === cloud.gateway6) return `it is the gateway of PodSubnet ${name}`;
  if (family === 4 && spec.within !== undefined && !spec.within.some((block) => contains(block, address)))
    return `PodSubnet ${name} gives addresses of ${spec.within.join(', ')} alone (spec.within)`;
  const excluded = spec.exclude.find((block) => contains(block, address));
  if (excluded !== undefined) return `PodSubnet ${name} excludes ${excluded}`;
  // RFC 4291 section 2.6.1: the subnet-router anycast address; RFC 919: the broadcast address.
  if (address === addressAt(cidr, 0)) return `it is the first of ${cidr}, which stands for the subnet itself`;
  return family === 4 && address === lastOf(cidr) ? `it is the broadcast address of ${cidr}` : undefined;
}

function whyNone6(name: string): string {
  return `nodes have IPv6 addresses of PodSubnet ${name} by the /80, since it has a range, and no Pod can have one that moves with it`;
}

/** Whether the cloud's subnet has such a block at all, and the address in it. */
export function lies({ cloud }: Candidate, address: Ip): boolean {
  const cidr = cidrOfFamily(cloud, familyOf(address));
  return cidr !== undefined && contains(cidr, address);
}

/** Addresses below are left to routers, and to whoever numbers hosts by hand. */
const FIRST = 0x1_0000n;
const TRIES = 64;

/**
 * An IPv6 address for that name: clouds choose none singly. The same name gives the same one, as RFC 7217 has it for hosts; `isTaken` ones are passed over.
 * @throws Failure claimAddressUnusable when the subnet has none.
 */
export function chosenAddress(candidate: Candidate, name: string, isTaken: (address: Ip) => boolean): Ip {
  const cidr = candidate.cloud.cidr6;
  const none = (reason: string) => failure('claimAddressUnusable', { address: 'an IPv6 address', reason });
  if (cidr === undefined)
    throw none(`PodSubnet ${candidate.name} is to give IPv6 addresses, and its subnet ${candidate.cloud.id} has no IPv6 block`);
  if (candidate.spec.range !== undefined) throw none(whyNone6(candidate.name));
  const size = sizeOf(cidr);
  for (let turn = 0; turn < TRIES; turn++) {
    const digest = createHash('sha256').update(`${name}/${turn}`).digest('hex');
    const offset = BigInt(`0x${digest}`) % size;
    const address = addressAt(cidr, offset);
    if ((size > FIRST && offset < FIRST) || isTaken(address) || whyUnusable(candidate, address) !== undefined) continue;
    return address;
  }
  throw none(`PodSubnet ${candidate.name} (${cidr}) has hardly one left`);
}

function cidrOfFamily({ cidr4, cidr6 }: CloudSubnet, family: Family): CloudSubnet['cidr4'] {
  return family === 4 ? cidr4 : cidr6;
}
