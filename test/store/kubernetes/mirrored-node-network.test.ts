/** The agent's side of its NodeNetwork: what it knows without the API server, and what an object made anew hears. */
import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { failure } from '../../../src/errors/failure.ts';
import { createLog } from '../../../src/log.ts';
import { mirroredNodeNetwork } from '../../../src/store/kubernetes/mirrored-node-network.ts';
import { resources } from '../../../src/store/kubernetes/resources.ts';
import { readNodeNetwork } from '../../../src/store/kubernetes/stored-node-network.ts';
import type { NodeNetworkSpec } from '../../../src/store/node-network.ts';
import { nodeNetworksIn } from '../../../src/store/node-networks-sqlite.ts';
import { openDatabase } from '../../../src/store/sqlite.ts';
import { memoryKube, type MemoryKube } from '../memory-kube.ts';
import { stateDir } from '../support.ts';

const at = { ...resources.nodeNetworks, name: 'n1' };
const log = createLog('test', 'error', () => undefined);
// An agent of a cluster does not know its instance.
const instance = '' as NodeNetworkSpec['instance'];
const spec: NodeNetworkSpec = { instance, demand: [{ subnet: 'pods', inUse: 1, cooling: 0, waiting: 2 }], returned: [] };
const nic = { id: 'nic-0', mac: '02:00:00:00:00:01', subnet: 'pods', deviceIndex: 0, mtu: 1500, blocks: ['10.20.0.7/32'], reclaiming: [] };
const away = () => failure('kubeUnreachable', { call: 'any', server: 'memory', text: 'away' });

function grant(kube: MemoryKube, more: object = {}): void {
  kube.put(resources.nodeNetworks, { metadata: { name: 'n1' }, status: { instance: 'i-1', term: 1, nics: [nic], ...more } });
}

function follow(t: TestContext, kube: MemoryKube, database: DatabaseSync) {
  const mirror = mirroredNodeNetwork(kube, nodeNetworksIn(database), 'n1', log);
  t.after(() => mirror.stop());
  return mirror;
}

async function quiet(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await nextTurn();
}

function stateIn(t: TestContext): () => DatabaseSync {
  const dir = stateDir();
  t.after(() => dir[Symbol.dispose]());
  return () => {
    const database = openDatabase(dir.path);
    t.after(() => {
      if (database.isOpen) database.close();
    });
    return database;
  };
}

test('what was granted is known without the API server, also after a restart', async (t) => {
  const kube = memoryKube();
  const open = stateIn(t);
  const database = open();
  kube.put(resources.nodeNetworks, { metadata: { name: 'n1' } });
  const mirror = follow(t, kube, database);
  await quiet();
  await mirror.writeSpec('n1', spec);
  grant(kube);
  await quiet();
  assert.deepEqual((await mirror.get('n1'))?.status.nics[0]?.blocks, ['10.20.0.7/32']);
  assert.equal(mirror.stale_ms(), 0);
  mirror.stop();
  database.close();
  kube.fault = away;
  const again = follow(t, kube, open());
  await quiet();
  assert.equal(again.stale_ms(), undefined);
  const known = await again.get('n1');
  assert.deepEqual([known?.status.nics[0]?.blocks, known?.spec.demand], [['10.20.0.7/32'], spec.demand]);
});

test('what the agent says while the API server is away is kept, and refused to whoever waits for it', async (t) => {
  const kube = memoryKube();
  const mirror = follow(t, kube, stateIn(t)());
  kube.fault = away;
  await assert.rejects(mirror.writeSpec('n1', spec), { kind: 'kubeUnreachable' });
  assert.deepEqual((await mirror.get('n1'))?.spec.demand, spec.demand);
});

test('what the agent no longer says is taken away, and its instance is never said', async (t) => {
  const kube = memoryKube();
  kube.put(resources.nodeNetworks, { metadata: { name: 'n1' } });
  const mirror = follow(t, kube, stateIn(t)());
  await quiet();
  grant(kube);
  await quiet();
  const claims = [{ namespace: 'shop', pod: 'db-0', uid: 'u', subnets: ['pods'] }];
  await mirror.writeSpec('n1', { ...spec, draining: 'leaving', unplugged: ['nic-1' as never], claims });
  assert.deepEqual(Object.keys((kube.stored(at) as { spec: object }).spec).toSorted(), [
    'claims',
    'demand',
    'draining',
    'returned',
    'unplugged',
  ]);
  await mirror.writeSpec('n1', spec);
  assert.deepEqual(Object.keys((kube.stored(at) as { spec: object }).spec).toSorted(), ['demand', 'returned']);
});

test('an object that was deleted and made anew takes nothing from the node, and hears what the agent said and what it remembers', async (t) => {
  const kube = memoryKube();
  kube.put(resources.nodeNetworks, { metadata: { name: 'n1' } });
  const mirror = follow(t, kube, stateIn(t)());
  await quiet();
  await mirror.writeSpec('n1', spec);
  grant(kube);
  await quiet();
  kube.remove(at);
  await quiet();
  assert.deepEqual((await mirror.get('n1'))?.status.nics[0]?.blocks, ['10.20.0.7/32'], 'nobody has said otherwise');
  kube.put(resources.nodeNetworks, { metadata: { name: 'n1' } });
  await quiet();
  const heard = readNodeNetwork(kube.stored(at)).spec;
  assert.deepEqual([heard?.demand, heard?.remembered], [spec.demand, ['10.20.0.7/32']]);
  assert.deepEqual((await mirror.get('n1'))?.status.nics[0]?.blocks, ['10.20.0.7/32']);
  grant(kube, { nics: [] });
  await quiet();
  assert.deepEqual((await mirror.get('n1'))?.status.nics, [], 'the controller has spoken');
  await mirror.writeSpec('n1', { ...spec, draining: 'leaving' });
  assert.equal(readNodeNetwork(kube.stored(at)).spec?.remembered, undefined, 'it is remembered by the controller now');
});

test('what the agent says before it has seen its object says what the node remembers too: the object may be a new one', async (t) => {
  const open = stateIn(t);
  const database = open();
  const copy = nodeNetworksIn(database);
  await copy.writeSpec('n1', spec);
  await copy.writeStatus('n1', { vpcCidrs: [], growth: [], nics: [nic as never] });
  const kube = memoryKube();
  kube.put(resources.nodeNetworks, { metadata: { name: 'n1' } });
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = new Proxy(kube, {
    get(of, key, receiver) {
      const method: unknown = Reflect.get(of, key, receiver);
      if (key !== 'list' || typeof method !== 'function') return method;
      return async (...given: unknown[]): Promise<unknown> => {
        await promise;
        return Reflect.apply(method, of, given);
      };
    },
  });
  const mirror = follow(t, late, database);
  await mirror.writeSpec('n1', spec);
  assert.deepEqual(readNodeNetwork(kube.stored(at)).spec?.remembered, ['10.20.0.7/32']);
  resolve();
  await quiet();
  assert.deepEqual(readNodeNetwork(kube.stored(at)).spec?.remembered, ['10.20.0.7/32']);
  grant(kube);
  await quiet();
  await mirror.writeSpec('n1', { ...spec, draining: 'leaving' });
  assert.equal(readNodeNetwork(kube.stored(at)).spec?.remembered, undefined, 'it is remembered by the controller now');
});
