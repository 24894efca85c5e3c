/** state.db: what is opened, what is refused, what is kept. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { schema } from '../../src/store/database-schema.ts';
import { inTransaction, lockState, openDatabase } from '../../src/store/sqlite.ts';
import { attachment, attachmentsIn, failureOf, stateDir } from './support.ts';

test('a missing database is made, in a directory that is root alone’s', () => {
  using dir = stateDir();
  const inner = join(dir.path, 'lib/flatpod');
  using _database = openDatabase(inner);
  assert.equal(statSync(inner).mode & 0o777, 0o700);
  assert.ok(existsSync(join(inner, 'state.db')));
});

test('what was committed is there after opening again', () => {
  using dir = stateDir();
  {
    using database = openDatabase(dir.path);
    attachmentsIn(database).open(attachment('c1', '10.0.0.1'));
  }
  using database = openDatabase(dir.path);
  assert.deepEqual(attachmentsIn(database).list(), [attachment('c1', '10.0.0.1')]);
});

test('an older database is copied, then migrated; its rows stay', () => {
  using dir = stateDir();
  {
    using database = openDatabase(dir.path);
    attachmentsIn(database).open(attachment('c1', '10.0.0.1'));
  }
  const newer = [...schema, "ALTER TABLE attachments ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'"];
  using database = openDatabase(dir.path, false, newer);
  assert.equal(database.prepare('SELECT colour FROM attachments').get()?.['colour'], 'red');
  using copy = new DatabaseSync(join(dir.path, `state.db.v${schema.length}`), { readOnly: true });
  assert.equal(copy.prepare('SELECT count(*) AS n FROM attachments').get()?.['n'], 1);
  assert.equal(copy.prepare('PRAGMA user_version').get()?.['user_version'], schema.length);
});

test('a migration that fails leaves the database as it was', () => {
  using dir = stateDir();
  openDatabase(dir.path).close();
  assert.equal(
    failureOf(() => openDatabase(dir.path, false, [...schema, 'CREATE TABLE half (a)', 'no such statement'])).kind,
    'stateUnwritable',
  );
  using database = openDatabase(dir.path);
  assert.equal(database.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'half'").get()?.['n'], 0);
});

test('a database of a newer Flatpod is refused, also with --rebuild, and not touched', () => {
  using dir = stateDir();
  openDatabase(dir.path, false, [...schema, 'CREATE TABLE later (a)']).close();
  for (const rebuild of [false, true]) {
    const failed = failureOf(() => openDatabase(dir.path, rebuild));
    assert.equal(failed.code, 153);
    assert.match(failed.details, new RegExp(`version ${schema.length + 1}, this program knows up to ${schema.length}`));
  }
});

test('a database of another program is refused and not touched', () => {
  using dir = stateDir();
  {
    using other = new DatabaseSync(join(dir.path, 'state.db'));
    other.exec('CREATE TABLE songs (title)');
  }
  assert.equal(failureOf(() => openDatabase(dir.path, true)).code, 155);
});

const broken: [how: string, (path: string) => void][] = [
  ['text', (path) => writeFileSync(path, 'this is no database, and long enough to be looked at as one '.repeat(20))],
  ['its first page overwritten', (path) => overwrite(path, 0, 100)],
  ['a page in the middle overwritten', (path) => overwrite(path, 4096, 4096)],
  ['its end cut off', (path) => writeFileSync(path, readFileSync(path).subarray(0, 4096 * 2))],
];

for (const [how, damage] of broken) {
  test(`a database that is ${how} is refused; with --rebuild it is kept beside an empty one`, () => {
    using dir = stateDir();
    const path = join(dir.path, 'state.db');
    {
      using database = openDatabase(dir.path);
      const attachments = attachmentsIn(database);
      for (let i = 0; i < 200; i++) attachments.open(attachment(`c${i}`, `10.0.0.${i}`));
    }
    damage(path);
    const bytes = readFileSync(path);
    const failed = failureOf(() => openDatabase(dir.path));
    assert.equal(failed.code, 152);
    assert.match(failed.hint, /restore the file, or start once with flatpod agent --rebuild/);
    assert.deepEqual(readFileSync(path), bytes, 'refusing changes nothing');
    using database = openDatabase(dir.path, true);
    assert.deepEqual(attachmentsIn(database).list(), []);
    const aside = readdirSync(dir.path).find((name) => /^state\.db\.unreadable-\d+$/.test(name));
    assert.deepEqual(readFileSync(join(dir.path, aside ?? 'nothing was put aside')), bytes);
  });
}

test('an attachment whose record makes no sense is named', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  attachmentsIn(database).open(attachment('c1', '10.0.0.1'));
  database.exec(`UPDATE attachments SET interface = '{"addresses":["10.0.0.256"]}'`);
  const failed = failureOf(() => attachmentsIn(database));
  assert.equal(failed.code, 158);
  assert.match(failed.message, /attachment c1\/eth0 in .*state\.db cannot be read/);
  assert.match(failed.details, /10\.0\.0\.256/);
});

test('a directory in the place of the database, and a directory that cannot be made, are told apart from damage', () => {
  using dir = stateDir();
  mkdirSync(join(dir.path, 'state.db'));
  assert.equal(failureOf(() => openDatabase(dir.path, true)).code, 151);
  writeFileSync(join(dir.path, 'file'), '');
  assert.match(failureOf(() => openDatabase(join(dir.path, 'file/x'))).details, /ENOTDIR/);
});

test('another process that holds the write lock is named after a second, and readers never wait', () => {
  using dir = stateDir();
  using writer = openDatabase(dir.path);
  attachmentsIn(writer).open(attachment('c1', '10.0.0.1'));
  using reader = new DatabaseSync(join(dir.path, 'state.db'), { readOnly: true });
  inTransaction(writer, () => {
    writer.exec('DELETE FROM attachments');
    assert.equal(reader.prepare('SELECT count(*) AS n FROM attachments').get()?.['n'], 1, 'a reader sees the last commit');
    using other = new DatabaseSync(join(dir.path, 'state.db'), { timeout: 0 });
    assert.equal(failureOf(() => inTransaction(other, () => assert.fail('two writers'))).code, 156);
  });
  assert.equal(reader.prepare('SELECT count(*) AS n FROM attachments').get()?.['n'], 0);
});

test('a copy of the file without its log, taken while it was written, opens or is refused: never half', () => {
  using dir = stateDir();
  using copyDir = stateDir();
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database);
  for (let i = 0; i < 50; i++) attachments.open(attachment(`c${i}`, `10.0.0.${i}`));
  copyFileSync(join(dir.path, 'state.db'), join(copyDir.path, 'state.db'));
  using copy = openDatabase(copyDir.path);
  for (const one of attachmentsIn(copy).list()) assert.equal(one.interface.addresses.length, 1);
});

function overwrite(path: string, at: number, length: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xee, at, at + length);
  writeFileSync(path, bytes);
}

test('a second agent is refused a directory, until the first lets go', () => {
  using dir = stateDir();
  const inner = join(dir.path, 'lib/flatpod');
  {
    using _first = lockState(inner);
    assert.equal(failureOf(() => lockState(inner)).kind, 'stateBusy');
    // The state itself can be read by others all the same.
    using _database = openDatabase(inner);
  }
  using _second = lockState(inner);
});
