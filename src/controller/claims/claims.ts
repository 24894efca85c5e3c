/**
 * IPClaims and the nodes: whose Pod is where decides where a claim's addresses are to be.
 *
 * Invariant: an address is assigned to a node only when it is on no other. It is asked back there first, by the handshake, and taken without the agent's word
 * only when that node is not alive and the Pod that had it is gone.
 */
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { type Cidr, firstOf, hostCidr } from '../../net/cidr.ts';
import { claimKey, type HeldAddress } from '../../store/kubernetes/stored-claim.ts';
import type { ClaimGranted, NodeNetwork } from '../../store/node-network.ts';
import { type ClaimBook, openBook } from './book.ts';
import type { Claims, NodeClaims, WantedAddress } from './node-claims.ts';
import { retire } from './retire.ts';
import { heldBy, type Wish, Wishes } from './wishes.ts';

const RETIRE_EVERY_ms = 10_000;
/** How long a node that is not alive may take to give an address back. */
const PATIENCE_ms = 30_000;

/** What is known of a node. */
export interface NodeLife {
  /** Its Node is there and Ready. */
  isAlive(node: string): boolean;
  /** Has it passed over: something about its claims is another now. */
  wake(node: string): void;
}

/** The claims of the cluster, kept up to date. */
export class ClusterClaims implements Claims {
  /** Resolves when all there are have been read. */
  readonly synced: Promise<void>;
  readonly #book: ClaimBook;
  readonly #wishes: Wishes;
  readonly #life: NodeLife;
  readonly #log: Log;
  readonly #retiring: NodeJS.Timeout;

  constructor(api: KubeApi, life: NodeLife, log: Log) {
    this.#life = life;
    this.#log = log;
    this.#book = openBook(api, log, (key, before) => this.#changed(key, before));
    this.#wishes = new Wishes({ api, book: this.#book, wake: (node) => life.wake(node), log });
    this.synced = this.#book.synced;
    const what = { book: this.#book, api, log, isAsked: (uid: string) => this.#wishes.of(uid) !== undefined };
    this.#retiring = setInterval(() => {
      retire(what).catch((error: unknown) => log.warn(`IPClaims were not looked through: ${sentence(asFailure(error))}`));
    }, RETIRE_EVERY_ms).unref();
  }

  async heed(node: NodeNetwork): Promise<void> {
    await this.#wishes.heed(node);
  }

  on(node: NodeNetwork): NodeClaims {
    const [here, away, forced] = [new Set<Cidr>(), new Set<Cidr>(), new Set<Cidr>()];
    for (const held of this.#book.list().flatMap(({ status }) => status.addresses)) {
      if (held.node !== node.name) continue;
      const block = hostCidr(held.address);
      const wantedAt = this.#wishes.of(held.podUid)?.node;
      // What the agent has let go of goes its whole way: it may be asked for again from there.
      const leaves = (wantedAt !== undefined && wantedAt !== node.name) || node.spec.returned.includes(block);
      (leaves ? away : here).add(block);
      if (leaves && !this.#life.isAlive(node.name) && Date.now() - Date.parse(held.since) > PATIENCE_ms) forced.add(block);
    }
    const own = (node.spec.claims ?? []).flatMap(({ uid }) => this.#wishes.of(uid) ?? []);
    const wanted = own.flatMap((wish) => this.#wantedBy(wish) ?? []);
    return { here, away, forced, wanted, answers: own.map((wish) => this.#answerTo(wish)) };
  }

  async assigned(node: string, wanted: readonly WantedAddress[], blocks: readonly Cidr[]): Promise<void> {
    const free = blocks.map(firstOf).filter((ip) => !wanted.some(({ address }) => address === ip));
    for (const { uid, subnet, address = free.shift() } of wanted) {
      const wish = this.#wishes.of(uid);
      if (wish?.claim === undefined || address === undefined) continue;
      const { namespace, pod } = wish.asked;
      const fresh: HeldAddress = { address, subnet, node, pod, podUid: uid, phase: 'Bound', since: new Date().toISOString() };
      await this.#book.update(wish.claim, (addresses) => [...addresses.filter((held) => held.address !== address), fresh]);
      wish.wanted = undefined;
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
    clearInterval(this.#retiring);
    this.#book.stop();
  }

  #changed(key: string, before: readonly HeldAddress[]): void {
    const now = this.#book.get(key)?.status.addresses ?? [];
    for (const { node } of [...before, ...now]) if (node !== undefined) this.#life.wake(node);
    this.#wishes.wakeFor(key);
  }

  /** Its address is on no node: it is to be assigned to this one. */
  #wantedBy(wish: Wish): WantedAddress | undefined {
    if (performance.now() < wish.again_ms) return undefined;
    const held = heldBy(this.#book.get(wish.claim ?? ''), wish.asked.uid);
    if (held === undefined) return wish.wanted;
    return held.node === undefined ? { uid: wish.asked.uid, subnet: held.subnet, address: held.address } : undefined;
  }

  #answerTo({ asked: { namespace, pod, uid }, node, claim, problem }: Wish): ClaimGranted {
    const held = heldBy(this.#book.get(claim ?? ''), uid);
    if (held?.node === node) return { namespace, pod, uid, subnet: held.subnet, addresses: [held.address] };
    const waits = held?.node === undefined ? undefined : `${held.address} is on node ${held.node} still, which was asked to give it back`;
    const text = problem ?? waits;
    return { namespace, pod, uid, addresses: [], ...(text !== undefined && { problem: text }) };
  }
}
