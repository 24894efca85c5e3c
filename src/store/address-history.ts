/**
 * Who had an address before: the last leases that ended on this node.
 *
 * Invariants
 * - a lease is written in the commit that ends it: no Pod's end is forgotten, and none is told of that did not happen
 * - the table has a limit, and forgets its oldest rows in batches: an end costs one inserted row, whatever the node has seen
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Ip } from '../net/address.ts';
import type { PodIdentity } from './pod-identity.ts';

/** Ended leases that are kept at least. */
const KEPT = 10_000;
/** Rows by which the table may be longer, so that not every end has to delete. */
const BATCH = 64;
/** Of one address the last ones are told. */
const TOLD = 100;

/** A lease that ended. Times are milliseconds since the epoch, by the clock of the node. */
export interface FormerLease {
  readonly address: Ip;
  readonly pod: PodIdentity;
  readonly container: string;
  readonly subnet: string;
  readonly nic: string;
  readonly from_ms: number;
  readonly until_ms: number;
}

/** See the head of this file. */
export interface AddressHistory {
  /** Adds a row. To be called within the transaction that ends the lease. */
  add(lease: FormerLease): void;
  /** Those of the address, the latest first, at most a hundred. */
  of(address: Ip): FormerLease[];
}

/** The history in this database; `kept` and `batch` are for tests. */
export function addressHistory(database: DatabaseSync, kept = KEPT, batch = BATCH): AddressHistory {
  const insert = database.prepare('INSERT INTO history VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)');
  const trim = database.prepare('DELETE FROM history WHERE id <= ?');
  // Without an index: reading all rows takes a millisecond, and is seldom; an index would cost every DEL another page.
  const find = database.prepare('SELECT * FROM history WHERE address = ? ORDER BY id DESC LIMIT ?');
  return {
    add({ address, pod, container, subnet, nic, from_ms, until_ms }) {
      const { lastInsertRowid } = insert.run(address, JSON.stringify(pod), container, subnet, nic, from_ms, until_ms);
      const id = Number(lastInsertRowid);
      if (id % batch === 0) trim.run(id - kept);
    },
    of: (address) =>
      find.all(address, TOLD).map((row) => ({
        address,
        // Written by add() alone.
        pod: JSON.parse(String(row['pod'])) as PodIdentity,
        container: String(row['container']),
        subnet: String(row['subnet']),
        nic: String(row['nic']),
        from_ms: Number(row['from_ms']),
        until_ms: Number(row['until_ms']),
      })),
  };
}
