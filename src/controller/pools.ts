/** One PodSubnet on one node, in numbers: what is held, what is free, which NIC has room. */
import type { CloudNic, InstanceLimits, Wanted } from '../cloud/cloud.ts';
import { BLOCK_UNITS } from '../cloud/range/choose.ts';
import { isRangeNic } from '../cloud/range/ids.ts';
import { heldAddresses, type Holding } from '../ipam/target.ts';
import { type Cidr, cidrFamily, isHost, lengthOf } from '../net/cidr.ts';
import { subnetsOf, viewFor } from '../store/nic-shares.ts';
import type { Demand, GrantedNic } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { excludedOf } from '../store/within.ts';
import { outside4 } from '../net/outside.ts';
import { heldBy } from './counting.ts';
import type { RangeStanding } from './range-rooms.ts';
import { fits, mayShare, partsOf } from './shared-nics.ts';
import type { Situation } from './situation.ts';
import { isOnOthersTrunk } from './trunks.ts';
import { givesWhole, useFor, useOf } from './uses.ts';

/** A NIC that serves the PodSubnet, or may. */
export interface ServingNic {
  /** What the cloud has, with all blocks that are granted, also those of other PodSubnets that share it. */
  readonly nic: CloudNic;
  /** What the agent was told of this PodSubnet's part. */
  readonly grant: GrantedNic;
  /** Blocks of its part that the cloud has and the agent was not told of. */
  readonly untold: readonly Cidr[];
  /** The PodSubnet is a guest on it: see shared-nics.ts. */
  readonly isGuest: boolean;
  /** It would serve, but the node lacks it. */
  readonly isLacked: boolean;
  /** It hangs on a trunk that the node is not granted: none of its Pods can get it. */
  readonly isStray: boolean;
}

/** One PodSubnet on one node. */
export interface SubnetPool {
  readonly name: string;
  /** Absent: it is no longer configured, and all of it is to go back. */
  readonly config: PodSubnet | undefined;
  readonly demand: Demand;
  /** NICs that may take more. */
  readonly serving: readonly ServingNic[];
  /** NICs that no longer fit what is configured, and go; and those that the node lacks, of which what no Pod has goes. */
  readonly leaving: readonly ServingNic[];
  readonly counted: 4 | 6;
  /** Its Pods have whole interfaces: see uses.ts. */
  readonly isWhole: boolean;
  readonly holding: Holding;
  /** Addresses that `holding` leaves out: of prefixes in which Pods live, and from which no new Pod gets one. */
  readonly outOfReach: number;
  /** Blocks that the agent gave back and that are granted still, of the family that counts: it will not use them again. */
  readonly returned: readonly Cidr[];
  /** Addresses that the cloud has given already, and that are granted as soon as the agent no longer calls them returned. */
  readonly pending: number;
  /** How it stands with perCluster.maximum; undefined: there is none. */
  readonly ceiling: ClusterCeiling | undefined;
  /** How it stands with its range; undefined: it is a cloud's. */
  readonly range: RangeStanding | undefined;
  /** It has a range, and the node says that it lacks the interface for it. */
  readonly isUnplugged: boolean;
}

/** The ceiling for all nodes together. */
export interface ClusterCeiling {
  readonly maximum: number;
  /** On this node. */
  readonly here: number;
  /** On all other nodes, or on the way to them. */
  readonly others: number;
  /** Addresses that this node may still add. Below zero: the ceiling was lowered. */
  readonly room: number;
  /** Nodes that are not counted yet; nothing grows before they are. */
  readonly uncounted: number;
}

/** All PodSubnets the node asks for or holds something of; those with the most waiting first. */
export function poolsOf(situation: Situation, grants: readonly GrantedNic[]): SubnetPool[] {
  const held = grants.flatMap(subnetsOf);
  const wanted = situation.claims.wanted.map(({ subnet }) => subnet);
  const names = new Set([...situation.spec.demand.map(({ subnet }) => subnet), ...held, ...wanted]);
  const counts = heldBy(situation, grants);
  const pools = [...names].map((name) => poolOf(name, situation, grants, counts.get(name) ?? 0));
  return pools.sort((a, b) => b.demand.waiting - a.demand.waiting || a.name.localeCompare(b.name));
}

