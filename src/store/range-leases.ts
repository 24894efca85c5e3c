/**
 * Leases out of configured ranges: what the IPAM plugin keeps. Read from the database in each verb and never remembered: agent and one-shot processes
 * work on it at the same time.
 *
 * Invariants
 * - within a scope an address has one lease: a primary key says so
 * - an address is leased, rests, or is free; the first two are in a run of used addresses (used-runs.ts), the last is in none
 * - whoever looks for an address and takes it does both in one change(), which no other process's interleaves
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { failure } from '../errors/failure.ts';
import type { Ip } from '../net/address.ts';
import type { AddressRange } from '../net/range.ts';
import { addressKey, ipOfKey } from './address-key.ts';
import { inTransaction } from './sqlite.ts';
import { type UsedRuns, usedRuns } from './used-runs.ts';

/** An address, and who has it. */
export interface RangeLease {
  /** What an address is unique in: host-local's directory of the network, or a name of ours. */
  readonly scope: string;
  readonly address: Ip;
  readonly container: string;
  /** Empty when it was imported from where there is none. */
  readonly ifname: string;
  /** Name of the CNI network. */
  readonly network: string;
  /** `namespace/name`, empty when the runtime did not say. */
  readonly pod: string;
  /** By the clock that people know. */
  readonly since_ms: number;
}

/** How many addresses of a range are in which state. */
export interface RangeCounts {
  readonly leased: number;
  readonly cooling: number;
  /** When the first of those that rest is free again, ms since the epoch. */
  readonly nextFree_ms: number | undefined;
}

/** See the head of this file. Everything but change() is called within one, or alone for a look. */
export interface RangeLeases extends Pick<UsedRuns, 'usedUntil'> {
  /** Commits what is done in it, or nothing when it throws. @throws Failure as inTransaction(). */
  change<T>(change: () => T): T;
  holder(scope: string, address: Ip): RangeLease | undefined;
  /** What an interface has, and what was imported for its container without an interface; in the order of addresses; with an undefined scope in every one. */
  of(scope: string | undefined, container: string, ifname: string): RangeLease[];
  /** What a Pod has at that interface. */
  ofPod(scope: string, pod: string, ifname: string): RangeLease[];
  /** Of one scope, or all; in the order of scopes, then of addresses. */
  list(scope?: string): RangeLease[];
  /** Takes it, out of its rest when it rests. @throws Failure FP305 rangeAddressTaken. */
  take(lease: RangeLease): void;
  /** The same lease for another container. */
  handOver(lease: RangeLease, container: string, now_ms: number): void;
  /** Ends it; the address rests until then, or not at all when that is 0. */
  release(lease: RangeLease, until_ms: number): void;
  /** Ends rests that are over, at most so many. The number of those ended. */
  endRests(scope: string, now_ms: number, most: number): number;
  /** Addresses that rest, the one that rests longest first, each with the end of its rest. */
  resting(scope: string): Iterable<{ readonly address: Ip; readonly until_ms: number }>;
  /** Where the address rests. */
  rests(address: Ip): { readonly scope: string; readonly until_ms: number }[];
  /** The address given last out of this set of the scope. */
  given(scope: string, set: string): Ip | undefined;
  noteGiven(scope: string, set: string, address: Ip): void;
  counts(scope: string, range: AddressRange): RangeCounts;
  /** Whether the leases that another program kept of this scope were taken over. */
  isTakenOver(scope: string): boolean;
  noteTakenOver(scope: string, now_ms: number): void;
}

/** Over the tables of the database, which the caller closes. */
export function rangeLeases(database: DatabaseSync): RangeLeases {
  const runs = usedRuns(database);
  const sql = statementsOf(database);
  const first = (statement: StatementSync, ...bound: (string | Uint8Array)[]): RangeLease | undefined => {
    const row = statement.get(...bound);
    return row === undefined ? undefined : leaseOf(row);
  };
  return {
    usedUntil: (scope, address) => runs.usedUntil(scope, address),
    change: (change) => committed(database, change),
    holder: (scope, address) => first(sql.holder, scope, addressKey(address)),
    of(scope, container, ifname) {
      const rows = scope === undefined ? sql.anywhere.all(container, ifname) : sql.of.all(scope, container, ifname);
      return rows.map(leaseOf);
    },
    ofPod: (scope, pod, ifname) => sql.ofPod.all(scope, pod, ifname).map(leaseOf),
    list: (scope) => (scope === undefined ? sql.all.all() : sql.inScope.all(scope)).map(leaseOf),
    take(lease) {
      const { scope, address, container, ifname, network, pod, since_ms } = lease;
      const key = addressKey(address);
      const other = first(sql.holder, scope, key);
      if (other !== undefined) throw failure('rangeAddressTaken', { address, holder: sayHolder(other), scope });
      sql.warm.run(scope, key);
      sql.insert.run(scope, key, container, ifname, network, pod, Math.floor(since_ms));
      runs.occupy(scope, address);
    },
    handOver({ scope, address }, container, now_ms) {
      sql.handOver.run(container, Math.floor(now_ms), scope, addressKey(address));
    },
    release({ scope, address }, until_ms) {
      const key = addressKey(address);
      const { changes } = sql.remove.run(scope, key);
      if (changes === 0) return;
      if (until_ms > 0) sql.cool.run(scope, key, Math.ceil(until_ms));
      else runs.vacate(scope, address);
    },
    endRests(scope, now_ms, most) {
      const ended = sql.ended.all(scope, Math.floor(now_ms), most).map((row) => ipOfKey(row['address']));
      for (const address of ended) {
        sql.warm.run(scope, addressKey(address));
        runs.vacate(scope, address);
      }
      return ended.length;
    },
    *resting(scope) {
      for (const row of sql.resting.iterate(scope)) yield { address: ipOfKey(row['address']), until_ms: Number(row['until_ms']) };
    },
    rests: (address) =>
      sql.rests.all(addressKey(address)).map((row) => ({ scope: String(row['scope']), until_ms: Number(row['until_ms']) })),
    given(scope, set) {
      const row = sql.given.get(scope, set);
      return row === undefined ? undefined : ipOfKey(row['address']);
    },
    noteGiven: (scope, set, address) => void sql.noteGiven.run(scope, set, addressKey(address)),
    isTakenOver: (scope) => sql.takenOver.get(scope) !== undefined,
    noteTakenOver: (scope, now_ms) => void sql.noteTakenOver.run(scope, Math.floor(now_ms)),
    counts(scope, range) {
      const bounds = [scope, addressKey(range.first), addressKey(range.last)] as const;
      const cooling = sql.countCooling.get(...bounds);
      const next = cooling?.['next'];
      return {
        leased: Number(sql.countLeased.get(...bounds)?.['leases']),
        cooling: Number(cooling?.['rests']),
        nextFree_ms: typeof next === 'number' ? next : undefined,
      };
    },
  };
}

