/**
 * Interfaces that several PodSubnets share. Of one subnet of the cloud PodSubnets with blocks of their own (spec.within) use the interfaces that the node has
 * there already, whichever of them these were made for: one for a node and subnet is enough, and an instance takes few.
 *
 * Invariants
 * - each interface has one host, which alone decides whether it stays while it is empty; the others are guests
 * - a guest connects its Pods as the host does, with the same security groups, and has IPv4 alone: /80 blocks are nobody's own
 * - a block that was granted stays its PodSubnet's until it is given back, whoever it would belong to now
 */
import type { CloudNic } from '../cloud/cloud.ts';
import { type Cidr, cidrFamily, containsCidr } from '../net/cidr.ts';
import { subnetOfBlock, subnetsOf, viewFor } from '../store/nic-shares.ts';
import type { GrantedNic } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { liesIn } from './cloud-subnets.ts';
import type { NicIntent } from './notes.ts';
import type { Situation } from './situation.ts';
import { isOurs, subnetOf } from './tags.ts';
import { isFirst, needsMultiMac, useFor, useOf } from './uses.ts';

/** Whether the NIC may serve Pods of that PodSubnet, were it made for it. */
export function fits(nic: CloudNic, subnet: PodSubnet, situation: Situation): boolean {
  return (
    nic.whose === undefined &&
    liesIn(nic, subnet, situation) &&
    useOf(nic) === useFor(subnet) &&
    (nic.multiMac === true || !needsMultiMac(subnet)) &&
    (!isFirst(nic) || subnet.spec.useFirstNic)
  );
}

/** Whether the PodSubnet may be a guest on it, beside that host. */
export function mayShare(nic: CloudNic, guest: PodSubnet, host: string | undefined, situation: Situation): boolean {
  return isGuest(guest) && fits(nic, guest, situation) && sameGroups(nic, guest, situation) && isLike(guest, named(host, situation));
}

/** Whether an interface that is about to be made for another PodSubnet will do for this one. */
export function willShare(intent: NicIntent, guest: PodSubnet, situation: Situation): boolean {
  const host = named(intent.subnet, situation);
  if (host === undefined || intent.subnet === guest.metadata.name || !isGuest(guest) || intent.use !== undefined) return false;
  return guest.spec.cloudSubnet === intent.cloudSubnet && sameGroups(intent, guest, situation) && isLike(guest, host);
}

/** Whether an interface that was made for another PodSubnet is on its way into the instance, and will do for this one. */
export function isComingTo(nic: CloudNic, guest: PodSubnet, situation: Situation): boolean {
  const { cluster, node, spec } = situation;
  const host = subnetOf(nic);
  const isComing = nic.attachment?.state === 'attaching' && nic.attachment.instance === spec.instance && isOurs(nic, cluster, node);
  return isComing && host !== guest.metadata.name && mayShare(nic, guest, host, situation);
}

/**
 * The PodSubnet that an interface of ours is for: the one it was made for, or when that is gone, with all that was granted of it, one of its guests;
 * the one before, those that have something of it, the first by name.
 */
export function hostOf(nic: CloudNic, before: GrantedNic | undefined, situation: Situation): string | undefined {
  const made = subnetOf(nic);
  if (made === undefined || named(made, situation) !== undefined) return made;
  if (before !== undefined && viewFor(before, made).blocks.length > 0) return made;
  const had = before === undefined ? [] : subnetsOf(before);
  const rank = (name: string): number => (name === before?.subnet ? 0 : had.includes(name) ? 1 : 2);
  const heirs = situation.subnets.filter((one) => mayShare(nic, one, undefined, situation)).map(({ metadata }) => metadata.name);
  return heirs.toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))[0] ?? made;
}

