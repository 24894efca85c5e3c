/**
 * IPClaims and the nodes: whose Pod is where decides where a claim's addresses are to be.
 *
 * Invariants
 * - an address is assigned to a node only when it is on no other: it is asked back there first, by the handshake, and taken without the agent's word only
 *   when that node is not alive and the Pod that had it is gone
 * - an agent is not believed about whose Pod is where: the API server is asked
 */
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { type Cidr, firstOf, hostCidr } from '../../net/cidr.ts';
import { type PlacedPod, readPlacedPod } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { claimKey, type HeldAddress, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { ClaimAsked, ClaimGranted, NodeNetwork } from '../../store/node-network.ts';
import { openBook } from './book.ts';
import type { Claims, NodeClaims, WantedAddress } from './node-claims.ts';
import { retire } from './retire.ts';
import { choose, claimFor, Unservable } from './wish.ts';

const RETIRE_EVERY_ms = 10_000;
/** How long a node that is not alive may take to give an address back. */
const PATIENCE_ms = 30_000;
/** What was wrong is looked at again after that. */
const AGAIN_ms = 5_000;

/** What is known of a node. */
export interface NodeLife {
  /** Its Node is there and Ready. */
  isAlive(node: string): boolean;
  /** Has it passed over: something about its claims is another now. */
  wake(node: string): void;
}

/** A Pod's wish, as far as it was followed. */
interface Wish {
  readonly node: string;
  readonly asked: ClaimAsked;
  /** Wanted, and on no node. */
  wanted?: WantedAddress | undefined;
  /** Key of the claim that serves it. */
  claim?: string;
  problem?: string | undefined;
  again_ms: number;
}

/** The claims of the cluster, kept up to date. */
export interface ClusterClaims extends Claims {
  /** Resolves when all there are have been read. */
  readonly synced: Promise<void>;
  stop(): Promise<void>;
}

/** Starts following. */
export function clusterClaims(api: KubeApi, life: NodeLife, log: Log): ClusterClaims {
  const wishes = new Map<string, Wish>();
  let last: Promise<void> = Promise.resolve();
  const book = openBook(api, log, (key, before) => {
    for (const { node } of before) if (node !== undefined) life.wake(node);
    for (const { node } of book.get(key)?.status.addresses ?? []) if (node !== undefined) life.wake(node);
    for (const wish of wishes.values()) if (wish.claim === key || wish.problem !== undefined) life.wake(wish.node);
  });
  const retiring = setInterval(() => {
    retire({ book, api, log, isAsked: (uid) => wishes.has(uid) }).catch((error: unknown) =>
      log.warn(`IPClaims were not looked through: ${sentence(asFailure(error))}`),
    );
  }, RETIRE_EVERY_ms).unref();

  const podOf = (namespace: string, name: string): Promise<PlacedPod | undefined> =>
    api.find({ ...resources.pods, namespace, name }, readPlacedPod);
  const isGone =
    (namespace: string) =>
    async ({ pod, podUid }: HeldAddress): Promise<boolean> =>
      pod === undefined || (await podOf(namespace, pod))?.uid !== podUid;

  /** One after the other: two Pods must not choose the same address of a claim, nor two claims the same address. */
  function followInTurn(wish: Wish): Promise<void> {
    const turn = last.then(() => follow(wish));
    last = turn.catch(() => undefined);
    return turn;
  }

  async function follow(wish: Wish): Promise<void> {
    const { asked, node } = wish;
    const pod = await podOf(asked.namespace, asked.pod);
    if (pod === undefined || pod.uid !== asked.uid || pod.node !== node)
      throw new Unservable(`the API server knows no such Pod on ${node}`);
    const claim = await claimFor(book, asked, pod);
    wish.claim = claimKey(claim);
    if (claim.status.addresses.some(({ podUid }) => podUid === asked.uid)) return;
    const others = [...wishes.values()].filter((other) => other.wanted !== undefined);
    const coming = others.filter((other) => other.claim === wish.claim).map((other) => other.wanted?.address);
    const choice = await choose(book, claim, coming, isGone(asked.namespace));
    const rival = others.find((other) => choice.kind === 'new' && choice.address !== undefined && other.wanted?.address === choice.address);
    if (rival !== undefined)
      throw new Unservable(
        `${rival.wanted?.address} is being given to Pod ${rival.asked.namespace}/${rival.asked.pod}, of IPClaim ${rival.claim}`,
      );
    if (choice.kind === 'held') {
      await bind(claim, choice.address, wish);
      return;
    }
    const subnet = claim.spec.subnet ?? asked.subnets[0];
    if (subnet === undefined) throw new Unservable('no PodSubnet of this node serves it');
    wish.wanted = { uid: asked.uid, subnet, ...(choice.address !== undefined && { address: choice.address }) };
  }

  async function bind(claim: StoredClaim, address: HeldAddress['address'], { asked, node }: Wish): Promise<void> {
    await book.update(claimKey(claim), (addresses) =>
      addresses.map((held) =>
        held.address === address
          ? { ...held, pod: asked.pod, podUid: asked.uid, phase: held.node === node ? 'Bound' : 'Moving', since: new Date().toISOString() }
          : held,
      ),
    );
    const from = claim.status.addresses.find((held) => held.address === address)?.node;
    if (from !== undefined && from !== node) life.wake(from);
  }

  return {
    synced: book.synced,
    async heed(node) {
      const asked = new Set((node.spec.claims ?? []).map(({ uid }) => uid));
      for (const [uid, wish] of wishes) if (wish.node === node.name && !asked.has(uid)) wishes.delete(uid);
      for (const one of node.spec.claims ?? []) {
        const known = wishes.get(one.uid);
        const wish: Wish = known?.node === node.name ? known : { node: node.name, asked: one, again_ms: 0 };
        wishes.set(one.uid, wish);
        const isServed = wish.claim !== undefined && heldBy(book.get(wish.claim), one.uid) !== undefined;
        if (isServed || wish.wanted !== undefined || performance.now() < wish.again_ms) continue;
        try {
          await followInTurn(wish);
          wish.problem = undefined;
        } catch (error) {
          wish.problem = error instanceof Unservable ? error.message : sentence(asFailure(error));
          wish.again_ms = performance.now() + AGAIN_ms;
          setTimeout(() => life.wake(node.name), AGAIN_ms + 1).unref();
          log.warn(`Pod ${one.namespace}/${one.pod} has no address of its own: ${wish.problem}`, { node: node.name });
        }
      }
    },
    on: (node) => shareOf(node),
    async assigned(node, wanted, blocks) {
      const free = blocks.map(firstOf).filter((ip) => !wanted.some(({ address }) => address === ip));
      for (const { uid, subnet, address = free.shift() } of wanted) {
        const wish = wishes.get(uid);
        if (wish?.claim === undefined || address === undefined) continue;
        await book.update(wish.claim, (addresses) => {
          const fresh = {
            address,
            subnet,
            node,
            pod: wish.asked.pod,
            podUid: uid,
            phase: 'Bound' as const,
            since: new Date().toISOString(),
          };
          return [...addresses.filter((held) => held.address !== address), fresh];
        });
        wish.wanted = undefined;
        log.info(`${address} is Pod ${wish.asked.namespace}/${wish.asked.pod}'s, of IPClaim ${wish.claim}`, { node });
      }
    },
    refused(wanted, why) {
      for (const { uid } of wanted) {
        const wish = wishes.get(uid);
        if (wish === undefined) continue;
        Object.assign(wish, { problem: why, wanted: undefined, again_ms: performance.now() + AGAIN_ms });
        setTimeout(() => life.wake(wish.node), AGAIN_ms + 1).unref();
      }
    },
    async left(node, blocks) {
      const gone = new Set(blocks.map(firstOf));
      for (const claim of book.list()) {
        if (!claim.status.addresses.some((held) => held.node === node && gone.has(held.address))) continue;
        await book.update(claimKey(claim), (addresses) =>
          addresses.map((held) => {
            const { node: at, ...rest } = held;
            return at === node && gone.has(held.address) ? rest : held;
          }),
        );
        for (const { podUid } of claim.status.addresses) life.wake(wishes.get(podUid ?? '')?.node ?? node);
      }
    },
    stop() {
      clearInterval(retiring);
      book.stop();
      return Promise.resolve();
    },
  };

  function shareOf(node: NodeNetwork): NodeClaims {
    const [here, away, forced] = [new Set<Cidr>(), new Set<Cidr>(), new Set<Cidr>()];
    for (const { status } of book.list()) {
      for (const held of status.addresses) {
        if (held.node !== node.name) continue;
        const block = hostCidr(held.address);
        const wantedAt = wishes.get(held.podUid ?? '')?.node;
        // What the agent has let go of goes its whole way: it may be asked for again from there.
        const leaves = (wantedAt !== undefined && wantedAt !== node.name) || node.spec.returned.includes(block);
        (leaves ? away : here).add(block);
        if (leaves && !life.isAlive(node.name) && Date.now() - Date.parse(held.since) > PATIENCE_ms) forced.add(block);
      }
    }
    const own = (node.spec.claims ?? []).flatMap(({ uid }) => wishes.get(uid) ?? []);
    return { here, away, forced, wanted: own.flatMap((wish) => wantedBy(wish) ?? []), answers: own.map((wish) => answerTo(wish)) };
  }

  /** Its address is on no node: it is to be assigned to this one. */
  function wantedBy(wish: Wish): WantedAddress | undefined {
    if (performance.now() < wish.again_ms) return undefined;
    const held = heldBy(book.get(wish.claim ?? ''), wish.asked.uid);
    if (held === undefined) return wish.wanted;
    return held.node === undefined ? { uid: wish.asked.uid, subnet: held.subnet, address: held.address } : undefined;
  }

  function answerTo({ asked: { namespace, pod, uid }, node, claim, problem }: Wish): ClaimGranted {
    const held = heldBy(book.get(claim ?? ''), uid);
    if (held?.node === node) return { namespace, pod, uid, subnet: held.subnet, addresses: [held.address] };
    const waits = held?.node === undefined ? undefined : `${held.address} is on node ${held.node} still, which was asked to give it back`;
    const text = problem ?? waits;
    return { namespace, pod, uid, addresses: [], ...(text !== undefined && { problem: text }) };
  }
}

function heldBy(claim: StoredClaim | undefined, uid: string): HeldAddress | undefined {
  return claim?.status.addresses.find(({ podUid }) => podUid === uid);
}
