/** Claims whose Pods are gone: what becomes of their addresses is what spec.reclaim says. */
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { readPlacedPod } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { claimKey, type HeldAddress, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { ClaimBook } from './book.ts';

/** What it takes. */
export interface Retiring {
  readonly book: ClaimBook;
  readonly api: KubeApi;
  readonly log: Log;
  /** Whether a node that is alive still asks for that Pod's addresses. */
  readonly isAsked: (uid: string) => boolean;
  /** Whether any Pod is to be served by the claim of that key. */
  readonly isAwaited: (key: string) => boolean;
  /** Does it while nobody chooses an address. */
  readonly inTurn: (work: () => Promise<void>) => Promise<void>;
  readonly now_ms: number;
}

/** Looks through all claims once. @throws Failure kube* */
export async function retire(retiring: Retiring): Promise<void> {
  const { book, api, isAsked, inTurn, now_ms } = retiring;
  for (const claim of book.list()) {
    for (const { podUid, pod: name, address } of claim.status.addresses) {
      if (podUid === undefined || name === undefined || isAsked(podUid)) continue;
      const pod = await api.find({ ...resources.pods, namespace: claim.namespace, name }, readPlacedPod);
      if (pod?.uid === podUid) continue;
      // Another Pod may have it since.
      const isStill = (held: HeldAddress): boolean => held.address === address && held.podUid === podUid;
      await book.update(claimKey(claim), (status) => {
        const { addresses } = status;
        return addresses.some(isStill)
          ? { ...status, addresses: addresses.map((held) => (isStill(held) ? withoutPod(held, now_ms) : held)) }
          : status;
      });
    }
    if (claim.spec.reclaim !== 'Retain') await inTurn(() => reclaim(claimKey(claim), retiring));
  }
}

/** No Pod has it any more; who had it last stays known. */
function withoutPod({ podUid: _, ...held }: HeldAddress, now_ms: number): HeldAddress {
  return { ...held, phase: 'Reserved', since: new Date(now_ms).toISOString() };
}

async function reclaim(key: string, retiring: Retiring): Promise<void> {
  const { book, log, now_ms } = retiring;
  const claim = book.get(key);
  if (claim === undefined || claim.leaving) return;
  const { spec, status } = claim;
  if (status.addresses.length === 0 && (await isVain(claim, retiring))) {
    log.info(`IPClaim ${key}: the Pod it was made for ended before it had an address, reclaim is ${spec.reclaim}`);
    return book.remove(claim);
  }
  const keep_ms = spec.reclaim === 'TTL' ? (spec.ttl_s ?? 0) * 1000 : 0;
  const isOver = ({ podUid, since }: HeldAddress): boolean => podUid === undefined && now_ms - Date.parse(since) >= keep_ms;
  const over = status.addresses.filter(isOver);
  if (over.length === 0) return;
  log.info(`${over.map(({ address }) => address).join(', ')} of IPClaim ${key}: no Pod has it any more, reclaim is ${spec.reclaim}`);
  if (spec.pod === undefined) await book.update(key, (now) => ({ ...now, addresses: now.addresses.filter((held) => !isOver(held)) }));
  else if (over.length === status.addresses.length) await book.remove(claim);
}

/** It keeps nothing, and the Pod that it was made for is gone; another one of that name makes its own. A Pod is there before any agent has spoken of it. */
async function isVain(claim: StoredClaim, { api, isAwaited }: Retiring): Promise<boolean> {
  const { namespace, madeFor, spec } = claim;
  if (madeFor === undefined || spec.pod === undefined || isAwaited(claimKey(claim))) return false;
  return (await api.find({ ...resources.pods, namespace, name: spec.pod }, readPlacedPod))?.uid !== madeFor;
}
