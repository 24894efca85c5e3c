/** Which of a claim's addresses are to be a Pod's: one of each family that its PodSubnet gives. Pure. */
import { type Failure, failure, isFailure } from '../../errors/failure.ts';
import { type Family, familyOf, type Ip } from '../../net/address.ts';
import { claimKey, type HeldAddress, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import { type Candidate, chosenAddress, lies, refuseUnusable } from './candidate.ts';
import type { Fresh } from './wish.ts';

/** What there is to choose from. */
export interface Room {
  readonly claim: StoredClaim;
  /** The Pod, and where it is. */
  readonly uid: string;
  readonly node: string;
  /** Those of the claim's addresses that no other Pod has. */
  readonly free: readonly HeldAddress[];
  /** What is being given to other Pods of the claim. */
  readonly coming: readonly Fresh[];
  /** @throws Failure claim* when somebody else has the address, or is about to get it. */
  readonly refuseTaken: (address: Ip) => void;
  /** Why an address of the claim cannot be on the node; undefined: it can. */
  readonly elsewhere: (one: Pick<HeldAddress, 'address' | 'subnet'>) => Failure | undefined;
  readonly misses: number;
}

/** What the Pod gets. */
export interface Choice {
  readonly families: readonly Family[];
  /** Those that the claim has already. */
  readonly held: readonly HeldAddress[];
  readonly fresh: Fresh | undefined;
}

/** @throws Failure claimFull, claimAddress* when this PodSubnet has nothing for the Pod. */
export function chooseFrom(candidate: Candidate, room: Room): Choice {
  const { name, key, cloud } = candidate;
  const { families } = candidate.spec;
  // Never to be had here, however long the Pod waits.
  for (const address of room.claim.spec.addresses) if (!families.includes(familyOf(address))) refuseUnusable(candidate, address);
  const held: HeldAddress[] = [];
  const these: Ip[] = [];
  let [any4, chosen] = [false, false];
  for (const family of families) {
    const own = takeOver(candidate, room, family, held[0]);
    if (own !== undefined) {
      held.push(own);
      continue;
    }
    mustHaveRoom(room, family);
    const wanted = byValue(candidate, room, family);
    if (wanted !== undefined) these.push(wanted);
    else if (family === 4) any4 = true;
    else {
      these.push(chosenFor(candidate, room));
      chosen = true;
    }
  }
  const fresh = these.length > 0 || any4 ? { subnet: name, cloudSubnet: cloud.id, candidate: key, these, chosen, any4 } : undefined;
  return { families, held, fresh };
}

/** One it has, else a free one, of the candidate's subnet of the cloud: best what its other address's last Pod had, then one that is on the node already. */
function takeOver(candidate: Candidate, { claim, uid, node, free }: Room, family: Family, first: HeldAddress | undefined) {
  const isOf = (one: HeldAddress): boolean =>
    familyOf(one.address) === family && one.subnet === candidate.name && lies(candidate, one.address);
  const rank = (one: HeldAddress): number => (first !== undefined && one.pod === first.pod ? 0 : one.node === node ? 1 : 2);
  const own = claim.status.addresses.find((one) => one.podUid === uid && isOf(one));
  return own ?? free.filter(isOf).toSorted((a, b) => rank(a) - rank(b))[0];
}

function mustHaveRoom({ claim, coming, free, elsewhere }: Room, family: Family): void {
  const { spec, status } = claim;
  const own = status.addresses.filter(({ address }) => familyOf(address) === family);
  if (own.length + comingOf(coming, family) < spec.count) return;
  // Addresses without Pods are no help in another zone.
  const far = free.filter(({ address }) => familyOf(address) === family).flatMap((one) => elsewhere(one) ?? []);
  if (far[0] !== undefined) throw far[0];
  const shown = own.slice(0, 5).map(({ address, pod }) => `${address}: ${pod ?? 'nobody'}`);
  const rest = own.length > shown.length ? `, and ${own.length - shown.length} more` : '';
  throw failure('claimFull', { count: spec.count, claim: claimKey(claim), holders: shown.join(', ') + rest });
}

function comingOf(coming: readonly Fresh[], family: Family): number {
  return coming.reduce(
    (sum, { these, any4 }) => sum + these.filter((ip) => familyOf(ip) === family).length + (any4 && family === 4 ? 1 : 0),
    0,
  );
}

/** The first that the claim asks for and can have; undefined: it asks for none that it has not got. @throws what stands in the way of the first one. */
function byValue(candidate: Candidate, { claim, coming, refuseTaken, elsewhere }: Room, family: Family): Ip | undefined {
  const known = new Set([...claim.status.addresses.map(({ address }) => address), ...coming.flatMap(({ these }) => these)]);
  const missing = claim.spec.addresses.filter((ip) => familyOf(ip) === family && !known.has(ip));
  // Those of other PodSubnets are for other rounds, unless there is nothing else.
  const here = missing.filter((ip) => lies(candidate, ip));
  let refused: unknown;
  for (const address of here.length > 0 ? here : missing) {
    try {
      const far = elsewhere({ address, subnet: candidate.name });
      if (far !== undefined) throw far;
      refuseUnusable(candidate, address);
      refuseTaken(address);
      return address;
    } catch (error) {
      if (!isFailure(error)) throw error;
      refused ??= error;
    }
  }
  if (refused !== undefined) throw refused;
  return undefined;
}

function chosenFor(candidate: Candidate, { claim, coming, refuseTaken, misses }: Room): Ip {
  const own = claim.status.addresses.filter(({ address }) => familyOf(address) === 6).length;
  return chosenAddress(candidate, `${claimKey(claim)}/${own + comingOf(coming, 6)}/${misses}`, (address) => {
    try {
      refuseTaken(address);
      return false;
    } catch (error) {
      if (!isFailure(error)) throw error;
      return true;
    }
  });
}
