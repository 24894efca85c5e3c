/** Who had an address before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../src/net/address.ts';
import { addressHistory } from '../../src/store/address-history.ts';
import { schema } from '../../src/store/database-schema.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { addressOf, attachment, attachmentsIn, stateDir } from './support.ts';

const [one, two] = [parseIp('10.0.0.1'), parseIp('2001:db8::1')];

test('a Pod that ended is known by each of its addresses, also after a restart, the latest first', () => {
  using dir = stateDir();
  {
    using database = openDatabase(dir.path);
    const attachments = attachmentsIn(database);
    for (const container of ['c1', 'c2']) {
      const pod = { ...attachment(container, one, two), created_ms: Date.now() - 5000 };
      attachments.open(pod);
      assert.deepEqual(
        attachments.former(one).map(({ pod: { name } }) => name),
        container === 'c1' ? [] : ['c1'],
      );
      attachments.close(pod, 1);
      attachments.close(pod, 1);
    }
  }
  using database = openDatabase(dir.path);
  for (const address of [one, two]) {
    const former = attachmentsIn(database).former(address);
    assert.deepEqual(
      former.map(({ address: ip, pod, container, subnet, nic }) => ({ ip, pod, container, subnet, nic })),
      ['c2', 'c1'].map((name) => ({ ip: address, pod: { namespace: 'default', name }, container: name, subnet: 'a', nic: 'nic-1' })),
    );
    for (const { from_ms, until_ms } of former) assert.ok(until_ms - from_ms >= 5000 && until_ms <= Date.now());
  }
});

test('without a rest, a Pod that was served is remembered, and an ADD that failed is not', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database);
  const failed = attachment('c1', one);
  attachments.open(failed);
  attachments.close(failed, 0);
  attachments.open(attachment('c2', one));
  attachments.answered('c2', 'eth0');
  const served = attachments.find('c2', 'eth0');
  assert.ok(served);
  attachments.close(served, 0);
  assert.deepEqual(
    attachments.former(one).map(({ container }) => container),
    ['c2'],
  );
});

test('the end of a rest is known as long as it lasts', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database, () => 0);
  const pod = attachment('c1', one);
  attachments.open(pod);
  attachments.close(pod, 5000);
  assert.equal(attachments.restsUntil_ms(one), 5000);
  assert.equal(attachments.restsUntil_ms(two), undefined);
  attachments.open(attachment('c2', one));
  assert.equal(attachments.restsUntil_ms(one), undefined);
});

test('the table is as long as its limit and a batch, however many Pods came and went, and forgets the oldest first', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const history = addressHistory(database, 100, 8);
  for (let i = 0; i < 1000; i++) {
    const lease = { address: addressOf(i % 500), pod: {}, container: `c${i}`, subnet: 'a', nic: 'n', from_ms: i, until_ms: i + 1 };
    history.add(lease);
    const rows = Number(database.prepare('SELECT count(*) AS n FROM history').get()?.['n']);
    assert.ok(rows <= 107 && rows >= Math.min(i + 1, 100), `${rows} rows after ${i + 1}`);
  }
  assert.deepEqual(
    history.of(addressOf(499)).map(({ container }) => container),
    ['c999'],
  );
  assert.deepEqual(history.of(addressOf(399)), []);
});

test('a database of before there was a history opens with its Pods, and remembers from then on', () => {
  using dir = stateDir();
  {
    using old = openDatabase(dir.path, false, schema.slice(0, 1));
    old.exec(`INSERT INTO attachments VALUES ('c1', 'eth0', 'net', '{"name":"c1"}', '/run/netns/c1', 'a', 'nic-1', 'ready', 1, '{"addresses":["10.0.0.1"]}');
              INSERT INTO leases VALUES ('10.0.0.1', 'c1', 'eth0')`);
  }
  using database = openDatabase(dir.path);
  const attachments = attachmentsIn(database);
  const pod = attachments.find('c1', 'eth0');
  assert.ok(pod);
  assert.deepEqual(attachments.former(one), []);
  attachments.close(pod, 1);
  assert.deepEqual(
    attachments.former(one).map(({ from_ms, container }) => [from_ms, container]),
    [[1, 'c1']],
  );
});
