/**
 * How a pool gets more: fill the NICs that are there, the fullest first; then plug in ours that lie about; then make new ones.
 *
 * Invariants
 * - one assign call for each NIC, for all it can take
 * - what is on its way already (a NIC being attached, an intent not yet answered) is not asked for again
 * - never more NICs than the instance takes, never more addresses than the ceiling
 */
import type { CloudNic, SubnetId } from '../cloud/cloud.ts';
import { type Cidr, cidrFamily, lengthOf } from '../net/cidr.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import type { Action } from './action.ts';
import type { Unserved, WantedAddresses } from './claims/claims.ts';
import { bornFor, type ClaimsNic, nicForClaims } from './claim-nics.ts';
import { awaitsAnother, isOneComing, toPlugIn } from './coming-nics.ts';
import { isKnownFull, nextSubnet } from './cloud-subnets.ts';
import { worthOf } from './counting.ts';
import { atCeiling, atClusterCeiling, atInterfaces, instanceFull, noPlace, noRoomForV6, rangeFull } from './growth-text.ts';
import { assignClaimed, type ClaimsAsked, unservedOf, wantedOf as wantedByClaims } from './grow-claims.ts';
import { growWhole, type Places } from './grow-whole.ts';
import { mayBeMade, newIntent, openIntents, oursFor } from './new-nics.ts';
import { hasSome, interfacesLeft, isFor, type NicRoom, roomForMore } from './nic-room.ts';
import type { NicIntent } from './notes.ts';
import { obstacle } from './obstacle.ts';
import { clusterRoom, type Need, needOf } from './pool-need.ts';
import { freeSlots, isClaimed, isDual, type ServingNic, slotsOfNew, type SubnetPool, wantedOf } from './pools.ts';
import { isComingTo } from './shared-nics.ts';
import type { Situation } from './situation.ts';
import type { Stop } from './stop.ts';

/** What growing a pool takes. */
export interface Growing {
  readonly actions: readonly Action[];
  /** Intents of this pool that are to be kept, new ones among them. */
  readonly intents: readonly NicIntent[];
  readonly stop: Stop | undefined;
  /** Pods with claims that nothing is asked for. */
  readonly unserved: readonly Unserved[];
}

/** What a pool needs, and what of it could not be found room for. Takes what it uses out of `room`. */
export function growPool(pool: SubnetPool, situation: Situation, places: Places): Growing {
  const need = needOf(pool);
  const stop = obstacle(pool, situation);
  const { config } = pool;
  if (stop !== undefined || config === undefined) {
    const unserved = stop === undefined ? [] : wantedByClaims(pool, situation).map((wanted) => ({ wanted, stop }));
    return { actions: [], intents: openIntents(pool, situation), stop: need.blocks > 0 ? stop : undefined, unserved };
  }
  const most = atMost(pool, situation);
  if (pool.isWhole) {
    const { left, ...asks } = growWhole(pool, config, situation, places, Math.min(need.allowed, most));
    return { ...asks, stop: left > 0 ? noPlace(config, situation, left) : ceilingStop(pool, need, false), unserved: [] };
  }
  const claims = assignClaimed(pool, situation, clusterRoom(pool));
  const claimsNic = nicForClaims(claims.homeless, pool, situation);
  const asked: Asked = {
    pool,
    config,
    situation,
    room: roomForMore(places.room, interfacesLeft(pool, situation)),
    actions: [...claims.actions],
    intents: [],
    left: situation.claims.holdsGrowth ? 0 : Math.min(need.allowed, most, Math.floor(claims.clusterRoom / pool.holding.unit)),
    clusterRoom: claims.clusterRoom,
    spares: Math.max(spareNicsMissing(pool, config, situation), claimsNic !== undefined && !isOneComing(config, situation) ? 1 : 0),
    claimsNic,
    homeless: claims.homeless,
    earlier: places.earlier,
    noRoom: claims.overCeiling.length > 0,
  };
  onTheWay(asked);
  assignToServing(asked);
  if ((asked.left > 0 || asked.spares > 0) && awaitsAnother(pool, config, situation, places.earlier))
    return { actions: asked.actions, intents: [], stop: ceilingStop(pool, need, asked.noRoom), unserved: [] };
  // What stands for a range is always there.
  if (pool.range === undefined) {
    plugIn(asked);
    makeAgain(asked);
    makeNew(asked);
  }
  return { actions: asked.actions, intents: asked.intents, stop: verdict(asked, need), unserved: unservedBy(asked, claims) };
}

function unservedBy(asked: Asked, claims: ClaimsAsked): Unserved[] {
  const { pool, situation, actions } = asked;
  const isComing = actions.some((action) => action.do === 'create' || action.do === 'attach') || isOneComing(asked.config, asked.situation);
  const ceiling = pool.ceiling === undefined ? undefined : atClusterCeiling(pool, pool.ceiling);
  return unservedOf(pool, situation, claims, { isComing, ceiling });
}