function poolOf(name: string, situation: Situation, grants: readonly GrantedNic[], here: number): SubnetPool {
  const { spec, subnets } = situation;
  const config = subnets.find((subnet) => subnet.metadata.name === name);
  const demand = spec.demand.find(({ subnet }) => subnet === name) ?? { subnet: name, inUse: 0, cooling: 0, waiting: 0 };
  const { serving, leaving } = nicsFor(name, config, situation, grants);
  const { families, unit, warm, perNode } = config?.spec ?? noLonger;
  const exclude = config === undefined ? [] : excludedOf(config.spec);
  const counted = families.includes(4) ? 4 : 6;
  const isWhole = givesWhole(config);
  const worth = (some: readonly Cidr[]): number => heldAddresses(some, counted, exclude, perNode.maximum);
  const blocks = grants
    .flatMap((grant) => (subnetsOf(grant).includes(name) ? viewFor(grant, name).blocks : []))
    .filter((block) => cidrFamily(block) === counted && !isClaimed(block, situation));
  const promised = blocks.filter((block) => spec.returned.includes(block) && !situation.doubted.has(block));
  // Without them there must be room for what is in use, or the promise is not believed.
  const kept = blocks.filter((block) => !promised.includes(block));
  // A Pod may be on any address of them, also on one that is excluded since.
  const isCredible = heldAddresses(kept, counted, [], perNode.maximum) >= demand.inUse + demand.cooling;
  const returned = isCredible ? promised : [];
  const isPending = (block: Cidr): boolean =>
    spec.returned.includes(block) && !situation.foreign.has(block) && !isClaimed(block, situation);
  const pending = worth(serving.flatMap(({ untold }) => untold.filter(isPending)));
  const ceiling = ceilingOf(config, situation, here);
  const keepsNone =
    spec.draining !== undefined || situation.ranges.get(name)?.isCalledIn === true || (ceiling !== undefined && ceiling.room < 0);
  const range = situation.ranges.get(name);
  const away = new Set(
    leaving
      .filter((one) => isOutOfReach(one, config))
      .flatMap(({ grant, isStray }) => grant.blocks.filter((block) => isStray || !isHost(block))),
  );
  // What is asked back is held, and may be in use, until it is given back.
  const all = blocks.filter((block) => !returned.includes(block));
  const outOfReach = worth(all.filter((block) => away.has(block)));
  const held = worth(all.filter((block) => !away.has(block)));
  const maximum = Math.min(perNode.maximum, Math.max(situation.shares.get(name) ?? perNode.maximum, 0));
  const holding: Holding = {
    inUse: demand.inUse,
    cooling: demand.cooling,
    waiting: demand.waiting,
    held,
    minimum: keepsNone ? 0 : warm.minimum,
    spare: keepsNone ? 0 : warm.spare,
    maximum,
    unit: isWhole
      ? 1
      : counted === 6
        ? perNode.maximum
        : unit === 'prefix' || (warm.spare > 0 && isByBlock(range, maximum - held, ceiling))
          ? BLOCK_UNITS
          : 1,
  };
  const isUnplugged = range !== undefined && [...serving, ...leaving].some(({ nic }) => spec.unplugged?.includes(nic.id) === true);
  return { name, config, demand, serving, leaving, counted, isWhole, holding, outOfReach, returned, pending, ceiling, range, isUnplugged };
}

/** No new Pod gets an address of it: the node lacks it, or it is for another datapath. */
function isOutOfReach({ nic, isLacked, isStray }: ServingNic, config: PodSubnet | undefined): boolean {
  return isLacked || isStray || (config !== undefined && useOf(nic) !== useFor(config));
}

/** The NICs that have something for the PodSubnet, or may have. */
function nicsFor(
  name: string,
  config: PodSubnet | undefined,
  situation: Situation,
  grants: readonly GrantedNic[],
): Pick<SubnetPool, 'serving' | 'leaving'> {
  const [serving, leaving]: [ServingNic[], ServingNic[]] = [[], []];
  for (const grant of grants) {
    const nic = situation.nics.find(({ id }) => id === grant.id);
    const { subnet: host } = grant;
    if (nic === undefined || host === undefined) continue;
    const isGuest = host !== name;
    const isFit = config !== undefined && (isGuest ? mayShare(nic, config, host, situation) : fits(nic, config, situation));
    const isLacked = isFit && situation.lacked.has(nic.id);
    const isStray = isOnOthersTrunk(nic, grants, situation);
    const isOpen = isFit && !isLacked && !isStray;
    if (isGuest && !isOpen && !subnetsOf(grant).includes(name)) continue;
    const untold = nic.blocks.filter((block) => !grant.blocks.includes(block));
    (isOpen ? serving : leaving).push({
      // A block that was granted and that the last read does not show takes its slot all the same.
      nic: { ...nic, blocks: [...new Set([...nic.blocks, ...grant.blocks])] },
      grant: viewFor(grant, name),
      untold: untold.length === 0 ? [] : (partsOf({ ...nic, blocks: untold }, { ...grant, blocks: [] }, situation).get(name) ?? []),
      isGuest,
      isLacked,
      isStray,
    });
  }
  return { serving, leaving };
}

