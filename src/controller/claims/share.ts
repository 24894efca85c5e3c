/**
 * One node's share of all claims, from what the claims say and what Pods ask for. Pure; costs what the node has, however many claims there are.
 *
 * Invariants
 * - wherever the cloud has put an address that a claim has, no ordinary Pod gets it: it is `here` when it is for a Pod of the node, else it goes back
 * - what an agent has let go of goes its whole way before it is assigned again, to that node as to any other
 * - a Pod's addresses are all on one interface
 */
import type { CloudNic, NicId } from '../../cloud/cloud.ts';
import { familyOf, type Ip } from '../../net/address.ts';
import { type Cidr, cidrFamily, firstOf, hostCidr, lengthOf } from '../../net/cidr.ts';
import type { HeldAddress, StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { ClaimGranted, NodeNetwork } from '../../store/node-network.ts';
import { shortened } from '../shortened.ts';
import type { ClaimBook } from './book.ts';
import type { NodeClaims, WantedAddresses } from './claims.ts';
import type { NodeLife } from './node-life.ts';
import type { Wish } from './wish.ts';
import type { WishList } from './wish-list.ts';

/** How long a node that is not alive may take to give an address back. */
const PATIENCE_ms = 30_000;
/** For so long a pool waits for whom it gave a block back for. */
const HOLD_ms = 5_000;
/** An answer's longest text. */
const LONGEST = 1000;

/** Of what a share is made. */
export interface AllClaims {
  readonly book: Pick<ClaimBook, 'get' | 'holderOf' | 'on' | 'within'>;
  readonly wishes: Pick<WishList, 'of' | 'onNode' | 'waitingFor'>;
  readonly life: Pick<NodeLife, 'isAlive' | 'isGone'>;
  readonly now_ms: number;
  /** Whether nodes give anything back. */
  readonly releases: boolean;
}

/** The node's share. `nics`: what the cloud has of it. */
export function shareOf(node: NodeNetwork, nics: readonly Pick<CloudNic, 'id' | 'blocks'>[], all: AllClaims): NodeClaims {
  const { wishes, life, now_ms } = all;
  const places = placesOf(node, nics);
  const [here, away, forced] = [new Set<Cidr>(), new Set<Cidr>(), new Set<Cidr>()];
  const { single, askBack, spoiled } = concerned(node, places, all);
  const returned = new Set(node.spec.returned);
  for (const held of single) {
    const block = hostCidr(held.address);
    const stays = belongs(held, node, places, all) && !returned.has(block);
    (stays ? here : away).add(block);
    const isLate = held.node === node.name && now_ms - Date.parse(held.since) > PATIENCE_ms;
    if (!stays && isLate && !life.isAlive(node.name)) forced.add(block);
  }
  const byUid = new Map(wishes.onNode(node.name).map((wish) => [wish.uid, wish]));
  const own = (node.spec.claims ?? []).flatMap(({ uid }) => byUid.get(uid) ?? []);
  const wanted = own
    .flatMap((wish) => wantedBy(wish, all) ?? [])
    .filter(({ these }) => !these.some((address) => returned.has(hostCidr(address))));
  // Before the call that assigns it: should its answer be lost, or what follows fail, the address is known for what it is.
  for (const { these } of wanted) for (const address of these) here.add(hostCidr(address));
  const holdsGrowth = wishes
    .waitingFor(node.name)
    .some(({ inTheWay }) => now_ms - (inTheWay?.left_ms ?? Number.NEGATIVE_INFINITY) < HOLD_ms);
  return { here, away, forced, askBack, holdsGrowth, spoiled, wanted, answers: own.map((wish) => answerTo(wish, all)) };
}

/** Which interface has which block, by the cloud's word or by ours. */
function placesOf({ status }: NodeNetwork, nics: readonly Pick<CloudNic, 'id' | 'blocks'>[]): ReadonlyMap<Cidr, NicId> {
  return new Map([...status.nics, ...nics].flatMap(({ id, blocks }) => blocks.map((block) => [block, id] as const)));
}

/** Addresses of claims that are on the node, by the cloud's word or by the claim's. */
function concerned({ name, spec, status }: NodeNetwork, places: ReadonlyMap<Cidr, NicId>, { book, wishes }: AllClaims) {
  const single = new Map<Ip, HeldAddress>();
  const [askBack, spoiled] = [new Set<Cidr>(), new Set<Cidr>()];
  const granted = new Set([...status.nics.flatMap(({ blocks }) => blocks), ...(spec.remembered ?? [])]);
  for (const { status: of } of book.on(name)) for (const held of of.addresses) if (held.node === name) single.set(held.address, held);
  for (const block of places.keys()) {
    if (!isSingle(block)) {
      if (book.within(block).length > 0) (granted.has(block) ? askBack : spoiled).add(block);
      continue;
    }
    const address = firstOf(block);
    const held = book.holderOf(address)?.status.addresses.find((one) => one.address === address);
    if (held !== undefined) single.set(address, held);
  }
  for (const { inTheWay } of wishes.waitingFor(name)) if (inTheWay !== undefined && places.has(inTheWay.block)) askBack.add(inTheWay.block);
  return { single: single.values(), askBack, spoiled };
}

function isSingle(block: Cidr): boolean {
  return lengthOf(block) === (cidrFamily(block) === 4 ? 32 : 128);
}

function belongs(held: HeldAddress, node: NodeNetwork, places: ReadonlyMap<Cidr, NicId>, all: AllClaims): boolean {
  const wish = all.wishes.of(held.podUid);
  const wantedAt = wish?.node;
  if (held.node !== node.name) return wantedAt === node.name && whereIs(held, all.life) === undefined;
  if (wish === undefined) return node.spec.draining === undefined;
  return wantedAt === node.name && !isApart(held, wish, places, all);
}

/** Another address of its Pod is on another interface of the node: of two such the one of the later family goes, and comes back beside the other. */
function isApart(held: HeldAddress, wish: Wish, places: ReadonlyMap<Cidr, NicId>, { book }: AllClaims): boolean {
  const all = inOrder(wish, heldBy(book.get(wish.claim ?? ''), wish.uid)).filter(({ node }) => node === wish.node);
  const nicOf = ({ address }: HeldAddress): NicId | undefined => places.get(hostCidr(address));
  const first = all.find((one) => nicOf(one) !== undefined);
  return first !== undefined && nicOf(held) !== undefined && nicOf(first) !== nicOf(held);
}

/** What is on no node is to be assigned to this one, when nothing is on another still. */
function wantedBy(wish: Wish, { book, life, now_ms }: AllClaims): WantedAddresses | undefined {
  if (now_ms < wish.again_ms) return undefined;
  const { uid, node, fresh } = wish;
  const held = oneOfEach(wish, heldBy(book.get(wish.claim ?? ''), uid));
  const isHere = (one: HeldAddress): boolean => one.node === node;
  if (held.some((one) => !isHere(one) && whereIs(one, life) !== undefined)) return undefined;
  const addressOf = ({ address }: HeldAddress): Ip => address;
  const these = [...held.filter((one) => !isHere(one)).map(addressOf), ...(fresh?.these ?? [])];
  const subnet = held[0]?.subnet ?? fresh?.subnet;
  const any4 = fresh?.any4 ?? false;
  if (subnet === undefined || (these.length === 0 && !any4)) return undefined;
  const cloudSubnet = held.length === 0 && fresh !== undefined && { cloudSubnet: fresh.cloudSubnet };
  const birth = wish.isRefusedAtBirth === true && { isRefusedAtBirth: true };
  return { uid, subnet, ...cloudSubnet, these, any4, ...birth, beside: held.filter(isHere).map(addressOf) };
}

/** Whether all that its Pod is to have is its claim's and bound to it, wherever it is. */
export function isBound({ claim, uid, families }: Wish, book: Pick<ClaimBook, 'get'>): boolean {
  const held = heldBy(book.get(claim ?? ''), uid);
  return families !== undefined && families.every((family) => held.some(({ address }) => familyOf(address) === family));
}

/** What the agent is told about the wish. */
export function answerTo(wish: Wish, { book, life, releases }: Pick<AllClaims, 'book' | 'life' | 'releases'>): ClaimGranted {
  const { namespace, pod, uid } = wish.asked;
  const held = inOrder(wish, heldBy(book.get(wish.claim ?? ''), uid));
  const there = held.filter((one) => one.node === wish.node);
  if (there.length === held.length && held[0] !== undefined && isBound(wish, book))
    return { namespace, pod, uid, subnet: held[0].subnet, addresses: there.map(({ address }) => address) };
  const problem = wish.trouble?.text ?? whatItWaitsFor(wish, held, { life, releases });
  return { namespace, pod, uid, addresses: [], problem: shortened(problem, LONGEST) };
}

function whatItWaitsFor(
  { node, fresh }: Wish,
  held: readonly HeldAddress[],
  { life, releases }: Pick<AllClaims, 'life' | 'releases'>,
): string {
  const goes = releases ? 'which was asked to give it back' : 'and stays there while spec.cloud.releases of the controller is false';
  for (const one of held) {
    const at = whereIs(one, life);
    if (at !== undefined && at !== node) return `${one.address} is on node ${at} still, ${goes}`;
  }
  const coming = [...held.filter((one) => one.node !== node).map(({ address }) => address), ...(fresh?.these ?? [])];
  return `${coming.length > 0 ? coming.join(', ') : 'an address'} is to be assigned to this node`;
}

/** The node that has it; undefined: none, or one that is gone. */
export function whereIs({ node }: HeldAddress, life: AllClaims['life']): string | undefined {
  return node === undefined || life.isGone(node) ? undefined : node;
}

/** The addresses that are that Pod's. */
export function heldBy(claim: StoredClaim | undefined, uid: string): readonly HeldAddress[] {
  return claim?.status.addresses.filter(({ podUid }) => podUid === uid) ?? [];
}

/** Two leaders may have bound two of a family to one Pod, perhaps of two subnets of the cloud: one will do, best one that is there. */
function oneOfEach({ node }: Wish, held: readonly HeldAddress[]): HeldAddress[] {
  const isBetter = (one: HeldAddress, other: HeldAddress): boolean =>
    familyOf(one.address) === familyOf(other.address) && (one.node === node) > (other.node === node);
  const isSame = (one: HeldAddress, other: HeldAddress): boolean => familyOf(one.address) === familyOf(other.address);
  const best = held.filter((one) => !held.some((other) => isBetter(other, one)));
  return best.filter((one, i) => best.findIndex((other) => isSame(one, other)) === i);
}

/** As the PodSubnet has its families: the first is the Pod's main address. */
function inOrder({ families = [] }: Wish, held: readonly HeldAddress[]): HeldAddress[] {
  const rank = ({ address }: HeldAddress): number => families.indexOf(familyOf(address));
  return held.toSorted((a, b) => rank(a) - rank(b));
}
