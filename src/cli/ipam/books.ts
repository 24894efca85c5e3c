/** The books of the IPAM plugin, opened for one command. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from '../../errors/failure.ts';
import { type RangeLeases, rangeLeases } from '../../store/range-leases.ts';
import { openDatabaseBriefly } from '../../store/sqlite.ts';

/** Lets `use` work with them. Without a database there are no leases: `use` is not called then, and undefined is returned. @throws Failure store*. */
export function withBooks<T>(state: string, use: (leases: RangeLeases) => T): T | undefined {
  if (!existsSync(join(state, 'state.db'))) return undefined;
  using database = openDatabaseBriefly(state);
  return use(rangeLeases(database));
}

/** The same, making a database where there is none. */
export function withOwnBooks<T>(state: string, use: (leases: RangeLeases) => T): T {
  using database = openDatabaseBriefly(state);
  return use(rangeLeases(database));
}

/** The failure for what nobody has. */
export function notFound(what: string, scope: string | undefined): Error {
  return failure('leaseNotFound', { what, where: scope === undefined ? '' : ` in ${scope}` });
}
