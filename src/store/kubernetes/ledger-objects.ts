/** The ledger of ranges in the Kubernetes API: an AddressLedger for each slice, replaced only as it was read. */
import type { LedgerStore, StoredSlice } from '../../cloud/range/ledger-store.ts';
import { isFailure } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { bitsOf, ipToBytes } from '../../net/address.ts';
import { type Cidr, cidrFamily, firstOf, lengthOf } from '../../net/cidr.ts';
import { readAddressLedger, type StoredLedger } from '../address-ledger.ts';
import { resources } from './resources.ts';

/** A write that takes longer counts as unclear; no longer than the calls that the election leaves time for (kube/election.ts). */
export interface LedgerPatience {
  readonly deadline_ms: number;
}

/** Each call rejects with Failure kube*. */
export function ledgerObjects(api: Pick<KubeApi, 'list' | 'find' | 'create' | 'replace'>, { deadline_ms }: LedgerPatience): LedgerStore {
  const at = resources.addressLedgers;
  return {
    list: async () => (await api.list(at, readAddressLedger)).items.map(storedSlice),
    async read(slice) {
      const found = await api.find({ ...at, name: nameOf(slice) }, readAddressLedger, { deadline_ms });
      return found === undefined ? undefined : storedSlice(found);
    },
    async write(slice, version, shares) {
      const name = nameOf(slice);
      const object = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'AddressLedger', spec: { slice, shares } };
      try {
        const written =
          version === undefined
            ? await api.create(at, { ...object, metadata: { name } }, readAddressLedger, { deadline_ms })
            : await api.replace({ ...at, name }, { ...object, metadata: { name, resourceVersion: version } }, readAddressLedger, {
                deadline_ms,
              });
        return written.metadata.resourceVersion;
      } catch (error) {
        // Somebody else's write, or hand, came between.
        if (isFailure(error, 'kubeConflict') || isFailure(error, 'kubeAlreadyExists') || isFailure(error, 'kubeNotFound')) return undefined;
        throw error;
      }
    },
  };
}

function storedSlice({ metadata, spec }: StoredLedger): StoredSlice {
  return { slice: spec.slice, version: metadata.resourceVersion, shares: spec.shares };
}

/** `10.0.16.0-20`; an IPv6 one group by group, since names have no colon. */
function nameOf(slice: Cidr): string {
  const first = firstOf(slice);
  if (bitsOf(cidrFamily(slice)) === 32) return `${first}-${lengthOf(slice)}`;
  const bytes = ipToBytes(first);
  const groups = Array.from({ length: 8 }, (_, i) => (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16));
  return `${groups.join('-')}-${lengthOf(slice)}`;
}
