/**
 * IPClaims and the nodes: whose Pod is where decides where a claim's addresses are to be.
 *
 * Invariant: an address is assigned to a node only when it is on no other. It is asked back there first, by the handshake, and taken without the agent's word
 * only when that node is not alive and the Pod that had it is gone.
 */
import { type Clock, systemClock } from '../../cloud/clock.ts';
import type { CloudNic } from '../../cloud/cloud.ts';
import { asFailure, type Failure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { familyOf, type Ip } from '../../net/address.ts';
import { type Cidr, firstOf } from '../../net/cidr.ts';
import { claimKey, type HeldAddress } from '../../store/kubernetes/stored-claim.ts';
import type { NodeNetwork } from '../../store/node-network.ts';
import { type ClaimBook, openBook } from './book.ts';
import type { NodeView } from './candidate.ts';
import type { Claims, NodeClaims, Unserved, WantedAddresses } from './claims.ts';
import type { NodeLife } from './node-life.ts';
import { retire } from './retire.ts';
import { shareOf } from './share.ts';
import type { Wish } from './wish.ts';
import { Wishes } from './wishes.ts';

const RETIRE_EVERY_ms = 10_000;

/** What is as usual unless it is said. */
export interface ClaimsOptions {
  readonly clock?: Clock;
  /** Whether anything is given back to the cloud; true when absent. */
  readonly releases?: boolean;
}

/** The claims of the cluster, kept up to date. */
export class ClusterClaims implements Claims {
  /** Resolves when all there are have been read. */
  readonly synced: Promise<void>;
  readonly #book: ClaimBook;
  readonly #wishes: Wishes;
  readonly #life: NodeLife;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #releases: boolean;
  #cancelRetiring: () => void;
  #stopped = false;

  constructor(api: KubeApi, life: NodeLife, log: Log, { clock = systemClock, releases = true }: ClaimsOptions = {}) {
    this.#life = life;
    this.#log = log;
    this.#clock = clock;
    this.#releases = releases;
    this.#book = openBook(api, log, (key, before) => this.#changed(key, before));
    this.#wishes = new Wishes({ api, book: this.#book, life, log, clock, releases });
    this.synced = this.#book.synced;
    this.#cancelRetiring = clock.after(RETIRE_EVERY_ms, () => this.#retire(api));
  }

  async heed(node: NodeNetwork, view: NodeView): Promise<void> {
    await this.#wishes.heed(node, view);
  }

  on(node: NodeNetwork, nics: readonly Pick<CloudNic, 'id' | 'blocks'>[]): NodeClaims {
    this.#wishes.seen(node.name, new Set(nics.flatMap(({ blocks }) => blocks)));
    const now_ms = this.#clock.now_ms();
    const all = { book: this.#book, wishes: this.#wishes.list, life: this.#life, now_ms, releases: this.#releases };
    return shareOf(node, nics, all);
  }

  async assigned(node: string, wanted: readonly WantedAddresses[], blocks: readonly Cidr[]): Promise<void> {
    const byValue = new Set(wanted.flatMap(({ these }) => these));
    // The cloud may have chosen one that another claim has and that was on no node for the moment: that one goes back.
    const free = blocks.map(firstOf).filter((ip) => !byValue.has(ip) && this.#book.holderOf(ip) === undefined);
    for (const one of wanted) {
      const { uid, subnet, these, any4 } = one;
      const wish = this.#wishes.list.of(uid);
      // It stays the node's, or goes with it.
      if (wish === undefined || !this.#isAwaited(wish, one)) continue;
      const chosen = any4 ? free.shift() : undefined;
      if (wish.claim === undefined || (any4 && chosen === undefined)) continue;
      const { namespace, pod } = wish.asked;
      const since = new Date(this.#clock.now_ms()).toISOString();
      const addresses = [...these, ...(chosen === undefined ? [] : [chosen])];
      const fresh = addresses.map((address): HeldAddress => ({ address, subnet, node, pod, podUid: uid, phase: 'Bound', since }));
      const key = wish.claim;
      // Another claim has got it in the meantime; the wish is followed again, and told so.
      if (these.some((address) => ![key, undefined].includes(this.#holderOf(address)))) continue;
      await this.#book.update(key, (status) =>
        this.#wishes.standing(key, { ...status, addresses: this.#with(status.addresses, fresh) }, wish),
      );
      this.#wishes.served(wish);
      this.#log.info(`${addresses.join(', ')}: Pod ${namespace}/${pod}'s own, of IPClaim ${key}`, { node });
    }
  }

  async refused(wanted: readonly WantedAddresses[], why: Failure): Promise<void> {
    // Of several that did not fit together the first half is asked for again.
    const fit = why.kind === 'cloudSubnetFull' ? Math.floor(wanted.length / 2) : 0;
    for (const one of wanted.slice(fit)) {
      const wish = this.#wishes.list.of(one.uid);
      if (wish !== undefined) await this.#wishes.refused(wish, one, why);
    }
  }

  refusedAtBirth(wanted: readonly WantedAddresses[]): void {
    for (const { uid } of wanted) {
      const wish = this.#wishes.list.of(uid);
      if (wish !== undefined) wish.isRefusedAtBirth = true;
    }
  }

  async unserved(those: readonly Unserved[]): Promise<void> {
    for (const one of those) await this.#wishes.unserved(one);
  }

  async left(node: string, blocks: readonly Cidr[]): Promise<void> {
    const gone = new Set(blocks.map(firstOf));
    const isLeft = (held: HeldAddress): boolean => held.node === node && gone.has(held.address);
    for (const claim of this.#book.on(node)) {
      if (!claim.status.addresses.some(isLeft)) continue;
      await this.#book.update(claimKey(claim), (status) => ({
        ...status,
        addresses: status.addresses.map((held) => (isLeft(held) ? onNoNode(held) : held)),
      }));
      for (const { podUid } of claim.status.addresses) this.#life.wake(this.#wishes.list.of(podUid)?.node ?? node);
    }
  }

  forget(node: string): Promise<void> {
    return this.#wishes.forget(node);
  }

  /** Stops following. */
  stop(): void {
    this.#stopped = true;
    this.#cancelRetiring();
    this.#wishes.stop();
    this.#book.stop();
  }

  /** The addresses are on that node now, whosever they are by the newest word. */
  #with(addresses: readonly HeldAddress[], fresh: readonly HeldAddress[]): HeldAddress[] {
    const known = new Set(addresses.map(({ address }) => address));
    const there = addresses.map((held): HeldAddress => {
      const now = fresh.find(({ address }) => address === held.address);
      if (now === undefined) return held;
      if (held.podUid === now.podUid) return now;
      // A later leader has moved it since.
      const isElsewhere = held.node !== undefined && held.node !== now.node && !this.#life.isGone(held.node);
      return isElsewhere || now.node === undefined ? held : { ...held, node: now.node };
    });
    // By a write whose answer was lost its Pod may have one of that family already: another one stays the pool's.
    const isServed = (one: HeldAddress): boolean =>
      addresses.some(({ address, podUid }) => podUid === one.podUid && familyOf(address) === familyOf(one.address));
    return [...there, ...fresh.filter((one) => !known.has(one.address) && !isServed(one))];
  }

  /** While the call was made its node may have been gone, and others may have chosen in its place. */
  #isAwaited({ claim, fresh }: Wish, { these, any4 }: WantedAddresses): boolean {
    const isAwaited = (address: Ip): boolean => fresh?.these.includes(address) === true || this.#holderOf(address) === claim;
    return (!any4 || fresh?.any4 === true) && these.every(isAwaited);
  }

  #holderOf(address: Ip): string | undefined {
    const holder = this.#book.holderOf(address);
    return holder === undefined ? undefined : claimKey(holder);
  }

  #changed(key: string, before: readonly HeldAddress[]): void {
    const now = this.#book.get(key)?.status.addresses ?? [];
    for (const { node } of [...before, ...now]) if (node !== undefined) this.#life.wake(node);
    this.#wishes.wakeFor(key);
  }

  #retire(api: KubeApi): void {
    const isAsked = (uid: string): boolean => this.#life.isAlive(this.#wishes.list.of(uid)?.node ?? '');
    const isAwaited = (key: string): boolean => this.#wishes.list.ofClaim(key).length > 0;
    const inTurn = (work: () => Promise<void>): Promise<void> => this.#wishes.inTurn(work);
    retire({ book: this.#book, api, log: this.#log, isAsked, isAwaited, inTurn, now_ms: this.#clock.now_ms() })
      .catch((error: unknown) => this.#log.warn(`IPClaims were not looked through: ${sentence(asFailure(error))}`))
      .finally(() => {
        if (!this.#stopped) this.#cancelRetiring = this.#clock.after(RETIRE_EVERY_ms, () => this.#retire(api));
      });
  }
}

function onNoNode({ node: _, ...held }: HeldAddress): HeldAddress {
  return held;
}
