/** The ledger of ranges in the node's own database: for an agent that runs the controller beside itself. */
import type { DatabaseSync } from 'node:sqlite';
import type { LedgerStore, Share, StoredSlice } from '../cloud/range/ledger-store.ts';
import type { Cidr } from '../net/cidr.ts';
import { inTransaction } from './sqlite.ts';

/** Each call rejects with a Failure as {@link inTransaction} has it. */
export function ledgerIn(database: DatabaseSync): LedgerStore {
  const all = database.prepare('SELECT * FROM address_ledger ORDER BY slice');
  const one = database.prepare('SELECT * FROM address_ledger WHERE slice = ?');
  const write = database.prepare(
    'INSERT INTO address_ledger VALUES (?1, ?2, ?3) ON CONFLICT (slice) DO UPDATE SET version = ?2, shares = ?3',
  );
  const read = (slice: Cidr): StoredSlice | undefined => {
    const row = one.get(slice);
    return row === undefined ? undefined : storedSlice(row);
  };
  return {
    list: () => Promise.resolve(all.all().map(storedSlice)),
    read: (slice) => Promise.resolve(read(slice)),
    async write(slice, version, shares) {
      let next: string | undefined;
      inTransaction(database, () => {
        if (read(slice)?.version !== version) return;
        next = String(Number(version ?? 0) + 1);
        write.run(slice, next, JSON.stringify(shares));
      });
      return next;
    },
  };
}

function storedSlice(row: Record<string, unknown>): StoredSlice {
  // Written by the function above, from values of these very types.
  return { slice: String(row['slice']) as Cidr, version: String(row['version']), shares: JSON.parse(String(row['shares'])) as Share[] };
}
