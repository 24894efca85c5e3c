/**
 * One node's share of all claims, from what the claims say and what Pods ask for. Pure.
 *
 * Invariants
 * - wherever the cloud has put an address that a claim has, no ordinary Pod gets it: it is `here` when it is for a Pod of the node, else it goes back
 * - what an agent has let go of goes its whole way before it is assigned again, to that node as to any other
 */
import { type Cidr, hostCidr } from '../../net/cidr.ts';
import type { HeldAddress, StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { ClaimGranted, NodeNetwork } from '../../store/node-network.ts';
import type { NodeClaims, WantedAddress } from './node-claims.ts';
import type { Wish } from './wishes.ts';

/** How long a node that is not alive may take to give an address back. */
const PATIENCE_ms = 30_000;

/** What is known of a node. */
export interface NodeLife {
  /** Its Node is there and Ready. */
  isAlive(node: string): boolean;
  /** There is no such Node. What of it the cloud still has, the cloud gives to nobody else. */
  isGone(node: string): boolean;
  /** Has it passed over: something about its claims is another now. */
  wake(node: string): void;
}

/** Of what a share is made. */
export interface AllClaims {
  readonly book: { get(key: string): StoredClaim | undefined; list(): StoredClaim[] };
  /** By the Pod's uid. */
  readonly wishes: { of(uid: string | undefined): Wish | undefined };
  readonly life: NodeLife;
  readonly now_ms: number;
}

/** The node's share. */
export function shareOf(node: NodeNetwork, all: AllClaims): NodeClaims {
  const { book, wishes, life, now_ms } = all;
  const [here, away, forced] = [new Set<Cidr>(), new Set<Cidr>(), new Set<Cidr>()];
  const returned = new Set(node.spec.returned);
  const own = (node.spec.claims ?? []).flatMap(({ uid }) => wishes.of(uid) ?? []);
  for (const { status } of book.list()) {
    for (const held of status.addresses) {
      const block = hostCidr(held.address);
      const stays = belongs(held, node, all) && !returned.has(block);
      (stays ? here : away).add(block);
      const isLate = held.node === node.name && now_ms - Date.parse(held.since) > PATIENCE_ms;
      if (!stays && isLate && !life.isAlive(node.name)) forced.add(block);
    }
  }
  const wanted = own
    .flatMap((wish) => wantedBy(wish, all) ?? [])
    .filter(({ address }) => address === undefined || !returned.has(hostCidr(address)));
  // Before the call that assigns it: should its answer be lost, or what follows fail, the address is known for what it is.
  for (const { address } of wanted) if (address !== undefined) here.add(hostCidr(address));
  return { here, away, forced, wanted, answers: own.map((wish) => answerTo(wish, all)) };
}

function belongs(held: HeldAddress, { name, spec }: NodeNetwork, { wishes, life }: AllClaims): boolean {
  const wantedAt = wishes.of(held.podUid)?.node;
  if (held.node === name) return wantedAt === undefined ? spec.draining === undefined : wantedAt === name;
  return wantedAt === name && whereIs(held, life) === undefined;
}

/** Its address is on no node: it is to be assigned to this one. */
function wantedBy(wish: Wish, { book, life, now_ms }: AllClaims): WantedAddress | undefined {
  if (now_ms < wish.again_ms) return undefined;
  const held = heldBy(book.get(wish.claim ?? ''), wish.asked.uid);
  if (held === undefined) return wish.wanted;
  return whereIs(held, life) === undefined ? { uid: wish.asked.uid, subnet: held.subnet, address: held.address } : undefined;
}

/** What the agent is told about the wish. */
export function answerTo(
  { asked: { namespace, pod, uid }, node, claim, problem }: Wish,
  { book, life }: Pick<AllClaims, 'book' | 'life'>,
): ClaimGranted {
  const held = heldBy(book.get(claim ?? ''), uid);
  if (held?.node === node) return { namespace, pod, uid, subnet: held.subnet, addresses: [held.address] };
  const at = held === undefined ? undefined : whereIs(held, life);
  const waits =
    at === undefined
      ? `${held?.address ?? 'an address'} is to be assigned to this node`
      : `${held?.address} is on node ${at} still, which was asked to give it back`;
  return { namespace, pod, uid, addresses: [], problem: problem ?? waits };
}

/** The node that has it; undefined: none, or one that is gone. */
export function whereIs({ node }: HeldAddress, life: NodeLife): string | undefined {
  return node === undefined || life.isGone(node) ? undefined : node;
}

/** The address that is that Pod's. */
export function heldBy(claim: StoredClaim | undefined, uid: string): HeldAddress | undefined {
  return claim?.status.addresses.find(({ podUid }) => podUid === uid);
}