/** Of a range nodes that keep a reserve get 16 addresses at a time, while there is plenty and as long as nothing else stops them short of that. */
function isByBlock(range: RangeStanding | undefined, roomHere: number, ceiling: ClusterCeiling | undefined): boolean {
  return range?.isPlenty === true && Math.min(roomHere, ceiling?.room ?? roomHere) >= BLOCK_UNITS;
}

function ceilingOf(config: PodSubnet | undefined, { elsewhere }: Situation, here: number): ClusterCeiling | undefined {
  const maximum = config?.spec.perCluster.maximum;
  const seen = elsewhere.get(config?.metadata.name ?? '');
  if (maximum === undefined || seen === undefined) return undefined;
  const { others, unclear, uncounted } = seen;
  return { maximum, here, others, uncounted, room: maximum - others - here - unclear };
}

/** It belongs to a claim: no pool counts it. */
export function isClaimed(block: Cidr, { claims: { here, away } }: Situation): boolean {
  return here.has(block) || away.has(block);
}

/** A PodSubnet that is not configured: nothing is kept of it. */
const noLonger = {
  families: [4] as readonly (4 | 6)[],
  unit: 'address' as const,
  warm: { minimum: 0, spare: 0, spareNics: 0 },
  perNode: { maximum: 65_536 },
};

/** How many more blocks of the family the NIC can take. The primary address takes a slot; what stands for a range has no end of them. */
export function freeSlots(nic: CloudNic, limits: InstanceLimits, family: 4 | 6): number {
  if (isRangeNic(nic.id)) return Number.MAX_SAFE_INTEGER;
  const primary = family === 4 ? nic.primary4 : nic.primary6;
  const taken = nic.blocks.filter((block) => cidrFamily(block) === family).length + (primary === undefined ? 0 : 1);
  return Math.max(0, slotsOf(limits, family) - taken);
}

/** Blocks of the family a NIC just born can take. */
export function slotsOfNew(limits: InstanceLimits, family: 4 | 6, hasPrimary: boolean): number {
  return Math.max(0, slotsOf(limits, family) - (hasPrimary ? 1 : 0));
}

function slotsOf(limits: InstanceLimits, family: 4 | 6): number {
  return family === 4 ? limits.addressSlotsPerNic : limits.ipv6SlotsPerNic;
}

/** That many blocks of the kind the PodSubnet counts, of `unit` addresses each, and a /80 beside IPv4 ones where its Pods get both. */
export function wantedOf(
  config: PodSubnet,
  { counted, holding }: Pick<SubnetPool, 'counted' | 'holding'>,
  blocks: number,
  alsoV6: boolean,
): Wanted {
  if (counted === 6) return blocks > 0 ? { prefixes6: blocks } : {};
  const bounds = boundsOf(config);
  const own: Wanted =
    blocks === 0 ? {} : config.spec.unit === 'prefix' ? { prefixes4: blocks, ...bounds } : { addresses4: blocks * holding.unit, ...bounds };
  return alsoV6 ? { ...own, prefixes6: 1 } : own;
}

/** More blocks than that are not told the cloud: the smallest are left out. */
const MOST_BOUNDS = 256;

/** Where in the cloud's subnet its IPv4 addresses are, where it has blocks of its own: never what it excludes of these, which others may be using. */
export function boundsOf({ spec }: PodSubnet): Pick<Wanted, 'within'> {
  if (spec.within === undefined) return {};
  const usable = outside4(excludedOf(spec)).toSorted((a, b) => lengthOf(a) - lengthOf(b));
  return { within: usable.slice(0, MOST_BOUNDS) };
}

/** Whether Pods of the PodSubnet get IPv6 beside IPv4, so that each of its NICs needs a /80. */
export function isDual(config: PodSubnet): boolean {
  return config.spec.families.length === 2;
}
