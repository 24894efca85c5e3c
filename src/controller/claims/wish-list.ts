/** All wishes that were heard of, and how to find those that matter without looking at the others. */
import type { Ip } from '../../net/address.ts';
import type { ClaimAsked } from '../../store/node-network.ts';
import { Groups } from './groups.ts';
import type { Fresh, Wish } from './wish.ts';

/** See the head of this file. What others may look for is changed by its methods alone. */
export class WishList {
  readonly #confirmed = new Map<string, Wish>();
  readonly #byNode = new Groups<string, Wish>();
  readonly #byClaim = new Groups<string, Wish>();
  readonly #byAddress = new Groups<Ip, Wish>();
  /** By the node that has what is in the way. */
  readonly #waitingFor = new Groups<string, Wish>();
  readonly #troubled = new Set<Wish>();

  /** That of the Pod with this uid, if the Pod is where it is said to be. */
  of(uid: string | undefined): Wish | undefined {
    return uid === undefined ? undefined : this.#confirmed.get(uid);
  }

  /** A node says so; nobody has to believe it yet. */
  add(node: string, asked: ClaimAsked): Wish {
    const wish: Wish = { node, uid: asked.uid, asked, tried: new Map(), misses: 0, again_ms: 0 };
    this.#byNode.add(node, wish);
    return wish;
  }

  /** The API server says so, too. */
  confirm(wish: Wish): void {
    this.#confirmed.set(wish.uid, wish);
  }

  forget(wish: Wish): void {
    this.want(wish, undefined);
    this.hold(wish, undefined);
    this.trouble(wish, undefined);
    if (wish.claim !== undefined) this.#byClaim.remove(wish.claim, wish);
    this.#byNode.remove(wish.node, wish);
    if (this.#confirmed.get(wish.uid) === wish) this.#confirmed.delete(wish.uid);
  }

  /** Which claim serves it. */
  serve(wish: Wish, claim: string): void {
    if (wish.claim !== undefined) this.#byClaim.remove(wish.claim, wish);
    wish.claim = claim;
    this.#byClaim.add(claim, wish);
  }

  /** What is to be assigned for it that its claim does not have yet. */
  want(wish: Wish, fresh: Fresh | undefined): void {
    for (const address of wish.fresh?.these ?? []) this.#byAddress.remove(address, wish);
    wish.fresh = fresh;
    for (const address of fresh?.these ?? []) this.#byAddress.add(address, wish);
  }

  /** What is in its way. */
  hold(wish: Wish, block: Wish['inTheWay']): void {
    if (wish.inTheWay !== undefined) this.#waitingFor.remove(wish.inTheWay.node, wish);
    wish.inTheWay = block;
    if (block !== undefined) this.#waitingFor.add(block.node, wish);
  }

  /** Why it is not served. */
  trouble(wish: Wish, trouble: Wish['trouble']): void {
    wish.trouble = trouble;
    if (trouble === undefined) this.#troubled.delete(wish);
    else this.#troubled.add(wish);
  }

  onNode(node: string): readonly Wish[] {
    return this.#byNode.of(node);
  }

  ofClaim(claim: string): readonly Wish[] {
    return this.#byClaim.of(claim);
  }

  /** Who is about to get that address. */
  wanting(address: Ip): readonly Wish[] {
    return this.#byAddress.of(address);
  }

  /** Whom blocks of that node are, or were, in the way. */
  waitingFor(node: string): readonly Wish[] {
    return this.#waitingFor.of(node);
  }

  troubled(): Iterable<Wish> {
    return this.#troubled;
  }
}
