/** The PodSubnets that may serve a Pod's wish, subnet of the cloud by subnet of the cloud, and which addresses of each a claim can have. */
import { createHash } from 'node:crypto';
import type { CloudNic, CloudSubnet, SubnetId } from '../../cloud/cloud.ts';
import { failure } from '../../errors/failure.ts';
import { compareIps, type Family, familyOf, type Ip } from '../../net/address.ts';
import { addressAt, contains, lastOf, sizeOf } from '../../net/cidr.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';
import { sayCloudSubnets, subnetIdOf } from '../../store/subnet-id.ts';
import { cloudSubnetsOf, nearSubnets, whyNoneNear } from '../cloud-subnets.ts';
import type { Facts } from '../facts.ts';
import { subnetOf } from '../tags.ts';
import { givesWhole } from '../uses.ts';

/** What is known of a node when its Pods' wishes are followed. */
export interface NodeView {
  /** The PodSubnets it may use. */
  readonly subnets: readonly PodSubnet[];
  readonly cloudSubnets: ReadonlyMap<SubnetId, CloudSubnet>;
  /** Which of them PodSubnets that name theirs by tags have now. */
  readonly tagged: Facts['tagged'];
  readonly zone: string;
  /** Its interfaces. */
  readonly nics: readonly Pick<CloudNic, 'subnet' | 'tags'>[];
  /** Subnets of the cloud that had nothing left a while ago. */
  readonly full: ReadonlyMap<SubnetId, unknown>;
}

/** A PodSubnet, and a subnet of the cloud that it has for that node. */
export interface Candidate {
  readonly name: string;
  /** Of several subnets of one PodSubnet each has its own: `pods (subnet-1)`. */
  readonly key: string;
  readonly spec: PodSubnet['spec'];
  readonly cloud: CloudSubnet;
}

/** What the PodSubnet of that name has for that node, the best first; or why its addresses cannot be on it. */
export function candidatesOf(name: string, view: NodeView): readonly Candidate[] | string {
  const { subnets, cloudSubnets, zone } = view;
  const found = subnets.find(({ metadata }) => metadata.name === name);
  if (found === undefined) return 'this node may not use it';
  if (givesWhole(found)) return `with datapath ${found.spec.datapath} its Pods have the address that the cloud gives their interface`;
  if (found.spec.cloudSubnets !== undefined) return ofSeveral(found, view);
  const cloud = cloudSubnets.get(subnetIdOf(found));
  if (cloud === undefined) return `the cloud knows no subnet ${subnetIdOf(found)}`;
  if (cloud.zone !== undefined && cloud.zone !== zone) return `it is in zone ${cloud.zone}, and this node in ${zone}`;
  return [{ name, key: name, spec: found.spec, cloud }];
}

/**
 * Those in the node's zone: first where something is left, then where the node has an interface already, then where the most is free. One whose tags are
 * gone comes last, as long as the node has an interface in it.
 */
function ofSeveral(found: PodSubnet, view: NodeView): readonly Candidate[] | string {
  const { name } = found.metadata;
  const where = { ...view, instance: view };
  const near = nearSubnets(found, where);
  const left = view.nics.flatMap((nic) => (subnetOf(nic) === name ? (view.cloudSubnets.get(nic.subnet) ?? []) : []));
  const all = new Map([...left, ...near].map((cloud) => [cloud.id, cloud]));
  if (all.size === 0) return view.tagged.get(name)?.problem ?? whyNoneNear(found, where);
  const rank = (cloud: CloudSubnet): number => {
    if (!near.includes(cloud)) return 3;
    if (view.full.has(cloud.id)) return 2;
    return view.nics.some(({ subnet }) => subnet === cloud.id) ? 0 : 1;
  };
  const inOrder = [...all.values()].toSorted((a, b) => rank(a) - rank(b) || b.free4 - a.free4 || (a.id < b.id ? -1 : 1));
  return inOrder.map((cloud) => ({ name, key: `${name} (${cloud.id})`, spec: found.spec, cloud }));
}

/** Why an address that a claim has of the PodSubnet cannot be on that node, since it is of one subnet of the cloud for good; undefined: it can. */
export function whyElsewhere(name: string, address: Ip, view: NodeView): string | undefined {
  const found = view.subnets.find(({ metadata }) => metadata.name === name);
  const here = candidatesOf(name, view);
  if (found === undefined || (typeof here !== 'string' && here.some((one) => lies(one, address)))) return undefined;
  const all = cloudSubnetsOf(found, { subnets: view.cloudSubnets, tagged: view.tagged });
  const its = all.find((cloud) => lies({ cloud }, address));
  if (its?.zone !== undefined && its.zone !== view.zone)
    return `it is of cloud subnet ${its.id} in zone ${its.zone}, and that node is in zone ${view.zone}`;
  if (its !== undefined || found.spec.cloudSubnets === undefined) return undefined;
  return `it is in none of the subnets that the cloud has of PodSubnet ${name} now (${sayCloudSubnets(found)})`;
}

/** @throws Failure claimAddressUnusable that says why no Pod can have the address. */
export function refuseUnusable(candidate: Candidate, address: Ip): void {
  const reason = whyUnusable(candidate, address);
  if (reason !== undefined) throw failure('claimAddressUnusable', { address, reason });
}

function whyUnusable({ name, key, spec, cloud }: Candidate, address: Ip): string | undefined {
  const family = familyOf(address);
  if (!spec.families.includes(family)) return `PodSubnet ${name} gives its Pods no IPv${family} addresses (spec.families)`;
  const cidr = cidrOfFamily(cloud, family);
  if (cidr === undefined || !contains(cidr, address))
    return `it lies outside of PodSubnet ${key}, which has ${cidr ?? `no IPv${family} block`}`;
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
export function lies({ cloud }: Pick<Candidate, 'cloud'>, address: Ip): boolean {
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
