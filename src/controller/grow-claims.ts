/**
 * Addresses of IPClaims, for Pods that are on the node. Pure.
 *
 * Invariants
 * - all that a Pod wants goes to one interface, by one call: beside what it has already, or to the one that has a part of it by a call whose answer was lost
 * - an address that is refused holds up nobody else's
 * - what somebody else has on the node's first interface is not asked for: clouds answer such a call as if they had done something
 * - they are always single addresses, whatever the pool's unit is: a Pod takes them along to another node
 */
import type { Wanted } from '../cloud/cloud.ts';
import { type Family, familyOf, type Ip } from '../net/address.ts';
import { hostCidr } from '../net/cidr.ts';
import type { Action } from './action.ts';
import type { Unserved, WantedAddresses } from './claims/claims.ts';
import { isOfItsSubnet, whyFull } from './claim-nics.ts';
import { claimsForeign, claimsFull } from './growth-text.ts';
import { hasSome, interfacesLeft } from './nic-room.ts';
import { boundsOf, freeSlots, type ServingNic, type SubnetPool } from './pools.ts';
import type { Situation } from './situation.ts';

/** What is asked for claims, and what is not. */
export interface ClaimsAsked {
  readonly actions: readonly Action[];
  /** Addresses that all nodes together may still get after that. */
  readonly clusterRoom: number;
  /** For these there is room, but on no interface: another one is needed. */
  readonly homeless: readonly WantedAddresses[];
  /** For these there is no room in the ceiling for all nodes together. */
  readonly overCeiling: readonly WantedAddresses[];
  /** What these ask for by value is somebody else's. */
  readonly foreign: readonly Unserved[];
}

/** What of the pool's PodSubnet the node's claims want, less what there is no room for. */
export function assignClaimed(pool: SubnetPool, situation: Situation, clusterRoom: number): ClaimsAsked {
  const { limits } = situation.instance;
  const entered = new Set<ServingNic>();
  const mayEnter = (one: ServingNic): boolean =>
    !one.isGuest || hasSome(one) || entered.has(one) || entered.size < interfacesLeft(pool, situation);
  const slots = new Map(pool.serving.map((one) => [one, { 4: freeSlots(one.nic, limits, 4), 6: freeSlots(one.nic, limits, 6) }]));
  const actions: Extract<Action, { do: 'assign' }>[] = [];
  const homeless: WantedAddresses[] = [];
  const overCeiling: WantedAddresses[] = [];
  const foreign: Unserved[] = [];
  let left = clusterRoom;
  for (const wanted of wantedOf(pool, situation)) {
    const others = foreignAmong(wanted, situation);
    if (others !== undefined) {
      foreign.push({ wanted, stop: claimsForeign(others) });
      continue;
    }
    const need = needOf(wanted);
    const fits = (one: ServingNic): boolean => {
      const free = slots.get(one);
      // What it has by a lost answer takes no slot again.
      return free !== undefined && (hasPart(one, wanted) || (free[4] >= need[4] && free[6] >= need[6]));
    };
    const room = (one: ServingNic): number => slots.get(one)?.[pool.counted] ?? 0;
    const nic = pool.serving
      .filter((one) => isOfItsSubnet(one.nic.subnet, wanted, pool, situation) && mayEnter(one) && mayTake(one, wanted, pool) && fits(one))
      .toSorted((a, b) => Number(hasPart(b, wanted)) - Number(hasPart(a, wanted)) || room(b) - room(a))[0];
    if (need[pool.counted] > left) overCeiling.push(wanted);
    else if (nic === undefined) homeless.push(wanted);
    else {
      if (nic.isGuest && !hasSome(nic)) entered.add(nic);
      left -= need[pool.counted];
      const free = slots.get(nic);
      if (free !== undefined) slots.set(nic, { 4: free[4] - need[4], 6: free[6] - need[6] });
      add(actions, pool, nic, wanted);
    }
  }
  return { actions, clusterRoom: left, homeless, overCeiling, foreign };
}

/** Those that have to wait, and for what. `isComing`: another interface is on its way, or is asked for. */
export function unservedOf(
  pool: SubnetPool,
  situation: Situation,
  { homeless, overCeiling, foreign }: ClaimsAsked,
  of: { isComing: boolean; ceiling: Unserved['stop'] | undefined },
): Unserved[] {
  const over = of.ceiling === undefined ? [] : overCeiling.map((wanted): Unserved => ({ wanted, stop: of.ceiling ?? none }));
  // Beside what it has on a full interface no other one can help.
  const stuck = homeless.filter(({ beside }) => !of.isComing || beside.length > 0);
  return [
    ...over,
    ...foreign,
    ...stuck.map((wanted): Unserved => ({ wanted, stop: whyFull(wanted, pool, situation) ?? claimsFull(pool, situation, wanted) })),
  ];
}

const none: Unserved['stop'] = { stoppedBy: 'none', text: '' };

/** Of the pool's PodSubnet. */
export function wantedOf(pool: SubnetPool, { claims }: Situation): readonly WantedAddresses[] {
  return claims.wanted.filter(({ subnet }) => subnet === pool.name);
}

/** An address of them that the first interface had before us. */
function foreignAmong({ these }: WantedAddresses, { foreign }: Situation): Ip | undefined {
  return these.find((address) => foreign.has(hostCidr(address)));
}

function needOf({ these, any4 }: WantedAddresses): Record<Family, number> {
  const of = (family: Family): number => these.filter((address) => familyOf(address) === family).length;
  return { 4: of(4) + (any4 ? 1 : 0), 6: of(6) };
}

function hasPart({ nic }: ServingNic, { these }: WantedAddresses): boolean {
  return these.some((address) => nic.blocks.includes(hostCidr(address)));
}

/** It has the Pod's other addresses, or the Pod has none here. */
function mayTake({ nic }: ServingNic, { beside }: WantedAddresses, { serving }: SubnetPool): boolean {
  const isThere = (one: ServingNic['nic']): boolean => beside.some((address) => one.blocks.includes(hostCidr(address)));
  return beside.length === 0 || isThere(nic) || !serving.some((one) => isThere(one.nic));
}

/** Those that any address will do for are asked for together. */
function add(
  actions: Extract<Action, { do: 'assign' }>[],
  pool: SubnetPool,
  { nic: { id: nic } }: ServingNic,
  wanted: WantedAddresses,
): void {
  const isAny = wanted.these.length === 0;
  const before = isAny ? actions.findIndex((action) => action.nic === nic && action.want.these === undefined) : -1;
  const other = actions[before];
  if (other !== undefined) {
    const want: Wanted = { ...other.want, addresses4: (other.want.addresses4 ?? 0) + 1 };
    actions[before] = { ...other, want, claims: [...(other.claims ?? []), wanted] };
    return;
  }
  const want: Wanted = {
    ...(!isAny && { these: wanted.these.map(hostCidr) }),
    ...(wanted.any4 && { addresses4: 1, ...(pool.config && boundsOf(pool.config)) }),
  };
  actions.push({ do: 'assign', subnet: pool.name, nic, want, claims: [wanted] });
}