interface Asked {
  readonly pool: SubnetPool;
  readonly config: PodSubnet;
  readonly situation: Situation;
  readonly room: NicRoom;
  readonly actions: Action[];
  readonly intents: NicIntent[];
  /** Blocks still to be found a place for. */
  left: number;
  /** Addresses that all nodes together may still get. */
  clusterRoom: number;
  /** Empty NICs still to be attached. */
  spares: number;
  /** The first of them is for this; undefined: no claim needs one. */
  readonly claimsNic: ClaimsNic | undefined;
  readonly homeless: readonly WantedAddresses[];
  /** What this plan does for other PodSubnets. */
  readonly earlier: readonly Action[];
  noV6?: boolean;
  /** Something was left out for want of room in the cluster. */
  noRoom: boolean;
}

function verdict({ pool, situation, actions, left, noV6, noRoom }: Asked, need: Need): Stop | undefined {
  if (left > 0) {
    const coming = actions.filter((action) => action.do === 'create' || action.do === 'attach').length;
    return interfacesLeft(pool, situation) > coming ? instanceFull(pool, situation, left) : atInterfaces(pool, left);
  }
  if (pool.range !== undefined && need.allowed < need.allowedHere) return rangeFull(pool, pool.range);
  return ceilingStop(pool, need, noRoom) ?? (noV6 === true ? noRoomForV6(situation) : undefined);
}

function ceilingStop(pool: SubnetPool, need: Need, noRoom: boolean): Stop | undefined {
  if (pool.ceiling !== undefined && (noRoom || need.allowed < need.allowedHere)) return atClusterCeiling(pool, pool.ceiling);
  return need.allowed < need.blocks ? atCeiling(pool, need.heldInAll) : undefined;
}

/** NICs being attached bring what they carry, and room for more. */
function onTheWay(asked: Asked): void {
  const { config, situation } = asked;
  for (const nic of oursFor(situation, config)) if (nic.attachment?.state === 'attaching') bring(asked, nic);
  for (const nic of situation.nics) if (isComingTo(nic, config, situation)) bringRoom(asked, nic);
}

/** An interface of another PodSubnet that this one may share: what it carries is not this one's. */
function bringRoom(asked: Asked, nic: CloudNic): void {
  asked.left -= freeSlots(nic, asked.situation.instance.limits, asked.pool.counted);
  if (asked.claimsNic !== undefined) asked.spares = 0;
}

function assignToServing(asked: Asked): void {
  const { pool, config, situation } = asked;
  const { limits } = situation.instance;
  const room = ({ nic }: ServingNic): number => freeSlots(nic, limits, pool.counted);
  let guestIn = interfacesLeft(pool, situation);
  const serving = pool.serving.filter((one) => !isKnownFull(one.nic.subnet, config, situation));
  for (const one of serving.toSorted((a, b) => room(a) - room(b) || a.grant.deviceIndex - b.grant.deviceIndex)) {
    if (one.isGuest && !hasSome(one) && (room(one) === 0 || asked.left <= 0 || guestIn-- <= 0)) continue;
    const blocks = Math.max(0, Math.min(room(one), asked.left));
    const alsoV6 = isDual(config) && !situation.claims.holdsGrowth && lacksV6(one.grant, blocks, situation) && !pausedV6(one.nic, asked);
    if (blocks === 0 && !alsoV6) continue;
    asked.left -= blocks;
    asked.actions.push({ do: 'assign', subnet: pool.name, nic: one.nic.id, want: wantedOf(config, pool, blocks, alsoV6) });
  }
}

/** A NIC gives IPv4 addresses, or is about to, and has no /80 to go with them. */
function lacksV6({ blocks, reclaiming }: ServingNic['grant'], coming: number, situation: Situation): boolean {
  // What claims have is theirs alone.
  const kept = blocks.filter((block) => !reclaiming.includes(block) && !isClaimed(block, situation));
  return !kept.some((block: Cidr) => cidrFamily(block) === 6 && lengthOf(block) < 128) && (coming > 0 || kept.length > 0);
}

function pausedV6(nic: CloudNic, asked: Asked): boolean {
  if (freeSlots(nic, asked.situation.instance.limits, 6) > 0) return false;
  asked.noV6 = true;
  return true;
}

/** Whether another NIC in that subnet of the cloud helps. */
function isOfUse(subnet: SubnetId, { left, spares, claimsNic }: Asked): boolean {
  return left > 0 || (spares > 0 && (claimsNic?.cloudSubnet ?? subnet) === subnet);
}

