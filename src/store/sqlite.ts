/**
 * The node's database: SQLite in WAL mode (docs/adr/0004).
 *
 * Invariants
 * - a database that cannot be read, or is not ours, is never replaced silently: it is refused, or moved aside when asked to
 * - a database of a newer Flatpod is refused; an older one is copied, then migrated in one transaction
 * - one agent works on a directory at a time: the lock ends with its process, however that ends
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Failure, failure, isFailure } from '../errors/failure.ts';
import { APPLICATION_ID, schema } from './database-schema.ts';

/** How long a write waits for another process to end its own; the event loop stands still meanwhile. */
const BUSY_ms = 1000;
/** The same for a process that does nothing else: many may be started at once, and SQLite's turns are not fair. */
const BRIEF_BUSY_ms = 60_000;

/** Result codes (sqlite.org/rescode.html). */
const SQLITE = { busy: 5, locked: 6, corrupt: 11, full: 13, constraint: 19, notADatabase: 26 } as const;

/**
 * Opens DIR/state.db, making it when missing. `rebuild`: one that cannot be read is moved aside first, as state.db.unreadable-TIME.
 * `steps` is the schema; tests pass one of another version.
 * @throws Failure FP151 stateUnwritable, FP152 stateUnreadable, FP153 stateNewer, FP154 stateFull, FP155 stateForeign, FP156 stateBusy.
 */
export function openDatabase(dir: string, rebuild = false, steps: readonly string[] = schema): DatabaseSync {
  const path = join(dir, 'state.db');
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return openAt(path, steps);
  } catch (cause) {
    const failed = storeFailure(cause, path);
    if (!rebuild || failed.kind !== 'stateUnreadable') throw failed;
    const aside = `${path}.unreadable-${Date.now()}`;
    // The database before its log: SQLite drops a log without a database, but would play it into an older one.
    for (const suffix of ['', '-wal', '-shm']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
    return openAt(path, steps);
  }
}

/**
 * Opens it for one request and no longer: without looking through the whole file first, and with more patience.
 * @throws Failure as {@link openDatabase}.
 */
export function openDatabaseBriefly(dir: string): DatabaseSync {
  const path = join(dir, 'state.db');
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return openAt(path, schema, true);
  } catch (cause) {
    throw storeFailure(cause, path);
  }
}

/**
 * Keeps every other agent from DIR until it is disposed of: two would each think an address free that the other gave out. The lock is SQLite's on
 * DIR/agent.lock, an empty database, so that state.db can still be read by others.
 * @throws Failure FP156 stateBusy when another agent has it; FP151 stateUnwritable, FP154 stateFull.
 */
export function lockState(dir: string): Disposable {
  const path = join(dir, 'agent.lock');
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const lock = new DatabaseSync(path, { timeout: BUSY_ms });
    try {
      lock.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      lock.close();
      throw error;
    }
    return lock;
  } catch (cause) {
    throw storeFailure(cause, path);
  }
}

/** Runs a change as one transaction. @throws Failure as {@link openDatabase}, and FP157 stateChanged; nothing has changed then. */
export function inTransaction(database: DatabaseSync, change: () => void): void {
  try {
    database.exec('BEGIN IMMEDIATE');
    try {
      change();
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  } catch (cause) {
    throw storeFailure(cause, pathOf(database), patience_ms(database));
  }
}

function patience_ms(database: DatabaseSync): number {
  return database.isOpen ? Number(numberOrText(database, 'busy_timeout')) : BUSY_ms;
}

/** Where the database is, for errors. */
export function pathOf(database: DatabaseSync): string {
  return (database.isOpen ? database.location() : undefined) ?? 'state.db';
}

function openAt(path: string, steps: readonly string[], briefly = false): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: briefly ? BRIEF_BUSY_ms : BUSY_ms, enableForeignKeyConstraints: true });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    const check = briefly ? 'ok' : numberOrText(database, 'quick_check(1)');
    if (check !== 'ok') throw failure('stateUnreadable', { path, text: String(check) });
    migrate(database, path, steps);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function migrate(database: DatabaseSync, path: string, steps: readonly string[]): void {
  const tables = Number(database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables']);
  if (tables > 0 && numberOrText(database, 'application_id') !== APPLICATION_ID) throw failure('stateForeign', { path });
  const version = versionOf(database);
  if (version > steps.length) throw failure('stateNewer', { path, version, known: steps.length });
  if (version === steps.length) return;
  if (version > 0) copyAside(database, `${path}.v${version}`);
  inTransaction(database, () => {
    // Another process may have been faster.
    for (const step of steps.slice(versionOf(database))) database.exec(step);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${steps.length}`);
  });
}

function versionOf(database: DatabaseSync): number {
  return Number(numberOrText(database, 'user_version'));
}

/** A consistent copy, log included, that is there wholly or not at all. */
function copyAside(database: DatabaseSync, copy: string): void {
  // Of our own: another process may be at the same.
  const part = `${copy}.${process.pid}.part`;
  rmSync(part, { force: true });
  database.prepare('VACUUM INTO ?').run(part);
  renameSync(part, copy);
}

function numberOrText(database: DatabaseSync, pragma: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0];
}

/** SQLite's and the file system's refusals as ours. */
function storeFailure(cause: unknown, path: string, busy_ms = BUSY_ms): Failure {
  if (isFailure(cause)) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  switch (resultCode(cause)) {
    case SQLITE.corrupt:
    case SQLITE.notADatabase:
      return failure('stateUnreadable', { path, text }, cause);
    case SQLITE.full:
      return failure('stateFull', { path, text }, cause);
    case SQLITE.busy:
    case SQLITE.locked:
      return failure('stateBusy', { path, seconds: busy_ms / 1000 }, cause);
    case SQLITE.constraint:
      return failure('stateChanged', { path, text }, cause);
    case undefined:
    default:
      return failure('stateUnwritable', { path, text }, cause);
  }
}

/** The primary result code: the low byte of SQLite's extended one. Node's own ENOSPC counts as SQLite's. */
function resultCode(cause: unknown): number | undefined {
  if (!(cause instanceof Error)) return undefined;
  if ('code' in cause && cause.code === 'ENOSPC') return SQLITE.full;
  return 'errcode' in cause && typeof cause.errcode === 'number' ? cause.errcode & 0xff : undefined;
}
