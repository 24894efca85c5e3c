/**
 * Pods that ask for addresses of their own, each followed until a claim serves it.
 *
 * Invariants
 * - an agent is not believed about whose Pod is where: the API server is asked
 * - one is followed after the other: two Pods must not choose the same address of a claim, nor two claims the same address
 * - whoever is not served is tried again, of one PodSubnet after the other, and is told why
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../cloud/clock.ts';
import { asFailure, type Failure, failure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { IpClaimStatus } from '../../store/ip-claim.ts';
import { claimKey, type HeldAddress, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { ClaimAsked, NodeNetwork } from '../../store/node-network.ts';
import type { ClaimBook } from './book.ts';
import type { NodeView } from './candidate.ts';
import type { Choice } from './choose.ts';
import { follow } from './follow.ts';
import type { Unserved, WantedAddresses } from './claims.ts';
import type { NodeLife } from './node-life.ts';
import { answerTo, heldBy, isBound, whereIs } from './share.ts';
import { withStanding } from './standing.ts';
import type { Fresh, Wish } from './wish.ts';
import { WishList } from './wish-list.ts';

/** Whatever is not served is looked at again after that: not everything that may help is told of. */
const AGAIN_ms = 5_000;
/** Addresses of our own choice that are tried in a row. */
const CHOICES = 8;

/** What following takes. */
export interface WishesOptions {
  readonly api: KubeApi;
  readonly book: ClaimBook;
  readonly life: NodeLife;
  readonly log: Log;
  readonly clock: Clock;
  /** Whether nodes give anything back. */
  readonly releases: boolean;
}

/** See the head of this file. */
export class Wishes {
  readonly list = new WishList();
  readonly #options: WishesOptions;
  /** Nodes that are to be woken, and how not to. */
  readonly #alarms = new Map<string, () => void>();
  #last: Promise<void> = Promise.resolve();

  constructor(options: WishesOptions) {
    this.#options = options;
  }

  /** Wakes the nodes whose Pods may be served otherwise now that this claim has changed. */
  wakeFor(claim: string): void {
    for (const wish of [...this.list.ofClaim(claim), ...this.list.troubled()]) this.#options.life.wake(wish.node);
  }

