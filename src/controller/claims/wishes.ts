/**
 * Pods that ask for addresses of their own, each followed until a claim serves it.
 *
 * Invariants
 * - an agent is not believed about whose Pod is where: the API server is asked
 * - one is followed after the other: two Pods must not choose the same address of a claim, nor two claims the same address
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../cloud/clock.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { type PlacedPod, readPlacedPod } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { claimKey, type HeldAddress, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { ClaimAsked, NodeNetwork } from '../../store/node-network.ts';
import type { ClaimBook } from './book.ts';
import type { WantedAddress } from './node-claims.ts';
import { answerTo, heldBy, type NodeLife, whereIs } from './share.ts';
import { choose, claimFor, Unservable } from './wish.ts';

/** Whatever is not served is looked at again after that: not everything that may help is told of. */
const AGAIN_ms = 5_000;

/** One Pod's wish, as far as it was followed. */
export interface Wish {
  readonly node: string;
  asked: ClaimAsked;
  /** Of an address that its claim does not have yet. */
  wanted?: WantedAddress | undefined;
  /** Key of the claim that serves it. */
  claim?: string;
  /** Why it is not served, in a sentence. */
  problem?: string | undefined;
  /** Not looked at before that time of the clock. */
  again_ms: number;
}

/** What following takes. */
export interface WishesOptions {
  readonly api: KubeApi;
  readonly book: ClaimBook;
  readonly life: NodeLife;
  readonly log: Log;
  readonly clock: Clock;
}

/** See the head of this file. */
export class Wishes {
  readonly #options: WishesOptions;
  readonly #wishes = new Map<string, Wish>();
  /** Nodes that are to be woken, and how not to. */
  readonly #alarms = new Map<string, () => void>();
  #last: Promise<void> = Promise.resolve();

  constructor(options: WishesOptions) {
    this.#options = options;
  }

  /** That of the Pod with this uid. */
  of(uid: string | undefined): Wish | undefined {
    return uid === undefined ? undefined : this.#wishes.get(uid);
  }

