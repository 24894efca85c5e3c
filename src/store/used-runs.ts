/**
 * Runs of used addresses, scope by scope: derived from leases and rests, kept in the same transactions, so that "the next free address after this one"
 * is one look into an index however full a range is.
 *
 * Invariants: two runs of a scope neither overlap nor touch; an address is in a run exactly while it is occupied.
 */
import type { DatabaseSync } from 'node:sqlite';
import { addToIp, type Ip } from '../net/address.ts';
import { nextIp } from '../net/range.ts';
import { addressKey, ipOfKey } from './address-key.ts';

/** See the head of this file. All of it within a transaction of the caller. */
export interface UsedRuns {
  /** The last address of the run that holds this one; undefined: it is in none. */
  usedUntil(scope: string, ip: Ip): Ip | undefined;
  /** Puts a free address into a run. */
  occupy(scope: string, ip: Ip): void;
  /** Takes a used address out of its run. */
  vacate(scope: string, ip: Ip): void;
}

interface Run {
  readonly first: Ip;
  readonly last: Ip;
}

/** Over the table `used_runs`. */
export function usedRuns(database: DatabaseSync): UsedRuns {
  const upTo = database.prepare('SELECT first, last FROM used_runs WHERE scope = ? AND first <= ? ORDER BY first DESC LIMIT 1');
  const from = database.prepare('SELECT first, last FROM used_runs WHERE scope = ? AND first = ?');
  const insert = database.prepare('INSERT INTO used_runs VALUES (?, ?, ?)');
  const remove = database.prepare('DELETE FROM used_runs WHERE scope = ? AND first = ?');
  const add = (scope: string, { first, last }: Run): void => void insert.run(scope, addressKey(first), addressKey(last));
  const drop = (scope: string, { first }: Run): void => void remove.run(scope, addressKey(first));
  /** The run that begins at the address or before it, and the order of its end to the address. */
  const before = (scope: string, key: Uint8Array): { run: Run; reaches: boolean } | undefined => {
    const row = upTo.get(scope, key);
    if (row === undefined) return undefined;
    const run = runOf(row);
    return { run, reaches: Buffer.compare(addressKey(run.last), key) >= 0 };
  };
  return {
    usedUntil(scope, ip) {
      const found = before(scope, addressKey(ip));
      return found?.reaches === true ? found.run.last : undefined;
    },
    occupy(scope, ip) {
      const found = before(scope, addressKey(ip));
      if (found?.reaches === true) return;
      const next = nextIp(ip);
      const row = next === undefined ? undefined : from.get(scope, addressKey(next));
      const [left, right] = [found !== undefined && nextIp(found.run.last) === ip ? found.run : undefined, row && runOf(row)];
      if (left !== undefined) drop(scope, left);
      if (right !== undefined) drop(scope, right);
      add(scope, { first: left?.first ?? ip, last: right?.last ?? ip });
    },
    vacate(scope, ip) {
      const found = before(scope, addressKey(ip));
      if (found?.reaches !== true) return;
      const { run } = found;
      drop(scope, run);
      if (run.first !== ip) add(scope, { first: run.first, last: addToIp(ip, -1) });
      const next = nextIp(ip);
      if (run.last !== ip && next !== undefined) add(scope, { first: next, last: run.last });
    },
  };
}

function runOf(row: Record<string, unknown>): Run {
  return { first: ipOfKey(row['first']), last: ipOfKey(row['last']) };
}
