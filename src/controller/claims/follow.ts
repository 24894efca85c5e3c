/** From a Pod's wish to the addresses it is to have: which claim, which PodSubnet, which of the claim's addresses. */
import { failure } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Ip } from '../../net/address.ts';
import { type PlacedPod, readPlacedPod } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { claimKey, type HeldAddress, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { ClaimBook } from './book.ts';
import type { NodeView } from './candidate.ts';
import type { Choice, Room } from './choose.ts';
import { elsewhere, firstChoice } from './first-choice.ts';
import { type Occupant, occupantsOf } from './occupants.ts';
import type { NodeLife } from './node-life.ts';
import { claimFor, refuseHeld, type Wish } from './wish.ts';
import type { WishList } from './wish-list.ts';

/** With what to follow. */
export interface Following {
  readonly api: Pick<KubeApi, 'find' | 'list'>;
  readonly book: ClaimBook;
  readonly life: NodeLife;
  readonly list: WishList;
  /** Whether nodes give anything back. */
  readonly releases: boolean;
}

/**
 * What the Pod is to have. Nobody else may choose meanwhile. Notes in the list which claim serves it and what is in its way, and makes the claim when
 * the Pod is to have one of its own. @throws Failure claim*, kube*
 */
export async function follow(following: Following, wish: Wish, view: NodeView): Promise<{ claim: StoredClaim; choice: Choice }> {
  const { api, book, list, life } = following;
  const { asked, node, uid } = wish;
  const pod = await podOf(api, asked.namespace, asked.pod);
  if (pod?.uid !== uid || pod.node !== node) throw failure('claimPodUnknown', { pod: `${asked.namespace}/${asked.pod}`, uid, node });
  list.confirm(wish);
  const claim = await claimFor(book, asked, pod);
  list.serve(wish, claimKey(claim));
  const others = list.ofClaim(claimKey(claim)).filter((other) => other !== wish);
  const known = new Set(claim.status.addresses.map(({ address }) => address));
  const missing = claim.spec.addresses.filter((address) => !known.has(address));
  const occupants = await occupantsOf(api, await life.networks(), missing);
  const free = await freeOf(following, claim, wish);
  const room: Room = {
    claim,
    uid,
    node,
    free,
    coming: stillWanting(following, others).flatMap(({ fresh }) => fresh ?? []),
    refuseTaken: (address) => refuseTaken(following, wish, occupants, address),
    elsewhere: (held) => elsewhere(wish, claim, held, view),
    misses: wish.misses,
  };
  try {
    return { claim, choice: firstChoice(wish, room, view) };
  } catch (error) {
    const [occupant] = occupants.values();
    if (wish.inTheWay !== undefined) life.wake(wish.inTheWay.node);
    list.hold(wish, occupant === undefined ? undefined : { node: occupant.node, block: occupant.block });
    if (occupant !== undefined) life.wake(occupant.node);
    throw error;
  }
}

/** A node that is gone gets nothing any more: others may choose what it was about to get. */
function stillWanting({ list, life }: Following, wishes: readonly Wish[]): readonly Wish[] {
  for (const one of wishes) if (life.isGone(one.node)) list.want(one, undefined);
  return wishes.filter(({ fresh }) => fresh !== undefined);
}

function refuseTaken(following: Following, wish: Wish, occupants: ReadonlyMap<Ip, Occupant>, address: Ip): void {
  const { book, list, releases } = following;
  refuseHeld(book, address);
  const rival = stillWanting(following, list.wanting(address)).find((other) => other !== wish);
  if (rival !== undefined) {
    const whose = `, which is about to give it to Pod ${rival.asked.namespace}/${rival.asked.pod}`;
    throw failure('claimAddressTaken', { address, claim: rival.claim ?? '', whose });
  }
  const occupant = occupants.get(address);
  if (occupant === undefined) return;
  const { node, block, words } = occupant;
  throw failure(releases ? 'claimAddressInUse' : 'claimAddressKept', { address, user: words, node, block });
}

/** Those of the claim's addresses that no other Pod has. Of a claim for one Pod by name that is all: no two Pods have one name. */
async function freeOf(following: Following, claim: StoredClaim, { uid, node }: Wish): Promise<HeldAddress[]> {
  const { spec, status, namespace } = claim;
  if (spec.pod !== undefined) return [...status.addresses];
  const free: HeldAddress[] = [];
  const gone = new Map<string, boolean>();
  // Those that are here already cost no move.
  for (const held of status.addresses.toSorted((a, b) => Number(b.node === node) - Number(a.node === node))) {
    const { podUid = '' } = held;
    if (podUid === uid) continue;
    const isGone = podUid === '' || (gone.get(podUid) ?? (await isPodGone(following, namespace, held)));
    gone.set(podUid, isGone);
    if (isGone) free.push(held);
  }
  return free;
}

async function isPodGone({ api, life, list }: Following, namespace: string, { pod, podUid }: HeldAddress): Promise<boolean> {
  const wish = list.of(podUid);
  // An agent that is alive asks for nobody who is gone, for longer than a moment.
  if (wish !== undefined && life.isAlive(wish.node)) return false;
  return pod === undefined || (await podOf(api, namespace, pod))?.uid !== podUid;
}

function podOf(api: Following['api'], namespace: string, name: string): Promise<PlacedPod | undefined> {
  return api.find({ ...resources.pods, namespace, name }, readPlacedPod);
}