/** NICs of ours for this PodSubnet that are not attached: made before a crash, or pulled out by hand. */
function plugIn(asked: Asked): void {
  for (const nic of toPlugIn(asked.config, asked.situation)) {
    const isGuests = !isFor(nic, asked.pool.name);
    // An empty one of another PodSubnet's is no spare one of this.
    if (!isOfUse(nic.subnet, asked) || (isGuests && asked.left <= 0 && asked.claimsNic === undefined)) continue;
    // Another PodSubnet of this plan has it plugged in.
    const isPlanned = asked.earlier.some((action) => action.do === 'attach' && action.nic === nic.id);
    const deviceIndex = isPlanned ? 0 : asked.room();
    if (deviceIndex === undefined) return;
    if (!isPlanned) asked.actions.push({ do: 'attach', subnet: asked.pool.name, nic: nic.id, deviceIndex });
    if (isGuests) bringRoom(asked, nic);
    else bring(asked, nic);
  }
}

/** Calls for NICs that were intended before and that nobody has seen yet. */
function makeAgain(asked: Asked): void {
  const { situation, pool, config } = asked;
  for (const intent of openIntents(pool, situation)) {
    const isVain = isKnownFull(intent.cloudSubnet, config, situation) || blocksOf(intent, pool) > atMost(pool, situation);
    const claims = bornFor(intent, asked.homeless);
    const tooMuch = isVain || claims?.length === 0 || worthOf(intent.want, config) > asked.clusterRoom;
    if (!isOfUse(intent.cloudSubnet, asked) || tooMuch || asked.room() === undefined) {
      if (mayBeMade(intent, situation)) asked.intents.push(intent);
      continue;
    }
    create(asked, intent, claims);
  }
}

function makeNew(asked: Asked): void {
  const { pool, config, situation } = asked;
  const found = nextSubnet(config, situation, []);
  const hasPrimary = (pool.counted === 4 ? found?.cidr4 : found?.cidr6) !== undefined;
  const perNic = slotsOfNew(situation.instance.limits, pool.counted, hasPrimary);
  const wanted = (): boolean => (asked.left > 0 && perNic > 0) || asked.spares > 0;
  if (asked.claimsNic !== undefined && asked.spares > 0 && asked.room() !== undefined) {
    const { want, claims, ...where } = asked.claimsNic;
    create(asked, { ...newIntent(config, situation, want, 'pods', asked.intents), ...where }, claims);
  }
  while (wanted() && asked.room() !== undefined) {
    const blocks = Math.max(0, Math.min(asked.left, perNic));
    const want = wantedOf(config, pool, blocks, isDual(config) && blocks > 0);
    create(asked, newIntent(config, situation, want, 'pods', asked.intents));
  }
}

function create(asked: Asked, intent: NicIntent, claims: readonly WantedAddresses[] = []): void {
  asked.intents.push(intent);
  asked.actions.push({ do: 'create', subnet: asked.pool.name, intent, ...(claims.length > 0 && { claims }) });
  const blocks = blocksOf(intent, asked.pool);
  asked.left -= blocks;
  if (blocks === 0) asked.spares--;
}

/** Of the family that counts. */
function blocksOf({ want: { addresses4 = 0, prefixes4 = 0, prefixes6 = 0 } }: NicIntent, { counted }: SubnetPool): number {
  return counted === 4 ? addresses4 + prefixes4 : prefixes6;
}

/** How many blocks may be asked for in one call: fewer where more did not fit. */
function atMost({ name }: SubnetPool, { mostAtOnce }: Situation): number {
  return mostAtOnce.get(name) ?? Number.POSITIVE_INFINITY;
}

/** What a NIC on its way brings: its blocks, and slots that can be filled once it is there. */
function bring(asked: Asked, nic: CloudNic): void {
  const { counted } = asked.pool;
  const blocks = nic.blocks.filter((block) => cidrFamily(block) === counted && !isClaimed(block, asked.situation)).length;
  const before = asked.left;
  asked.left -= blocks + freeSlots(nic, asked.situation.instance.limits, counted);
  if (blocks === 0 && before <= 0) asked.spares--;
}

/** Empty NICs the PodSubnet wants attached, less those that are and will stay so. */
function spareNicsMissing(pool: SubnetPool, config: PodSubnet, { instance }: Situation): number {
  const empty = emptyNics(pool).length;
  const room = pool.serving.reduce((sum, { nic }) => sum + (nic.blocks.length > 0 ? freeSlots(nic, instance.limits, pool.counted) : 0), 0);
  const spill = Math.max(0, needOf(pool).allowed - room);
  const perNic = Math.max(1, slotsOfNew(instance.limits, pool.counted, true));
  return config.spec.warm.spareNics - Math.max(0, empty - Math.ceil(spill / perNic));
}

/** NICs of the cloud, beside the first, that carry no address for a Pod. */
export function emptyNics({ serving, counted }: SubnetPool): ServingNic[] {
  return serving.filter(
    ({ grant, nic, isGuest }) =>
      !isGuest &&
      grant.deviceIndex !== 0 &&
      grant.parent === undefined &&
      ![...grant.blocks, ...nic.blocks].some((block) => cidrFamily(block) === counted),
  );
}
