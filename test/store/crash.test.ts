/** kill -9 at any moment, and a disk that is full. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDatabase } from '../../src/store/sqlite.ts';
import { addressOf, attachment, attachmentsIn, failureOf, rowsOf, stateDir } from './support.ts';

const ROUNDS = 6;

/** Runs churn until it has said that much, kills it, and gives back all it said. */
async function churnUntil(dir: string, first: number, lines: number): Promise<string[]> {
  const program = join(import.meta.dirname, 'churn.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, dir, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (said.split('\n').length > lines) child.kill('SIGKILL');
  });
  await once(child, 'close');
  assert.equal(child.signalCode, 'SIGKILL', 'it ended before it was killed');
  return said.split('\n').slice(0, -1);
}

test('kill -9 at any moment loses no attachment that was reported, keeps none that was closed, and leases no address twice', async () => {
  using dir = stateDir();
  const expected = new Set<string>();
  const unsure = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const first = round * 1_000_000;
    for (const line of await churnUntil(dir.path, first, 40 + 37 * round)) {
      const [what = '', container = ''] = line.split(' ');
      if (what === 'open') expected.add(container);
      if (what === 'closing') unsure.add(container);
      if (what === 'closed') unsure.delete(container);
      if (what !== 'open') expected.delete(container);
    }
    using database = openDatabase(dir.path);
    const found = attachmentsIn(database).list();
    const names = new Set(found.map((one) => one.container));
    for (const container of expected) assert.ok(names.has(container), `${container} was reported and is lost`);
    const more = [...names].filter((container) => !expected.has(container) && !unsure.has(container));
    assert.ok(more.length <= 1, `besides the one that was being opened there are ${more.join(' ')}`);
    for (const container of more) expected.add(container);
    for (const container of unsure) if (names.has(container)) expected.add(container);
    unsure.clear();
    const addresses = found.flatMap((one) => one.interface.addresses);
    assert.equal(new Set(addresses).size, addresses.length);
    assert.equal(rowsOf(database, 'leases'), addresses.length);
  }
});

test('a full disk is named with path and remedy, changes nothing, and is no matter once there is room', () => {
  using dir = stateDir();
  using _small = smallDisk(dir.path);
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database);
  writeFileSync(join(dir.path, 'ballast'), Buffer.alloc(100 * 1024));
  const padded = (i: number) => ({ ...attachment(`c${i}`, addressOf(i)), netns: `/run/${'x'.repeat(2000)}` });
  let opened = 0;
  const failed = failureOf(() => {
    for (; opened < 10_000; opened++) attachments.open(padded(opened));
  });
  assert.equal(failed.kind, 'stateFull', `${failed.message}: ${failed.details}`);
  assert.match(failed.message, new RegExp(`${dir.path}/state\\.db`));
  assert.match(failed.hint, /free some space/);
  assert.equal(attachments.list().length, opened);
  assert.equal(attachmentsIn(database).list().length, opened);
  rmSync(join(dir.path, 'ballast'));
  attachments.open(padded(opened));
  const first = attachments.list()[0];
  assert.ok(first);
  attachments.close(first, 1);
  assert.equal(attachmentsIn(database).list().length, opened);
});

/** 512 KiB of memory, mounted there for the scope. */
function smallDisk(path: string): Disposable {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'flatpod-store-test', path]);
  return { [Symbol.dispose]: () => void execFileSync('umount', [path]) };
}
