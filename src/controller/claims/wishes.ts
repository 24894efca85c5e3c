/**
 * Pods that ask for addresses of their own, each followed until a claim serves it.
 *
 * Invariants
 * - an agent is not believed about whose Pod is where: the API server is asked
 * - one is followed after the other: two Pods must not choose the same address of a claim, nor two claims the same address
 */
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { type PlacedPod, readPlacedPod } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { claimKey, type HeldAddress, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { ClaimAsked, NodeNetwork } from '../../store/node-network.ts';
import type { ClaimBook } from './book.ts';
import type { WantedAddress } from './node-claims.ts';
import { choose, claimFor, Unservable } from './wish.ts';

/** What was wrong is looked at again after that. */
const AGAIN_ms = 5_000;

/** One Pod's wish, as far as it was followed. */
export interface Wish {
  readonly node: string;
  readonly asked: ClaimAsked;
  /** Of an address that its claim does not have yet. */
  wanted?: WantedAddress | undefined;
  /** Key of the claim that serves it. */
  claim?: string;
  /** Why it is not served, in a sentence. */
  problem?: string | undefined;
  /** Not looked at before (performance.now()). */
  again_ms: number;
}

/** What following takes. */
export interface WishesOptions {
  readonly api: KubeApi;
  readonly book: ClaimBook;
  /** Has that node passed over. */
  readonly wake: (node: string) => void;
  readonly log: Log;
}

/** See the head of this file. */
export class Wishes {
  readonly #options: WishesOptions;
  readonly #wishes = new Map<string, Wish>();
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
    for (const wish of this.#wishes.values()) if (wish.claim === claim || wish.problem !== undefined) this.#options.wake(wish.node);
  }

  /** Takes up what the node's Pods ask for, and forgets those of its Pods that ask no more. */
  async heed({ name: node, spec }: NodeNetwork): Promise<void> {
    const asking = spec.claims ?? [];
    const uids = new Set(asking.map(({ uid }) => uid));
    for (const [uid, wish] of this.#wishes) if (wish.node === node && !uids.has(uid)) this.#wishes.delete(uid);
    for (const asked of asking) {
      const known = this.#wishes.get(asked.uid);
      const wish: Wish = known?.node === node ? known : { node, asked, again_ms: 0 };
      this.#wishes.set(asked.uid, wish);
      const isServed = heldBy(this.#options.book.get(wish.claim ?? ''), asked.uid) !== undefined;
      if (!isServed && wish.wanted === undefined && performance.now() >= wish.again_ms) await this.#try(wish);
    }
  }

  /** What it wanted cannot be had; it is looked at again in a while. */
  refuse(wish: Wish, why: string): void {
    Object.assign(wish, { problem: why, wanted: undefined, again_ms: performance.now() + AGAIN_ms });
    setTimeout(() => this.#options.wake(wish.node), AGAIN_ms + 1).unref();
    this.#options.log.warn(`Pod ${wish.asked.namespace}/${wish.asked.pod} has no address of its own: ${why}`, { node: wish.node });
  }

  async #try(wish: Wish): Promise<void> {
    const turn = this.#last.then(() => this.#follow(wish));
    this.#last = turn.catch(() => undefined);
    try {
      await turn;
      wish.problem = undefined;
    } catch (error) {
      this.refuse(wish, error instanceof Unservable ? error.message : sentence(asFailure(error)));
    }
  }

  async #follow(wish: Wish): Promise<void> {
    const { asked, node } = wish;
    const { book } = this.#options;
    const pod = await this.#podOf(asked.namespace, asked.pod);
    if (pod?.uid !== asked.uid || pod.node !== node) throw new Unservable(`the API server knows no such Pod on ${node}`);
    const claim = await claimFor(book, asked, pod);
    wish.claim = claimKey(claim);
    if (heldBy(claim, asked.uid) !== undefined) return;
    const others = [...this.#wishes.values()].flatMap((other) => (other.wanted === undefined ? [] : { ...other, wanted: other.wanted }));
    const coming = others.filter((other) => other.claim === wish.claim).map((other) => other.wanted.address);
    const choice = await choose(book, claim, coming, (held) => this.#isGone(asked.namespace, held));
    if (choice.kind === 'held') {
      await this.#bind(claim, choice.address, wish);
      return;
    }
    const rival = choice.address === undefined ? undefined : others.find((other) => other.wanted.address === choice.address);
    if (rival !== undefined)
      throw new Unservable(
        `${choice.address} is being given to Pod ${rival.asked.namespace}/${rival.asked.pod}, of IPClaim ${rival.claim}`,
      );
    const subnet = claim.spec.subnet ?? asked.subnets[0];
    if (subnet === undefined) throw new Unservable('no PodSubnet of this node serves it');
    wish.wanted = { uid: asked.uid, subnet, ...(choice.address !== undefined && { address: choice.address }) };
  }

  /** The claim has the address already, on this node or on another one, which is then asked for it. */
  async #bind(claim: StoredClaim, address: HeldAddress['address'], { asked, node }: Wish): Promise<void> {
    await this.#options.book.update(claimKey(claim), (addresses) =>
      addresses.map((held) => {
        if (held.address !== address) return held;
        return {
          ...held,
          pod: asked.pod,
          podUid: asked.uid,
          phase: held.node === node ? 'Bound' : 'Moving',
          since: new Date().toISOString(),
        };
      }),
    );
    const from = claim.status.addresses.find((held) => held.address === address)?.node;
    if (from !== undefined && from !== node) this.#options.wake(from);
  }

  #podOf(namespace: string, name: string): Promise<PlacedPod | undefined> {
    return this.#options.api.find({ ...resources.pods, namespace, name }, readPlacedPod);
  }

  async #isGone(namespace: string, { pod, podUid }: HeldAddress): Promise<boolean> {
    return pod === undefined || (await this.#podOf(namespace, pod))?.uid !== podUid;
  }
}

/** The claim's address that this Pod has. */
export function heldBy(claim: StoredClaim | undefined, uid: string): HeldAddress | undefined {
  return claim?.status.addresses.find(({ podUid }) => podUid === uid);
}