/** Which of the blocks are whose guest's; all others are the host's. Sorted by name; undefined: there is none. */
export function sharesOf(
  nic: CloudNic,
  blocks: readonly Cidr[],
  of: { readonly host: string; readonly before: GrantedNic | undefined },
  situation: Situation,
): GrantedNic['shared'] {
  const guests = situation.subnets
    .filter(({ metadata: { name } }) => name !== of.host)
    .filter((one) => mayShare(nic, one, of.host, situation));
  const shares = new Map<string, Cidr[]>();
  for (const block of blocks) {
    const had = of.before?.blocks.includes(block) === true ? subnetOfBlock(of.before, block) : undefined;
    const owner = had ?? guests.find((one) => isIn(one, block))?.metadata.name ?? of.host;
    if (owner !== of.host) shares.set(owner, [...(shares.get(owner) ?? []), block]);
  }
  if (shares.size === 0) return undefined;
  return [...shares].map(([subnet, own]) => ({ subnet, blocks: own })).sort((a, b) => (a.subnet < b.subnet ? -1 : 1));
}

/** What the cloud has on the interface, and what was granted of it, by PodSubnet. `grant`: undefined where it is not granted. */
export function partsOf(nic: CloudNic, grant: GrantedNic | undefined, situation: Situation): Map<string, Cidr[]> {
  const host = grant === undefined ? subnetOf(nic) : grant.subnet;
  const parts = new Map<string, Cidr[]>();
  if (host === undefined) return parts;
  const blocks = [...new Set([...nic.blocks, ...(grant?.blocks ?? [])])];
  const shared = sharesOf(nic, blocks, { host, before: grant }, situation) ?? [];
  for (const { subnet, blocks: own } of shared) parts.set(subnet, [...own]);
  parts.set(
    host,
    blocks.filter((block) => !shared.some((part) => part.blocks.includes(block))),
  );
  return parts;
}

function isGuest({ spec: { within, families } }: PodSubnet): boolean {
  return within !== undefined && families.length === 1 && families[0] === 4;
}

/** A PodSubnet that is gone says nothing any more. */
function isLike({ spec }: PodSubnet, host: PodSubnet | undefined): boolean {
  if (host === undefined) return true;
  return (
    (['datapath', 'mode', 'fallback'] as const).every((key) => host.spec[key] === spec[key]) &&
    isSame(host.spec.securityGroups, spec.securityGroups)
  );
}

/** Where further Ethernet addresses are let through groups mean nothing, and where none are wanted the cloud may have put in its own. */
function sameGroups(nic: Pick<NicIntent, 'securityGroups' | 'multiMac'>, subnet: PodSubnet, situation: Situation): boolean {
  const wanted = groupsFor(subnet, situation);
  return nic.multiMac === true || wanted.length === 0 || isSame(nic.securityGroups, wanted);
}

/** In whatever order. */
function isSame(some: readonly string[], others: readonly string[]): boolean {
  return new Set(some).size === new Set(others).size && some.every((one) => others.includes(one));
}

/** The PodSubnet's own security groups, else those of the instance's first NIC. */
export function groupsFor({ spec: { securityGroups } }: PodSubnet, situation: Situation): readonly string[] {
  return securityGroups.length > 0 ? securityGroups : groupsOfNode(situation);
}

/** Those of the instance's first NIC. */
export function groupsOfNode({ nics, spec }: Situation): readonly string[] {
  return nics.find((nic) => nic.attachment?.instance === spec.instance && isFirst(nic))?.securityGroups ?? [];
}

/** Whether the block lies in the PodSubnet's own, and is not excluded as a whole. */
function isIn({ spec: { within = [], exclude } }: PodSubnet, block: Cidr): boolean {
  const isAmong = (all: readonly Cidr[]): boolean => all.some((one) => containsCidr(one, block));
  return cidrFamily(block) === 4 && isAmong(within) && !isAmong(exclude);
}

function named(name: string | undefined, { subnets }: Situation): PodSubnet | undefined {
  return subnets.find(({ metadata }) => metadata.name === name);
}
