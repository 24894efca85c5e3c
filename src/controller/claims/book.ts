/**
 * All IPClaims of the cluster in memory, and the only way to change them.
 *
 * Invariants
 * - an address is in one claim: whoever wants one that another claim has is told so
 * - a change is written over the version it was made from; what was written is read from then on, however late the watch is
 */
import { failure, isFailure } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import type { Ip } from '../../net/address.ts';
import type { ClusterPod } from '../../store/kubernetes/core-objects.ts';
import { isBehind } from '../../store/kubernetes/own-write.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { claimKey, type HeldAddress, MADE_FOR, readClaim, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { IpClaimStatus } from '../../store/ip-claim.ts';
import { ClaimIndex } from './claim-index.ts';

const TRIES = 5;

/** See the head of this file. */
export interface ClaimBook {
  get(key: string): StoredClaim | undefined;
  list(): StoredClaim[];
  /** The claim that has the address. */
  holderOf(address: Ip): StoredClaim | undefined;
  /** Claims with an address on that node. */
  on(node: string): StoredClaim[];
  /** Addresses of claims that lie in that /28 or /80. */
  within(prefix: Cidr): readonly Ip[];
  /** For the Pod of that name and uid. @throws Failure kube* */
  create(pod: Pick<ClusterPod, 'namespace' | 'name' | 'uid'>, spec: object): Promise<StoredClaim>;
  /** Changes what became of a claim; `change` sees the newest, and may be called again. What it leaves as it is is not written. @throws Failure kube*, claimBusy */
  update(key: string, change: (status: IpClaimStatus) => IpClaimStatus): Promise<void>;
  /** Deletes it, if it is still as it was read: a Pod may have come to it. @throws Failure kube* */
  remove(claim: StoredClaim): Promise<void>;
  /** Resolves when all there are have been read. */
  readonly synced: Promise<void>;
  stop(): void;
}

/** Starts following. `changed`: a claim of that key is another, or gone; with the addresses it had before. */
export function openBook(api: KubeApi, log: Log, changed: (key: string, before: readonly HeldAddress[]) => void): ClaimBook {
  const written = new Map<string, StoredClaim>();
  const index = new ClaimIndex();
  const cache = watchObjects(
    api,
    { at: resources.ipClaims, parse: readClaim },
    {
      log,
      changed: ({ kind, key, before }) => {
        if (kind === 'gone' && written.get(key)?.uid === before.uid) written.delete(key);
        noted(key);
        changed(key, before?.status.addresses ?? []);
      },
    },
  );

  function get(key: string): StoredClaim | undefined {
    const [ours, watched] = [written.get(key), cache.get(key)];
    if (ours === undefined) return watched;
    if (watched === undefined || isBehind(watched, ours)) return ours;
    written.delete(key);
    return watched;
  }

  /** After each change of what `get` answers. */
  const noted = (key: string): void => index.put(key, get(key)?.status.addresses);
  const wrote = (claim: StoredClaim): StoredClaim => {
    written.set(claimKey(claim), claim);
    noted(claimKey(claim));
    return claim;
  };
  const list = (): StoredClaim[] => {
    const keys = new Set([...cache.list().map(claimKey), ...written.keys()]);
    return [...keys].flatMap((key) => get(key) ?? []);
  };
  return {
    get,
    list,
    holderOf: (address) => get(index.holderOf(address) ?? ''),
    on: (node) => index.on(node).flatMap((key) => get(key) ?? []),
    within: (prefix) => index.within(prefix),
    async create({ namespace, name, uid }, spec) {
      const metadata = { name, namespace, annotations: { [MADE_FOR]: uid } };
      const body = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'IPClaim', metadata, spec };
      return wrote(await api.create({ ...resources.ipClaims, namespace }, body, readClaim));
    },
    update: (key, change) => rewrite({ api, key, get, wrote }, change),
    async remove(claim) {
      const { namespace, name, uid, resourceVersion } = claim;
      await api.delete({ ...resources.ipClaims, namespace, name }, { uid, resourceVersion });
      written.delete(claimKey(claim));
      noted(claimKey(claim));
    },
    synced: cache.synced,
    stop: () => cache.stop(),
  };
}

/** What it takes to write one claim. */
interface Rewriting {
  readonly api: Pick<KubeApi, 'get' | 'patch'>;
  readonly key: string;
  readonly get: ClaimBook['get'];
  readonly wrote: (claim: StoredClaim) => void;
}

async function rewrite({ api, key, get, wrote }: Rewriting, change: (status: IpClaimStatus) => IpClaimStatus): Promise<void> {
  for (let turn = 0; turn < TRIES; turn++) {
    const claim = get(key);
    if (claim === undefined) return;
    const status = change(claim.status);
    if (status === claim.status) return;
    const { namespace, name, resourceVersion } = claim;
    const at = { ...resources.ipClaims, namespace, name, subresource: 'status' };
    const body = { metadata: { resourceVersion }, status };
    try {
      wrote(await api.patch(at, { kind: 'merge', body }, readClaim));
      return;
    } catch (error) {
      if (!isFailure(error, 'kubeConflict')) throw error;
      wrote(await api.get({ ...resources.ipClaims, namespace, name }, readClaim));
    }
  }
  throw failure('claimBusy', { claim: key, tries: TRIES });
}
