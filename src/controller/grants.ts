/**
 * What the node may use, from what the cloud has and what the agent was told before.
 *
 * Invariants
 * - a block that was granted stays granted until the agent gave it back or two reads lack it
 * - what an agent was told of a subnet stands until the cloud says something else of it; a list that lacks the subnet says nothing
 * - a block that the agent still lists as returned is not granted anew: it would take the old promise for a new grant's end
 * - where nothing is given back, what the agent has returned is granted no more, so that it takes it off its list, and then anew; not before a read shows
 *   whatever a controller before this one may have taken
 * - blocks somebody else put on the first NIC are never granted, and none that no Pod can have, whatever the cloud says; nor a prefix in which an address
 *   is kept for a claim
 */
import { isRangeNic } from '../cloud/range/ids.ts';
import type { CloudNic } from '../cloud/cloud.ts';
import { type Cidr, contains, containsCidr } from '../net/cidr.ts';
import { viewFor } from '../store/nic-shares.ts';
import type { GrantedNic } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { fits, hostOf, sharesOf } from './shared-nics.ts';
import type { Situation } from './situation.ts';
import { isOurs } from './tags.ts';
import { isFirst, isWhole, useOf } from './uses.ts';
import { blockKey, isPluggedInto, isReturned, nicKey } from './vanished.ts';

/** All NICs the node may use now, by device index. */
export function grantsOf(situation: Situation): GrantedNic[] {
  const { granted, missing, nics, spec } = situation;
  const present = nics.flatMap((nic) => grantOf(nic, situation) ?? []);
  const kept = granted.filter((old) => !present.some(({ id }) => id === old.id) && isKept(old));
  return [...present, ...kept].sort((a, b) => a.deviceIndex - b.deviceIndex || vlanOf(a) - vlanOf(b));

  /** On its way out by somebody else's hand, or missing but not for sure. */
  function isKept(old: GrantedNic): boolean {
    const nic = nics.find(({ id }) => id === old.id);
    if (nic !== undefined && isSpent(nic, old, situation)) return false;
    return isPluggedInto(nic, spec.instance) || missing.get(nicKey(old))?.sure !== true;
  }
}

/** A trunk stands before its branches. */
function vlanOf({ trunk }: GrantedNic): number {
  return trunk?.vlan ?? 0;
}

/** undefined: not plugged in, or none of ours. */
function grantOf(nic: CloudNic, situation: Situation): GrantedNic | undefined {
  const { cluster, node, spec, cloudSubnets, granted } = situation;
  const { attachment, subnet: cloudSubnet, id, mac, mtu, primary4, primary6 } = nic;
  if (attachment?.state !== 'attached' || !isPluggedInto(nic, spec.instance)) return undefined;
  if (!isFirst(nic) && !isOurs(nic, cluster, node)) return undefined;
  const before = granted.find((old) => old.id === id);
  if (isSpent(nic, before, situation)) return undefined;
  const use = useOf(nic);
  const subnet = isFirst(nic) ? servedByFirst(nic, before, situation) : use === 'trunk' ? undefined : hostOf(nic, before, situation);
  const known = cloudSubnets.get(cloudSubnet) ?? before;
  // Its Pods would have no way out.
  if (known === undefined && subnet !== undefined && !isFirst(nic)) return undefined;
  const { cidr4, cidr6, gateway4, gateway6 } = known ?? {};
  const facts = { subnet, parent: known?.parent ?? before?.parent, cidr4, cidr6, gateway4, gateway6, primary4, primary6 };
  const blocks = subnet === undefined ? [] : grantedBlocks(nic, before, situation);
  const shared = subnet === undefined ? undefined : sharesOf(nic, blocks, { host: subnet, before }, situation);
  return {
    id,
    mac,
    ...withoutUndefined(facts),
    ...(shared !== undefined && { shared }),
    deviceIndex: attachment.deviceIndex,
    mtu,
    blocks,
    reclaiming: (before?.reclaiming ?? []).filter((block) => blocks.includes(block)),
    ...(use === 'trunk' && { use }),
    ...(isWhole(nic) && { use: 'pod' as const }),
    ...(nic.branch !== undefined && { trunk: { nic: nic.branch.trunk, vlan: nic.branch.vlan } }),
    ...(nic.multiMac === true && { multiMac: true }),
    ...(nic.nodeAnswers === true && { nodeAnswers: true }),
  };
}

