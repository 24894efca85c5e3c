/**
 * IPClaims and the nodes: whose Pod is where decides where a claim's addresses are to be.
 *
 * Invariant: an address is assigned to a node only when it is on no other. It is asked back there first, by the handshake, and taken without the agent's word
 * only when that node is not alive and the Pod that had it is gone.
 */
import { type Clock, systemClock } from '../../cloud/clock.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import type { Ip } from '../../net/address.ts';
import { type Cidr, firstOf } from '../../net/cidr.ts';
import { claimKey, type HeldAddress } from '../../store/kubernetes/stored-claim.ts';
import type { NodeNetwork } from '../../store/node-network.ts';
import { type ClaimBook, openBook } from './book.ts';
import type { Claims, NodeClaims, WantedAddress } from './node-claims.ts';
import { retire } from './retire.ts';
import { type NodeLife, shareOf } from './share.ts';
import { Wishes } from './wishes.ts';

const RETIRE_EVERY_ms = 10_000;

/** The claims of the cluster, kept up to date. */
export class ClusterClaims implements Claims {
  /** Resolves when all there are have been read. */
  readonly synced: Promise<void>;
  readonly #book: ClaimBook;
  readonly #wishes: Wishes;
  readonly #life: NodeLife;
  readonly #log: Log;
  readonly #clock: Clock;
  #cancelRetiring: () => void;
  #stopped = false;

  constructor(api: KubeApi, life: NodeLife, log: Log, clock: Clock = systemClock) {
    this.#life = life;
    this.#log = log;
    this.#clock = clock;
    this.#book = openBook(api, log, (key, before) => this.#changed(key, before));
    this.#wishes = new Wishes({ api, book: this.#book, life, log, clock });
    this.synced = this.#book.synced;
    this.#cancelRetiring = clock.after(RETIRE_EVERY_ms, () => this.#retire(api));
  }

  async heed(node: NodeNetwork): Promise<void> {
    await this.#wishes.heed(node);
  }

  on(node: NodeNetwork): NodeClaims {
    return shareOf(node, { book: this.#book, wishes: this.#wishes, life: this.#life, now_ms: this.#clock.now_ms() });
  }

  async assigned(node: string, wanted: readonly WantedAddress[], blocks: readonly Cidr[]): Promise<void> {
    // The cloud may have chosen one that another claim has and that was on no node for the moment: that one goes back.
    const isFree = (ip: Ip): boolean => !wanted.some(({ address }) => address === ip) && this.#book.holderOf(ip) === undefined;
    const free = blocks.map(firstOf).filter(isFree);
    for (const { uid, subnet, address = free.shift() } of wanted) {
      const wish = this.#wishes.of(uid);
      if (wish?.claim === undefined || address === undefined) continue;
      const { namespace, pod } = wish.asked;
      const since = new Date(this.#clock.now_ms()).toISOString();
      const fresh: HeldAddress = { address, subnet, node, pod, podUid: uid, phase: 'Bound', since };
      await this.#book.update(wish.claim, (addresses) => {
        const known = addresses.find((held) => held.address === address);
        if (known === undefined) return [...addresses, fresh];
        // It is on that node, whosever it is by now.
        const there: HeldAddress = known.podUid === uid ? fresh : { ...known, node };
        return addresses.map((held) => (held === known ? there : held));
      });
      Object.assign(wish, { wanted: undefined, problem: undefined });
      this.#log.info(`${address} is Pod ${namespace}/${pod}'s, of IPClaim ${wish.claim}`, { node });
    }
  }

  refused(wanted: readonly WantedAddress[], why: string): void {
    for (const { uid } of wanted) {
      const wish = this.#wishes.of(uid);
      if (wish !== undefined) this.#wishes.refuse(wish, why);
    }
  }

  async left(node: string, blocks: readonly Cidr[]): Promise<void> {
    const gone = new Set(blocks.map(firstOf));
    for (const claim of this.#book.list()) {
      if (!claim.status.addresses.some((held) => held.node === node && gone.has(held.address))) continue;
      await this.#book.update(claimKey(claim), (addresses) =>
        addresses.map((held) => {
          const { node: at, ...rest } = held;
          return at === node && gone.has(held.address) ? rest : held;
        }),
      );
      for (const { podUid } of claim.status.addresses) this.#life.wake(this.#wishes.of(podUid)?.node ?? node);
    }
  }

  /** Stops following. */
  stop(): void {
    this.#stopped = true;
    this.#cancelRetiring();
    this.#wishes.stop();
    this.#book.stop();
  }

  #changed(key: string, before: readonly HeldAddress[]): void {
    const now = this.#book.get(key)?.status.addresses ?? [];
    for (const { node } of [...before, ...now]) if (node !== undefined) this.#life.wake(node);
    this.#wishes.wakeFor(key);
  }

  #retire(api: KubeApi): void {
    const isAsked = (uid: string): boolean => this.#life.isAlive(this.#wishes.of(uid)?.node ?? '');
    const inTurn = (work: () => Promise<void>): Promise<void> => this.#wishes.inTurn(work);
    retire({ book: this.#book, api, log: this.#log, isAsked, inTurn, now_ms: this.#clock.now_ms() })
      .catch((error: unknown) => this.#log.warn(`IPClaims were not looked through: ${sentence(asFailure(error))}`))
      .finally(() => {
        if (!this.#stopped) this.#cancelRetiring = this.#clock.after(RETIRE_EVERY_ms, () => this.#retire(api));
      });
  }
}
