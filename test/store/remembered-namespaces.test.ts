/** What namespaces said outlives the process; it is written seldom, and never without end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterNamespace } from '../../src/store/kubernetes/core-objects.ts';
import { rememberedNamespaces } from '../../src/store/remembered-namespaces.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { stateDir } from './support.ts';

const namespace = (name: string, annotations: Record<string, string> = {}): ClusterNamespace => ({
  name,
  uid: `uid-of-${name}`,
  labels: { team: 'a' },
  annotations,
});

test('what a namespace said is known after opening the database again, until there is none of that name', () => {
  using dir = stateDir();
  const shop = namespace('shop', { 'flatpod.dev/pod-subnet': 'web' });
  {
    using database = openDatabase(dir.path);
    rememberedNamespaces(database).set(namespace('shop'));
    rememberedNamespaces(database).set(shop);
  }
  using database = openDatabase(dir.path);
  const remembered = rememberedNamespaces(database);
  assert.deepEqual(remembered.get('shop'), shop);
  assert.equal(remembered.get('other'), undefined);
  remembered.forget('shop');
  remembered.forget('other');
  assert.equal(remembered.get('shop'), undefined);
});

test('what is the same is not written again, and of too many those read longest ago go', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const remembered = rememberedNamespaces(database, 3);
  const changes = (): number => Number(database.prepare('SELECT total_changes() AS n').get()?.['n']);
  for (const name of ['a', 'b', 'c']) remembered.set(namespace(name));
  database.exec("UPDATE namespaces SET read_ms = read_ms - 1000 WHERE name = 'b'");
  const before = changes();
  remembered.set(namespace('a'));
  assert.equal(changes(), before);
  remembered.set(namespace('d'));
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((name) => remembered.get(name) !== undefined),
    [true, false, true, true],
  );
});