/** What stands for a range is always there; a node that leaves, and has nothing of it, is rid of it all the same. */
function isSpent({ id, blocks }: CloudNic, before: GrantedNic | undefined, { spec }: Situation): boolean {
  return isRangeNic(id) && spec.draining !== undefined && blocks.length === 0 && (before?.blocks ?? []).length === 0;
}

/** Drops fields that are undefined: an absent field stays absent in the object's text. */
function withoutUndefined<T extends object>(facts: T): { [K in keyof T]?: NonNullable<T[K]> } {
  // Object.entries forgets the keys' types; those left are the same ones.
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> };
}

function grantedBlocks(nic: CloudNic, before: GrantedNic | undefined, situation: Situation): Cidr[] {
  const { spec, foreign, missing, claims, releases, isSettled } = situation;
  const old = before?.blocks ?? [];
  const impossible = impossibleBlocks(nic, situation);
  const isEnded = (block: Cidr): boolean => !releases && isSettled && spec.returned.includes(block);
  const there = nic.blocks.filter(
    (block) =>
      !foreign.has(block) &&
      !isEnded(block) &&
      (old.includes(block) || !(spec.returned.includes(block) || impossible.includes(block) || claims.spoiled.has(block))),
  );
  // What we asked back and took without the agent's word is gone when the cloud does not show it, as is what the agent gave back.
  const isOver = (block: Cidr): boolean =>
    before !== undefined && (isReturned(before, block, spec) || (claims.forced.has(block) && before.reclaiming.includes(block)));
  const notSurelyGone = (block: Cidr): boolean =>
    before !== undefined && !isOver(block) && missing.get(blockKey(before, block))?.sure !== true;
  return [...there, ...old.filter((block) => !there.includes(block) && !nic.blocks.includes(block) && notSurelyGone(block))];
}

/** Blocks that the cloud calls assigned, but that lie outside of the subnet, or hold its gateway or the NIC's own address. */
export function impossibleBlocks(nic: CloudNic, { cloudSubnets }: Situation): Cidr[] {
  const { subnet, blocks, primary4, primary6 } = nic;
  const known = cloudSubnets.get(subnet);
  if (known === undefined) return [];
  const inside = [known.cidr4, known.cidr6].filter((cidr) => cidr !== undefined);
  const own = isWhole(nic) ? [] : [primary4, primary6];
  const taken = [...own, known.gateway4, known.gateway6].filter((ip) => ip !== undefined);
  return blocks.filter((block) => !inside.some((cidr) => containsCidr(cidr, block)) || taken.some((ip) => contains(block, ip)));
}

/**
 * The PodSubnet the first NIC serves: one that lies in the same cloud subnet and wants it. The one it served before goes first, then the default.
 * It goes on serving a PodSubnet that no longer wants it until its blocks are back.
 */
function servedByFirst(nic: CloudNic, before: GrantedNic | undefined, situation: Situation): string | undefined {
  const fitting = situation.subnets.filter((subnet) => fits(nic, subnet, situation));
  const rank = (subnet: PodSubnet): number => (subnet.metadata.name === before?.subnet ? 0 : subnet.spec.default ? 1 : 2);
  const [best] = fitting.sort((a, b) => rank(a) - rank(b) || a.metadata.name.localeCompare(b.metadata.name));
  const serving = before?.subnet !== undefined && viewFor(before, before.subnet).blocks.length > 0 ? before.subnet : undefined;
  const kept = before !== undefined && before.blocks.length > 0 ? before.subnet : undefined;
  return serving ?? best?.metadata.name ?? kept;
}
