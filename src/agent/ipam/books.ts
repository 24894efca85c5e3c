/** The leases of a database, with their statements prepared once however many requests come. */
import type { DatabaseSync } from 'node:sqlite';
import { type RangeLeases, rangeLeases } from '../../store/range-leases.ts';

const known = new WeakMap<DatabaseSync, RangeLeases>();

/** Nothing of their contents is remembered. */
export function leasesOf(database: DatabaseSync): RangeLeases {
  const found = known.get(database) ?? rangeLeases(database);
  known.set(database, found);
  return found;
}
