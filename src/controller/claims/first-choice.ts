/** Of the PodSubnets that may serve a Pod, and of the subnets of the cloud that each has for its node, the first that has something for it. Pure. */
import { type Failure, failure, isFailure } from '../../errors/failure.ts';
import type { Ip } from '../../net/address.ts';
import { claimKey, type HeldAddress, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import { type Candidate, candidatesOf, lies, type NodeView, whyElsewhere } from './candidate.ts';
import { type Choice, chooseFrom, type Room } from './choose.ts';
import { heldBy } from './share.ts';
import type { Wish } from './wish.ts';

/** @throws Failure claim* that says why none has. */
export function firstChoice(wish: Wish, room: Room, view: NodeView): Choice {
  const { claim, uid } = room;
  const names = subnetsFor(wish, room, view);
  const kept = claim.spec.pod === undefined ? heldBy(claim, uid) : claim.status.addresses;
  for (const held of kept) {
    const failed = room.elsewhere(held);
    if (failed !== undefined) throw failed;
  }
  const reasons: string[] = [];
  const refused: Failure[] = [];
  for (const name of names) {
    const candidates = candidatesOf(name, view);
    if (typeof candidates === 'string') {
      reasons.push(`${name}: ${wish.tried.get(name) ?? candidates}`);
      continue;
    }
    for (const candidate of likeliestFirst(candidates, room)) {
      const choice = chosenFrom(candidate, wish, room);
      if ('fresh' in choice) return choice;
      reasons.push(`${candidate.key}: ${choice.why}`);
      if (choice.failed !== undefined) refused.push(choice.failed);
    }
  }
  // Of one PodSubnet the first subnet of the cloud tells best, unless another one was tried.
  if (refused[0] !== undefined && names.length === 1 && refused.length === reasons.length) throw refused[0];
  const pod = `Pod ${wish.asked.namespace}/${wish.asked.pod}`;
  const all = reasons.length === 0 ? 'none that this node may use serves it' : reasons.join('; ');
  throw failure('claimWithoutSubnet', { pod, reasons: all });
}

/** That an address of the claim, or that it asks for, cannot be on the Pod's node; undefined: it can. */
export function elsewhere(
  { asked, node }: Wish,
  claim: StoredClaim,
  { address, subnet }: Pick<HeldAddress, 'address' | 'subnet'>,
  view: NodeView,
): Failure | undefined {
  const reason = whyElsewhere(subnet, address, view);
  if (reason === undefined) return undefined;
  const pod = `${asked.namespace}/${asked.pod}`;
  return failure('claimElsewhere', { address, claim: claimKey(claim), pod, node, reason });
}

interface Not {
  readonly why: string;
  /** Absent: it was tried before. */
  readonly failed?: Failure;
}

function chosenFrom(candidate: Candidate, { tried }: Wish, room: Room): Choice | Not {
  const before = tried.get(candidate.key);
  if (before !== undefined) return { why: before };
  try {
    return chooseFrom(candidate, room);
  } catch (error) {
    if (!isFailure(error)) throw error;
    return { why: error.details === '' ? error.message : `${error.message}: ${error.details}`, failed: error };
  }
}

/** Those in which the Pod's own addresses lie, then those with addresses that the claim has free, or asks for by value. */
function likeliestFirst(candidates: readonly Candidate[], { claim, uid, free }: Room): readonly Candidate[] {
  const own = heldBy(claim, uid).map(({ address }) => address);
  const others = [...free.map(({ address }) => address), ...claim.spec.addresses];
  const has = (candidate: Candidate, addresses: readonly Ip[]): number => Number(addresses.some((address) => lies(candidate, address)));
  const rank = (candidate: Candidate): number => 2 * has(candidate, own) + has(candidate, others);
  return candidates.toSorted((a, b) => rank(b) - rank(a));
}

/** The PodSubnets to try, in order. @throws Failure claimUnfit when the claim's addresses are of one that does not serve the Pod. */
function subnetsFor({ asked, uid, node }: Wish, { claim, free }: Room, { subnets }: NodeView): readonly string[] {
  const { spec, status } = claim;
  const served = [...asked.subnets, ...subnets.map(({ metadata }) => metadata.name)];
  const [own] = heldBy(claim, uid);
  const [first] = status.addresses;
  const must = own?.subnet ?? (spec.pod === undefined ? undefined : first?.subnet) ?? spec.subnet;
  if (must === undefined)
    return [...new Set([...free.map(({ subnet }) => subnet).filter((name) => served.includes(name)), ...asked.subnets])];
  if ((first === undefined ? asked.subnets : served).includes(must)) return [must];
  const reason = `is of PodSubnet ${must}, which does not serve Pod ${asked.namespace}/${asked.pod} on node ${node}`;
  throw failure('claimUnfit', { claim: claimKey(claim), reason });
}
