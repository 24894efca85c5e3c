/** Attachments, leases and rests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../src/net/address.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { addressOf, attachment, attachmentsIn, failureOf, rowsOf, stateDir } from './support.ts';

test('an address has one lease: the second is refused by its holder’s name, and leaves nothing', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database);
  attachments.open(attachment('c1', '10.0.0.1'));
  const failed = failureOf(() => attachments.open(attachment('c2', '10.0.0.2', '10.0.0.1')));
  assert.equal(failed.code, 150);
  assert.match(failed.message, /10\.0\.0\.1 is leased to c1\/eth0 already/);
  assert.equal(attachments.find('c2', 'eth0'), undefined);
  assert.deepEqual([rowsOf(database, 'attachments'), rowsOf(database, 'leases')], [1, 1]);
});

test('two programs on one database: the second to write is refused, and its memory stays as the database is', () => {
  using dir = stateDir();
  using one = openDatabase(dir.path);
  using two = openDatabase(dir.path);
  const [first, second] = [attachmentsIn(one), attachmentsIn(two)];
  first.open(attachment('c1', '10.0.0.1'));
  assert.equal(failureOf(() => second.open(attachment('c2', '10.0.0.1'))).code, 150);
  assert.equal(failureOf(() => second.open(attachment('c1', '10.0.0.2'))).code, 157);
  assert.deepEqual(second.list(), []);
});

test('closing frees the leases and starts the rest in one commit; closing again changes nothing', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database, () => 0);
  const one = attachment('c1', '10.0.0.1', '2001:db8::1');
  attachments.open(one);
  attachments.close(one, 5000);
  attachments.close(one, 5000);
  assert.deepEqual([rowsOf(database, 'attachments'), rowsOf(database, 'leases'), attachments.list().length], [0, 0, 0]);
  assert.deepEqual(attachments.resting('a', 4999, 180_000), [
    { address: '10.0.0.1', until_ms: 5000 },
    { address: '2001:db8::1', until_ms: 5000 },
  ]);
  assert.deepEqual(attachments.resting('a', 5000, 180_000), []);
});

test('addresses that never were on the wire do not rest, and a lease ends a rest', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database, () => 0);
  const [one, two] = [attachment('c1', '10.0.0.1'), attachment('c2', '10.0.0.2')];
  attachments.open(one);
  attachments.close(one, 0);
  attachments.open(two);
  attachments.close(two, 5000);
  attachments.open(attachment('c3', '10.0.0.2'));
  assert.deepEqual(attachments.resting('a', 1, 180_000), []);
});

test('opening becomes ready by the answer, and stays so after a restart', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database);
  attachments.open(attachment('c1', '10.0.0.1'));
  assert.equal(attachments.answered('nobody', 'eth0'), false);
  assert.equal(attachments.answered('c1', 'eth0'), true);
  assert.equal(attachments.answered('c1', 'eth0'), false, 'known already');
  assert.equal(attachmentsIn(database).find('c1', 'eth0')?.state, 'opening', 'not written yet');
  attachments.writeAnswered();
  for (const each of [attachments, attachmentsIn(database)]) assert.equal(each.find('c1', 'eth0')?.state, 'ready');
});

test('an answer is written with the next commit, whatever that is', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database);
  const [one, two] = [attachment('c1', '10.0.0.1'), attachment('c2', '10.0.0.2')];
  attachments.open(one);
  attachments.answered('c1', 'eth0');
  attachments.open(two);
  attachments.answered('c2', 'eth0');
  assert.equal(attachmentsIn(database).find('c1', 'eth0')?.state, 'ready');
  attachments.close(one, 0);
  assert.equal(attachmentsIn(database).find('c2', 'eth0')?.state, 'ready');
});

test('after the clock was set back no address rests longer than the cooldown, at this start or the next', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database, () => 0);
  const [one, two] = [attachment('c1', '10.0.0.1'), attachment('c2', '10.0.0.2')];
  for (const each of [one, two]) attachments.open(each);
  attachments.close(one, 1_000_000_000);
  attachments.close(two, 150_000);
  const expected = [
    { address: '10.0.0.1', until_ms: 180_100 },
    { address: '10.0.0.2', until_ms: 150_000 },
  ];
  assert.deepEqual(attachments.resting('a', 100, 180_000), expected);
  assert.deepEqual(attachments.resting('a', 5000, 180_000), expected, 'the end that was cut stays: it does not move on with each start');
});

test('the table of rests is as long as what rests, however many Pods came and went', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  let now = 0;
  const attachments = attachmentsIn(database, () => now);
  for (let i = 0; i < 500; i++) {
    now += 10;
    const one = attachment(`c${i}`, addressOf(i));
    attachments.open(one);
    attachments.close(one, now + 100);
  }
  assert.ok(rowsOf(database, 'cooling') <= 11, `${rowsOf(database, 'cooling')} rows`);
});

test('rests belong to their subnet', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database, () => 0);
  const other = { ...attachment('c1', '10.0.0.1'), subnet: 'b' };
  attachments.open(other);
  attachments.close(other, 5000);
  assert.deepEqual(attachments.resting('a', 0, 180_000), []);
  assert.deepEqual(attachments.resting('b', 0, 180_000), [{ address: parseIp('10.0.0.1'), until_ms: 5000 }]);
});
