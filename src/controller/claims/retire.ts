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
  /** Whether a node still asks for that Pod's addresses. */
  readonly isAsked: (uid: string) => boolean;
}

/** Looks through all claims once. @throws Failure kube* */
export async function retire({ book, api, log, isAsked }: Retiring): Promise<void> {
  for (const claim of book.list()) {
    for (const held of claim.status.addresses) {
      if (held.podUid === undefined || isAsked(held.podUid) || held.pod === undefined) continue;
      const pod = await api.find({ ...resources.pods, namespace: claim.namespace, name: held.pod }, readPlacedPod);
      if (pod?.uid === held.podUid) continue;
      await book.update(claimKey(claim), (addresses) => addresses.map((one) => (one.address === held.address ? withoutPod(one) : one)));
    }
    await reclaim(book, log, book.get(claimKey(claim)) ?? claim);
  }
}

/** No Pod has it any more; who had it last stays known. */
function withoutPod({ podUid: _, ...held }: HeldAddress): HeldAddress {
  return { ...held, phase: 'Reserved', since: new Date().toISOString() };
}

async function reclaim(book: ClaimBook, log: Log, claim: StoredClaim): Promise<void> {
  const { spec, status } = claim;
  if (spec.reclaim === 'Retain' || claim.leaving) return;
  const keep_ms = spec.reclaim === 'TTL' ? (spec.ttl_s ?? 0) * 1000 : 0;
  const over = status.addresses.filter(({ podUid, since }) => podUid === undefined && Date.now() - Date.parse(since) >= keep_ms);
  if (over.length === 0) return;
  log.info(
    `${over.map(({ address }) => address).join(', ')} of IPClaim ${claimKey(claim)}: no Pod has it any more, reclaim is ${spec.reclaim}`,
  );
  if (spec.pod !== undefined) await book.remove(claim);
  else await book.update(claimKey(claim), (addresses) => addresses.filter((held) => !over.some(({ address }) => address === held.address)));
}
