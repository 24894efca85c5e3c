/**
 * The node's database: SQLite in WAL mode (docs/adr/0004).
 *
 * Invariants
 * - a database that cannot be read is never replaced silently: it is refused, or moved aside when asked to
 * - a database of a newer Flatpod is refused; an older one is copied, then migrated in one transaction
 */
import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Failure, failure, isFailure } from '../errors/failure.ts';

/** Step n brings version n to n + 1. Never edit one that was released: add another. */
const migrations: readonly string[] = [
  `CREATE TABLE attachments (
     container TEXT NOT NULL, ifname TEXT NOT NULL, network TEXT NOT NULL, pod TEXT NOT NULL, netns TEXT NOT NULL,
     subnet TEXT NOT NULL, nic TEXT NOT NULL, state TEXT NOT NULL, created_ms INTEGER NOT NULL, interface TEXT NOT NULL,
     PRIMARY KEY (container, ifname)) WITHOUT ROWID;
   CREATE TABLE leases (
     address TEXT PRIMARY KEY, container TEXT NOT NULL, ifname TEXT NOT NULL,
     FOREIGN KEY (container, ifname) REFERENCES attachments ON DELETE CASCADE) WITHOUT ROWID;
   CREATE INDEX leases_by_attachment ON leases (container, ifname);
   CREATE TABLE cooling (address TEXT PRIMARY KEY, subnet TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE node_networks (name TEXT PRIMARY KEY, spec TEXT NOT NULL, status TEXT NOT NULL) WITHOUT ROWID;`,
];

/** Opens DIR/state.db, making it when missing. `rebuild`: one that cannot be read is moved aside first. @throws Failure stateUnreadable, stateNewer, stateUnwritable. */
export function openDatabase(dir: string, rebuild = false): DatabaseSync {
  const path = join(dir, 'state.db');
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return openAt(path);
  } catch (cause) {
    const failed = storeFailure(cause, path);
    if (!rebuild || failed.kind !== 'stateUnreadable') throw failed;
    const aside = `${path}.unreadable-${Date.now()}`;
    for (const suffix of ['', '-wal', '-shm']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
    return openAt(path);
  }
}

/** Runs a change as one transaction. @throws Failure stateUnwritable, stateUnreadable; nothing has changed then. */
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
    throw storeFailure(cause, database.location() ?? 'state.db');
  }
}

function openAt(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5000, enableForeignKeyConstraints: true });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    const check = database.prepare('PRAGMA quick_check(1)').get();
    if (check?.['quick_check'] !== 'ok') throw failure('stateUnreadable', { path, text: String(check?.['quick_check']) });
    migrate(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function migrate(database: DatabaseSync, path: string): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version > migrations.length) throw failure('stateNewer', { path, version, known: migrations.length });
  if (version === migrations.length) return;
  if (version > 0) {
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    copyFileSync(path, `${path}.v${version}`);
  }
  inTransaction(database, () => {
    for (const step of migrations.slice(version)) database.exec(step);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}

/** SQLite's and the file system's refusals as ours (sqlite.org/rescode.html). */
function storeFailure(cause: unknown, path: string): Failure {
  if (isFailure(cause)) return cause;
  const [text, code] = [cause instanceof Error ? cause.message : String(cause), resultCode(cause)];
  if (code === SQLITE.corrupt || code === SQLITE.notADatabase) return failure('stateUnreadable', { path, text }, cause);
  return failure('stateUnwritable', { path, text }, cause);
}

const SQLITE = { corrupt: 11, notADatabase: 26 } as const;

/** The primary result code: the low byte of SQLite's extended one. */
function resultCode(cause: unknown): number | undefined {
  return cause instanceof Error && 'errcode' in cause && typeof cause.errcode === 'number' ? cause.errcode & 0xff : undefined;
}