/** A holder in words. */
export function sayHolder({ container, ifname, pod }: Pick<RangeLease, 'container' | 'ifname' | 'pod'>): string {
  const attachment = `container ${container}${ifname === '' ? '' : `, ${ifname}`}`;
  return pod === '' ? attachment : `${pod} (${attachment})`;
}

function committed<T>(database: DatabaseSync, change: () => T): T {
  let result: { readonly value: T } | undefined;
  inTransaction(database, () => {
    result = { value: change() };
  });
  if (result === undefined) throw new Error('a transaction ended without its change');
  return result.value;
}

/** Every statement, prepared once. */
function statementsOf(database: DatabaseSync) {
  const all = 'SELECT * FROM range_leases';
  // Left to itself SQLite prefers the primary key, because of ORDER BY, and reads all leases of the scope.
  const byAttachment = `${all} INDEXED BY range_leases_by_attachment`;
  const byPod = `${all} INDEXED BY range_leases_by_pod`;
  return {
    holder: database.prepare(`${all} WHERE scope = ? AND address = ?`),
    of: database.prepare(`${byAttachment} WHERE scope = ? AND container = ? AND ifname IN (?, '') ORDER BY address`),
    anywhere: database.prepare(`${byAttachment} WHERE container = ? AND ifname IN (?, '') ORDER BY scope, address`),
    ofPod: database.prepare(`${byPod} WHERE scope = ? AND pod = ? AND pod <> '' AND ifname = ? ORDER BY address`),
    all: database.prepare(`${all} ORDER BY scope, address`),
    inScope: database.prepare(`${all} WHERE scope = ? ORDER BY address`),
    insert: database.prepare('INSERT INTO range_leases VALUES (?, ?, ?, ?, ?, ?, ?)'),
    remove: database.prepare('DELETE FROM range_leases WHERE scope = ? AND address = ?'),
    handOver: database.prepare('UPDATE range_leases SET container = ?, since_ms = ? WHERE scope = ? AND address = ?'),
    // Of those freed in the same millisecond, too, the first is to rest least: up to a second later they get one of their own.
    cool: database.prepare(
      `INSERT OR REPLACE INTO range_rests VALUES (?1, ?2, coalesce(
         (SELECT max(until_ms) + 1 FROM range_rests WHERE scope = ?1 AND until_ms BETWEEN ?3 AND ?3 + 999), ?3))`,
    ),
    warm: database.prepare('DELETE FROM range_rests WHERE scope = ? AND address = ?'),
    ended: database.prepare('SELECT address FROM range_rests WHERE scope = ? AND until_ms <= ? ORDER BY until_ms LIMIT ?'),
    resting: database.prepare('SELECT address, until_ms FROM range_rests WHERE scope = ? ORDER BY until_ms'),
    rests: database.prepare('SELECT scope, until_ms FROM range_rests WHERE address = ? ORDER BY scope'),
    given: database.prepare('SELECT address FROM range_given WHERE scope = ? AND set_name = ?'),
    noteGiven: database.prepare('INSERT OR REPLACE INTO range_given VALUES (?, ?, ?)'),
    takenOver: database.prepare('SELECT read_ms FROM range_directories WHERE scope = ?'),
    noteTakenOver: database.prepare('INSERT OR REPLACE INTO range_directories VALUES (?, ?)'),
    countLeased: database.prepare('SELECT count(*) AS leases FROM range_leases WHERE scope = ? AND address BETWEEN ? AND ?'),
    countCooling: database.prepare(
      'SELECT count(*) AS rests, min(until_ms) AS next FROM range_rests WHERE scope = ? AND address BETWEEN ? AND ?',
    ),
  };
}

function leaseOf(row: Record<string, unknown>): RangeLease {
  const text = (column: string): string => String(row[column]);
  return {
    scope: text('scope'),
    address: ipOfKey(row['address']),
    container: text('container'),
    ifname: text('ifname'),
    network: text('network'),
    pod: text('pod'),
    since_ms: Number(row['since_ms']),
  };
}
