/** The state in SQLite: one row an object. WAL with synchronous=NORMAL: a killed process loses nothing it has answered for. */
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { failure } from '../../errors/failure.ts';
import type { Disk } from './model.ts';
import type { Kind, Objects } from './objects.ts';

const VERSION = 1;
const FILE = 'vpc.db';

/**
 * Opens (or makes) `<directory>/vpc.db`, for this process alone: a second one is refused.
 * @throws Failure vpcState.
 */
export function openDatabase(directory: string): Disk {
  const path = join(directory, FILE);
  try {
    makeDirectory(directory);
    const db = new DatabaseSync(path);
    try {
      return prepare(db, path);
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (cause) {
    throw failure('vpcState', { path, text: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
}

function prepare(db: DatabaseSync, path: string): Disk {
  // Exclusive locking: two programs with one state would each believe they own the fabric. The lock is taken by the first write below.
  db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;');
  db.exec(
    'CREATE TABLE IF NOT EXISTS object (kind TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID',
  );
  const found = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (found > VERSION) throw new Error(`it is of version ${found}, this program knows ${VERSION}`);
  db.exec(`PRAGMA user_version=${VERSION}`);
  chmodSync(path, 0o600);
  const select = db.prepare('SELECT kind, json FROM object');
  const put = db.prepare('INSERT INTO object (kind, id, json) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET json = excluded.json');
  const remove = db.prepare('DELETE FROM object WHERE kind = ? AND id = ?');
  return {
    *load() {
      // The rows are what we wrote ourselves, under a version we know.
      for (const row of select.all()) yield { kind: row['kind'] as Kind, object: JSON.parse(String(row['json'])) as Objects[Kind] };
    },
    write(changes) {
      db.exec('BEGIN IMMEDIATE');
      try {
        for (const { kind, id, object } of changes) {
          if (object === undefined) remove.run(kind, id);
          else put.run(kind, id, JSON.stringify(object));
        }
        db.exec('COMMIT');
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => db.close(),
  };
}

/** Like mkdir -p. Not mkdirSync's own `recursive`: under /proc, where mkdir answers ENOENT for ever, that never returns. */
function makeDirectory(path: string, parentMade = false): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || parentMade || dirname(path) === path) throw error;
    makeDirectory(dirname(path));
    makeDirectory(path, true);
  }
}
