/** Where ledgers are written down, in memory: versions, and writes that are refused or whose answers are lost. */
import { failure } from '../../../src/errors/failure.ts';
import type { Cidr } from '../../../src/net/cidr.ts';
import type { LedgerStore, StoredSlice } from '../../../src/cloud/range/ledger-store.ts';

/** What becomes of a write. */
export type LedgerFault = 'none' | 'refuse' | 'loseAnswer';

export interface MemoryLedger extends LedgerStore {
  fault: (slice: Cidr) => LedgerFault;
  /** Waited for in the middle of each write. */
  delay: () => Promise<void>;
  readonly writes: () => number;
  /** Somebody else's hand. */
  remove(slice: Cidr): void;
}

export function memoryLedger(): MemoryLedger {
  const slices = new Map<Cidr, string>();
  let versions = 0;
  let writes = 0;
  const found = (slice: Cidr): StoredSlice | undefined => {
    const text = slices.get(slice);
    return text === undefined ? undefined : (JSON.parse(text) as StoredSlice);
  };
  const lost = (): Error => failure('kubeUnreachable', { call: 'patch', server: 'memory', text: 'no answer' });
  const store: MemoryLedger = {
    fault: () => 'none',
    delay: () => Promise.resolve(),
    writes: () => writes,
    remove: (slice) => void slices.delete(slice),
    list: async () => [...slices.keys()].flatMap((slice) => found(slice) ?? []),
    read: async (slice) => found(slice),
    async write(slice, version, shares) {
      writes++;
      const fault = store.fault(slice);
      await store.delay();
      if (fault === 'refuse') throw lost();
      if (found(slice)?.version !== version) return undefined;
      const next = String(++versions);
      slices.set(slice, JSON.stringify({ slice, version: next, shares }));
      await store.delay();
      if (fault === 'loseAnswer') throw lost();
      return next;
    },
  };
  return store;
}
