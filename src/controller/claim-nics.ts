/**
 * Interfaces for addresses of claims: in which of a PodSubnet's subnets of the cloud, and with what they are made. Pure.
 *
 * Invariants
 * - an address goes to an interface of its own subnet of the cloud, and no other is made for it
 * - an interface is born with the addresses that it is made for: else its own address might become the very one that a Pod waits for
 * - the cloud is told the PodSubnet's blocks, though nothing is counted: one of these may have to be the interface's own address
 */
import type { SubnetId, Wanted } from '../cloud/cloud.ts';
import { type Family, familyOf, type Ip } from '../net/address.ts';
import { contains, hostCidr } from '../net/cidr.ts';
import type { WantedAddresses } from './claims/claims.ts';
import { isKnownFull, nearSubnets } from './cloud-subnets.ts';
import type { NicIntent } from './notes.ts';
import { boundsOf, slotsOfNew, type SubnetPool } from './pools.ts';
import type { Situation } from './situation.ts';
import type { Stop } from './stop.ts';

/** An interface to be made for a claim. */
export interface ClaimsNic {
  /** Absent: wherever the next one of the PodSubnet is made. */
  readonly cloudSubnet?: SubnetId;
  readonly want: Wanted;
  /** Who has what it is born with. */
  readonly claims: readonly WantedAddresses[];
}

/** For the first of those that found no interface and may have another one; undefined: for none. */
export function nicForClaims(homeless: readonly WantedAddresses[], pool: SubnetPool, situation: Situation): ClaimsNic | undefined {
  const one = homeless.find((wanted) => whyFull(wanted, pool, situation) === undefined && isSomewhere(wanted, pool, situation));
  if (one === undefined) return undefined;
  const [its] = itsSubnets(one, pool, situation);
  const isBorn = one.these.length > 0 && one.isRefusedAtBirth !== true && fitsNew(one.these, situation);
  return {
    ...(its !== undefined && { cloudSubnet: its }),
    want: { ...(isBorn && { these: one.these.map(hostCidr) }), ...(pool.config && boundsOf(pool.config)) },
    claims: isBorn ? [one] : [],
  };
}

/** Who still waits for what the interface of that intent is born with; undefined: it is born with nothing by value. */
export function bornFor({ want: { these } }: NicIntent, homeless: readonly WantedAddresses[]): readonly WantedAddresses[] | undefined {
  if (these === undefined) return undefined;
  return homeless.filter(
    (one) => one.isRefusedAtBirth !== true && one.these.length > 0 && one.these.every((ip) => these.includes(hostCidr(ip))),
  );
}

/** Why no interface is made for it now: nothing is left where it must be; undefined: one may be. */
export function whyFull(wanted: WantedAddresses, pool: SubnetPool, situation: Situation): Stop | undefined {
  const [its] = itsSubnets(wanted, pool, situation);
  if (its === undefined || pool.config === undefined || !isKnownFull(its, pool.config, situation)) return undefined;
  return situation.fullSubnets.get(its);
}

/** Whether an interface of that subnet of the cloud may have it: of several an address is of one. */
export function isOfItsSubnet(
  id: SubnetId,
  { these, cloudSubnet }: WantedAddresses,
  { config }: SubnetPool,
  { cloudSubnets }: Situation,
): boolean {
  if (config?.spec.cloudSubnets === undefined) return true;
  const { cidr4, cidr6 } = cloudSubnets.get(id) ?? {};
  const isIn = (address: Ip): boolean => [cidr4, cidr6].some((cidr) => cidr !== undefined && contains(cidr, address));
  return (cloudSubnet === undefined || cloudSubnet === id) && these.every(isIn);
}

/** Of several subnets those in which an interface for it may be made. */
function itsSubnets(wanted: WantedAddresses, pool: SubnetPool, situation: Situation): SubnetId[] {
  const { config } = pool;
  if (config?.spec.cloudSubnets === undefined) return [];
  return nearSubnets(config, situation).flatMap(({ id }) => (isOfItsSubnet(id, wanted, pool, situation) ? id : []));
}

function isSomewhere(wanted: WantedAddresses, pool: SubnetPool, situation: Situation): boolean {
  return pool.config?.spec.cloudSubnets === undefined || itsSubnets(wanted, pool, situation).length > 0;
}

function fitsNew(these: readonly Ip[], { instance }: Situation): boolean {
  const of = (family: Family): number => these.filter((ip) => familyOf(ip) === family).length;
  return ([4, 6] as const).every((family) => of(family) <= slotsOfNew(instance.limits, family, true));
}