  /** Wakes the nodes whose Pods may be served otherwise now that this claim has changed. */
  wakeFor(claim: string): void {
    for (const wish of this.#wishes.values()) if (wish.claim === claim || wish.problem !== undefined) this.#options.life.wake(wish.node);
  }

  /** Takes up what the node's Pods ask for, and forgets those of its Pods that ask no more. */
  async heed({ name: node, spec, status }: NodeNetwork): Promise<void> {
    const asking = spec.claims ?? [];
    const uids = new Set(asking.map(({ uid }) => uid));
    for (const [uid, wish] of this.#wishes) if (wish.node === node && !uids.has(uid)) this.#wishes.delete(uid);
    const usable = (status.subnets ?? []).map(({ name }) => name);
    for (const asked of asking) {
      const wish = this.#wishFor(node, asked);
      if (this.#heldBy(wish) === undefined && wish.wanted === undefined && this.#now_ms() >= wish.again_ms) await this.#try(wish, usable);
      if (answerTo(wish, this.#options).addresses.length === 0) this.#lookAgain(wish);
    }
  }

  /** What it wanted cannot be had; it is looked at again in a while. */
  refuse(wish: Wish, why: string): void {
    Object.assign(wish, { problem: why, wanted: undefined, again_ms: this.#now_ms() + AGAIN_ms });
    this.#lookAgain(wish);
    this.#options.log.warn(`Pod ${wish.asked.namespace}/${wish.asked.pod} has no address of its own: ${why}`, { node: wish.node });
  }

  /** Does it while nobody chooses an address. Rejects as `work` does. */
  inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Wakes nobody any more. */
  stop(): void {
    for (const cancel of this.#alarms.values()) cancel();
    this.#alarms.clear();
  }

  #wishFor(node: string, asked: ClaimAsked): Wish {
    const known = this.#wishes.get(asked.uid);
    const wish: Wish = known?.node === node ? known : { node, asked, again_ms: 0 };
    // An agent may learn more about a Pod's subnets than it knew at first.
    if (!isDeepStrictEqual(wish.asked, asked)) Object.assign(wish, { asked, again_ms: 0 });
    this.#wishes.set(asked.uid, wish);
    return wish;
  }

  #now_ms(): number {
    return this.#options.clock.now_ms();
  }

  #heldBy({ claim, asked }: Wish): HeldAddress | undefined {
    return heldBy(this.#options.book.get(claim ?? ''), asked.uid);
  }

  /** Its node, and the one that has its address, get a pass in a while. */
  #lookAgain(wish: Wish): void {
    const { clock, life } = this.#options;
    const held = this.#heldBy(wish);
    const at = held === undefined ? undefined : whereIs(held, life);
    for (const node of new Set([wish.node, at ?? wish.node])) {
      if (this.#alarms.has(node)) continue;
      const cancel = clock.after(AGAIN_ms + 1, () => {
        this.#alarms.delete(node);
        life.wake(node);
      });
      this.#alarms.set(node, cancel);
    }
  }

  async #try(wish: Wish, usable: readonly string[]): Promise<void> {
    try {
      await this.inTurn(() => this.#follow(wish, usable));
      wish.problem = undefined;
    } catch (error) {
      this.refuse(wish, error instanceof Unservable ? error.message : sentence(asFailure(error)));
    }
  }

  /** `usable`: the PodSubnets that its node may use for any Pod. */
  async #follow(wish: Wish, usable: readonly string[]): Promise<void> {
    const { asked, node } = wish;
    const { book } = this.#options;
    const pod = await this.#podOf(asked.namespace, asked.pod);
    if (pod?.uid !== asked.uid || pod.node !== node) throw new Unservable(`the API server knows no such Pod on ${node}`);
    const claim = await claimFor(book, asked, pod);
    wish.claim = claimKey(claim);
    const own = heldBy(claim, asked.uid);
    if (own !== undefined) {
      this.#wakeHolder(own, node);
      return;
    }
    const others = [...this.#wishes.values()].flatMap((other) => (other.wanted === undefined ? [] : { ...other, wanted: other.wanted }));
    const coming = others.filter((other) => other.claim === wish.claim).map((other) => other.wanted.address);
    const choice = await choose(book, claim, coming, (held) => this.#isGone(asked.namespace, held));
    if (choice.kind === 'held') {
      mustServe(wish, choice.held.subnet, [...asked.subnets, ...usable]);
      await this.#bind(claim, choice.held, wish);
      return;
    }
    const rival = choice.address === undefined ? undefined : others.find((other) => other.wanted.address === choice.address);
    if (rival !== undefined)
      throw new Unservable(
        `${choice.address} is being given to Pod ${rival.asked.namespace}/${rival.asked.pod}, of IPClaim ${rival.claim}`,
      );
    const subnet = claim.spec.subnet ?? asked.subnets[0];
    if (subnet === undefined) throw new Unservable('no PodSubnet of this node serves it');
    mustServe(wish, subnet, asked.subnets);
    wish.wanted = { uid: asked.uid, subnet, ...(choice.address !== undefined && { address: choice.address }) };
  }

  /** The claim has the address already, on this node or on another one, which is then asked for it. */
  async #bind(claim: StoredClaim, chosen: HeldAddress, { asked, node }: Wish): Promise<void> {
    const since = new Date(this.#now_ms()).toISOString();
    await this.#options.book.update(claimKey(claim), (addresses) => {
      const now = addresses.find(({ address }) => address === chosen.address);
      // Somebody else's by now, as another leader may have decided: the wish is followed again.
      if (now === undefined || now.podUid !== chosen.podUid) return addresses;
      const phase = now.node === node ? 'Bound' : 'Moving';
      return addresses.map((held) => (held === now ? { ...held, pod: asked.pod, podUid: asked.uid, phase, since } : held));
    });
    this.#wakeHolder(chosen, node);
  }

  #wakeHolder(held: HeldAddress, wantedAt: string): void {
    if (held.node !== undefined && held.node !== wantedAt) this.#options.life.wake(held.node);
  }

  #podOf(namespace: string, name: string): Promise<PlacedPod | undefined> {
    return this.#options.api.find({ ...resources.pods, namespace, name }, readPlacedPod);
  }

  async #isGone(namespace: string, { pod, podUid }: HeldAddress): Promise<boolean> {
    return pod === undefined || (await this.#podOf(namespace, pod))?.uid !== podUid;
  }
}

function mustServe({ claim, node }: Wish, subnet: string, served: readonly string[]): void {
  if (served.includes(subnet)) return;
  throw new Unservable(`the addresses of IPClaim ${claim} are of PodSubnet ${subnet}, which does not serve this Pod on node ${node}`);
}
