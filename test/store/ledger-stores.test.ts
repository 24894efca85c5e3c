/** Both places where the ledger of ranges is written down keep the same promises. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { LedgerStore, Share } from '../../src/cloud/range/ledger-store.ts';
import { failure, isFailure } from '../../src/errors/failure.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { ledgerObjects } from '../../src/store/kubernetes/ledger-objects.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { ledgerIn } from '../../src/store/ledger-sqlite.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { memoryKube } from './memory-kube.ts';

function inSqlite(t: TestContext): LedgerStore {
  const dir = mkdtempSync(join(tmpdir(), 'fp-ledger-'));
  const database = openDatabase(dir);
  t.after(() => {
    database.close();
    rmSync(dir, { recursive: true });
  });
  return ledgerIn(database);
}

const stores: Readonly<Record<string, (t: TestContext) => LedgerStore>> = {
  SQLite: inSqlite,
  'the Kubernetes API': () => ledgerObjects(memoryKube(), { deadline_ms: 1000 }),
};
const slices = [parseCidr('10.9.0.0/20'), parseCidr('fd00::1000:0:0:0/68')];
const shares = (...blocks: string[]): Share[] => [{ node: 'n1', podSubnet: 'pods', blocks: blocks.map(parseCidr) }];

for (const [where, store] of Object.entries(stores)) {
  test(`${where}: what was written is read, slice by slice`, async (t) => {
    const one = store(t);
    for (const slice of slices) {
      assert.equal(await one.read(slice), undefined);
      const version = await one.write(slice, undefined, shares('10.9.0.16/28'));
      assert.deepEqual(await one.read(slice), { slice, version, shares: shares('10.9.0.16/28') });
    }
    assert.deepEqual((await one.list()).map(({ slice }) => slice).toSorted(), slices.toSorted());
  });

  test(`${where}: a write over another version than there is changes nothing, and says so`, async (t) => {
    const one = store(t);
    const slice = parseCidr('10.9.0.0/20');
    const first = await one.write(slice, undefined, shares('10.9.0.1/32'));
    assert.ok(first !== undefined);
    assert.equal(await one.write(slice, undefined, shares('10.9.0.2/32')), undefined, 'there is something');
    const second = await one.write(slice, first, shares('10.9.0.3/32'));
    assert.notEqual(second, first);
    assert.equal(await one.write(slice, first, shares('10.9.0.4/32')), undefined, 'an old version');
    assert.deepEqual((await one.read(slice))?.shares, shares('10.9.0.3/32'));
    assert.equal(await one.write(parseCidr('10.9.16.0/20'), first, []), undefined, 'there is nothing');
  });
}

test('the Kubernetes API: silence is a failure, not an answer', async () => {
  const kube = memoryKube();
  kube.fault = ({ verb }) => (verb === 'create' ? failure('kubeUnreachable', { call: verb, server: 'memory', text: 'refused' }) : 'none');
  const store = ledgerObjects(kube, { deadline_ms: 1000 });
  await assert.rejects(store.write(parseCidr('10.9.0.0/20'), undefined, []), (error) => isFailure(error, 'kubeUnreachable'));
});

test('an AddressLedger is named after its slice', async () => {
  const kube = memoryKube();
  const store = ledgerObjects(kube, { deadline_ms: 1000 });
  for (const slice of slices) await store.write(slice, undefined, []);
  for (const name of ['10.9.0.0-20', 'fd00-0-0-0-1000-0-0-0-68']) assert.ok(kube.stored({ ...resources.addressLedgers, name }), name);
});