  /** Takes up what the node's Pods ask for, and forgets those of its Pods that ask no more. */
  async heed({ name: node, spec, status }: NodeNetwork, view: NodeView): Promise<void> {
    const asking = spec.claims ?? [];
    const uids = new Set(asking.map(({ uid }) => uid));
    const known = new Map(this.list.onNode(node).map((wish) => [wish.uid, wish]));
    for (const wish of known.values()) if (!uids.has(wish.uid)) await this.#forget(wish);
    for (const asked of asking) {
      const wish = this.#heard(known.get(asked.uid) ?? this.list.add(node, asked), asked);
      if (this.#isOvertaken(wish)) this.list.want(wish, undefined);
      const isTodo = wish.fresh === undefined && !isBound(wish, this.#options.book);
      // Before the agent was told of any PodSubnet it does not know which of them serve the Pod.
      const isEarly = asked.subnets.length === 0 && status.subnets === undefined;
      if (isTodo && !isEarly && this.#now_ms() >= wish.again_ms) await this.#try(wish, view);
      if (answerTo(wish, this.#options).addresses.length === 0) this.#lookAgain(wish);
      else if (wish.trouble !== undefined) await this.#relieve(wish);
    }
  }

  /** There is no such node any more, and nobody on it asks for anything. Rejects never. */
  async forget(node: string): Promise<void> {
    for (const wish of this.list.onNode(node)) await this.#forget(wish);
  }

  /** The cloud has refused what it wanted. */
  async refused(wish: Wish, wanted: WantedAddresses, why: Failure): Promise<void> {
    const { fresh } = wish;
    if (why.kind === 'cloudAddressTaken' && fresh?.chosen === true && ++wish.misses % CHOICES !== 0) {
      this.list.want(wish, undefined);
      return;
    }
    if (fresh !== undefined && why.kind === 'cloudSubnetFull') await this.#tryOthers(wish, fresh, why.details || why.message);
    else {
      await this.refuse(wish, sentence(inOtherWords(why, wanted)), 'cloud');
      if (why.kind === 'cloudInvalid') await this.#drop(wish, wanted);
    }
  }

  /** Nothing was asked of the cloud, for want of something. */
  async unserved({ wanted: { uid }, stop }: Unserved): Promise<void> {
    const wish = this.list.of(uid);
    if (wish === undefined) return;
    const isFinal = stop.stoppedBy === 'instance' || stop.stoppedBy === 'subnet' || stop.stoppedBy === 'ceiling';
    if (isFinal && wish.fresh !== undefined) await this.#tryOthers(wish, wish.fresh, stop.text);
    else await this.#say(wish, stop.text, 'cloud');
  }

  /** What it wanted cannot be had; it is looked at again in a while. */
  async refuse(wish: Wish, why: string, of: 'wish' | 'cloud'): Promise<void> {
    // What is in its way still was asked back a moment ago.
    if (wish.inTheWay?.left_ms !== undefined) this.#release(wish);
    this.list.want(wish, undefined);
    wish.again_ms = this.#now_ms() + AGAIN_ms;
    this.#lookAgain(wish);
    await this.#say(wish, why, of);
  }

  /** The cloud has these blocks on that node: what was in somebody's way and has gone is told. */
  seen(node: string, blocks: ReadonlySet<Cidr>): void {
    for (const wish of this.list.waitingFor(node)) {
      if (wish.inTheWay === undefined || wish.inTheWay.left_ms !== undefined || blocks.has(wish.inTheWay.block)) continue;
      wish.inTheWay.left_ms = this.#now_ms();
      wish.again_ms = 0;
      this.#options.life.wake(wish.node);
    }
  }

  /** It has what it wanted. */
  served(wish: Wish): void {
    this.#release(wish);
    this.list.want(wish, undefined);
    this.list.trouble(wish, undefined);
    wish.tried.clear();
    wish.misses = 0;
    wish.isRefusedAtBirth = false;
  }

  /** The status with the claim's condition as it is, or will be once that wish is served. */
  standing(key: string, status: IpClaimStatus, without?: Wish): IpClaimStatus {
    const others = this.list.ofClaim(key).filter((wish) => wish !== without);
    return withStanding(status, others, this.#now_ms());
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

  /** Whose pool waited for it goes on. */
  #release(wish: Wish): void {
    if (wish.inTheWay !== undefined) this.#options.life.wake(wish.inTheWay.node);
    this.list.hold(wish, undefined);
  }

  async #relieve(wish: Wish): Promise<void> {
    this.served(wish);
    if (wish.claim !== undefined) await this.#tellClaim(wish.claim);
  }

  async #forget(wish: Wish): Promise<void> {
    const { claim, trouble } = wish;
    this.list.forget(wish);
    if (claim !== undefined && trouble !== undefined) await this.#tellClaim(claim);
  }

  /** An agent may learn more about a Pod's subnets than it knew at first. */
  #heard(wish: Wish, asked: ClaimAsked): Wish {
    if (!isDeepStrictEqual(wish.asked, asked)) Object.assign(wish, { asked, again_ms: 0 });
    return wish;
  }

  /** The cloud has chosen for another claim what this one was about to get. */
  #isOvertaken({ fresh, claim }: Wish): boolean {
    const holders = (fresh?.these ?? []).flatMap((address) => this.#options.book.holderOf(address) ?? []);
    return holders.some((holder) => claimKey(holder) !== claim);
  }

  #now_ms(): number {
    return this.#options.clock.now_ms();
  }

  /** Of a workload's addresses any will do: one that was on no node, and that the cloud has made an interface's own since, is the claim's no more. */
  async #drop({ claim: key, uid }: Wish, { these }: WantedAddresses): Promise<void> {
    const claim = this.#options.book.get(key ?? '');
    if (key === undefined || claim?.spec.podSelector === undefined) return;
    const isLost = ({ address, podUid }: HeldAddress): boolean =>
      podUid === uid && these.includes(address) && !claim.spec.addresses.includes(address);
    try {
      await this.#options.book.update(key, (status) => {
        if (!status.addresses.some(isLost)) return status;
        return { ...status, addresses: status.addresses.filter((held) => !isLost(held)) };
      });
    } catch (error) {
      this.#options.log.debug(`IPClaim ${key} keeps what the cloud has given away: ${sentence(asFailure(error))}`);
    }
  }

  /** The next subnet of the cloud, or PodSubnet, at once; after the last one all are tried again, in a while. */
  async #tryOthers(wish: Wish, { subnet, candidate }: Fresh, why: string): Promise<void> {
    wish.tried.set(candidate, why);
    const isOnly = candidate === subnet && wish.asked.subnets.every((name) => name === subnet);
    if (isOnly) {
      wish.tried.clear();
      await this.refuse(wish, why, 'cloud');
      return;
    }
    this.list.want(wish, undefined);
    this.#options.life.wake(wish.node);
  }

  async #say(wish: Wish, text: string, of: 'wish' | 'cloud'): Promise<void> {
    if (wish.trouble?.text === text) return;
    this.list.trouble(wish, { text, of });
    this.#options.log.warn(`Pod ${wish.asked.namespace}/${wish.asked.pod} has no address of its own: ${text}`, { node: wish.node });
    this.#options.life.wake(wish.node);
    if (wish.claim !== undefined) await this.#tellClaim(wish.claim);
  }

  /** In its condition. What fails is in the log: the Pod's event says the same. */
  async #tellClaim(key: string): Promise<void> {
    try {
      await this.#options.book.update(key, (status) => this.standing(key, status));
    } catch (error) {
      this.#options.log.debug(`IPClaim ${key} was not told how it stands: ${sentence(asFailure(error))}`);
    }
  }

  /** Its node, and those that have its addresses, get a pass in a while. */
  #lookAgain(wish: Wish): void {
    const { clock, life, book } = this.#options;
    const held = heldBy(book.get(wish.claim ?? ''), wish.uid);
    const nodes = [wish.node, wish.inTheWay?.node, ...held.map((one) => whereIs(one, life))];
    for (const node of new Set(nodes.filter((name) => name !== undefined))) {
      if (this.#alarms.has(node)) continue;
      const cancel = clock.after(AGAIN_ms + 1, () => {
        this.#alarms.delete(node);
        life.wake(node);
      });
      this.#alarms.set(node, cancel);
    }
  }

  async #try(wish: Wish, view: NodeView): Promise<void> {
    try {
      await this.inTurn(() => this.#follow(wish, view));
      // What the cloud or the node lacked is said until it is there.
      if (wish.trouble?.of === 'wish') {
        this.list.trouble(wish, undefined);
        if (wish.fresh !== undefined && wish.claim !== undefined) await this.#tellClaim(wish.claim);
      }
    } catch (error) {
      wish.tried.clear();
      await this.refuse(wish, sentence(asFailure(error)), 'wish');
    }
  }

  async #follow(wish: Wish, view: NodeView): Promise<void> {
    const { claim, choice } = await follow({ ...this.#options, list: this.list }, wish, view);
    wish.families = choice.families;
    await this.#bind(claim, choice, wish);
    this.list.want(wish, choice.fresh);
    if (choice.fresh === undefined) this.#release(wish);
  }

  /** The claim has these already, on this node or on another one, which is then asked for them. */
  async #bind(claim: StoredClaim, { held: chosen, fresh }: Choice, wish: Wish): Promise<void> {
    const { asked, node, uid } = wish;
    const since = new Date(this.#now_ms()).toISOString();
    const key = claimKey(claim);
    await this.#options.book.update(key, (status) => {
      const addresses = status.addresses.map((now): HeldAddress => {
        const wanted = chosen.find(({ address }) => address === now.address);
        // Somebody else's by now, as another leader may have decided: the wish is followed again.
        if (wanted === undefined || now.podUid !== wanted.podUid || now.podUid === uid) return now;
        return { ...now, pod: asked.pod, podUid: uid, phase: now.node === node ? 'Bound' : 'Moving', since };
      });
      const isNews = addresses.some((one, i) => one !== status.addresses[i]);
      const after = isNews ? { ...status, addresses } : status;
      return fresh === undefined ? this.standing(key, after, wish) : after;
    });
    for (const { node: at } of chosen) if (at !== undefined && at !== node) this.#options.life.wake(at);
  }
}

/** What the cloud calls a wrong call was a person's wish. */
function inOtherWords(why: Failure, { these }: WantedAddresses): Failure {
  if (why.kind !== 'cloudInvalid' || these.length === 0) return why;
  return failure('claimAddressUnusable', { address: these.join(', '), reason: `the cloud says: ${why.details || why.message}` }, why);
}
