/** The Pods of a node as its agent knows them, and what that costs the API server. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { failure } from '../../../src/errors/failure.ts';
import { createLog } from '../../../src/log.ts';
import { nodePods } from '../../../src/store/kubernetes/node-pods.ts';
import { resources } from '../../../src/store/kubernetes/resources.ts';
import { memoryKube, type MemoryKube } from '../memory-kube.ts';

const inShop = { ...resources.pods, namespace: 'shop' };

function pod(kube: MemoryKube, name: string, spec: object = {}, metadata: object = {}): void {
  kube.put(inShop, { metadata: { name, ...metadata }, spec: { nodeName: 'n1', ...spec } });
}

function follow(t: TestContext, kube: MemoryKube) {
  let changes = 0;
  const pods = nodePods(
    kube,
    'n1',
    createLog('test', 'error', () => undefined),
    () => changes++,
  );
  t.after(() => pods.stop());
  return { pods, changes: () => changes };
}

async function quiet(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await nextTurn();
}

function shop(): MemoryKube {
  const kube = memoryKube();
  kube.put(resources.namespaces, { metadata: { name: 'shop', labels: { team: 'a' } } });
  return kube;
}

const readsOf = ({ calls }: MemoryKube) => calls.filter(({ verb, resource }) => verb === 'get' && resource === 'namespaces').length;

test('a node knows its own Pods that have an address, and reads a namespace once for all of them', async (t) => {
  const kube = shop();
  const { pods, changes } = follow(t, kube);
  await quiet();
  for (const name of ['a', 'b', 'c']) pod(kube, name);
  pod(kube, 'host', { hostNetwork: true });
  pod(kube, 'elsewhere', { nodeName: 'n2' });
  kube.put(inShop, { metadata: { name: 'ended' }, spec: { nodeName: 'n1' }, status: { phase: 'Succeeded' } });
  await quiet();
  assert.deepEqual(
    pods.list().map(({ pod: { name }, namespace }) => [name, namespace?.labels]),
    ['a', 'b', 'c'].map((name) => [name, { team: 'a' }]),
  );
  assert.equal(readsOf(kube), 1);
  const before = changes();
  kube.put(inShop, { metadata: { name: 'a' }, status: { phase: 'Running' } });
  await quiet();
  assert.equal(changes(), before + 1);
  assert.equal(readsOf(kube), 1, 'a Pod that changes reads nothing');
});

test('a Pod is found as soon as the watch shows it; another of the same name is not it, but a mirror of a static one is', async (t) => {
  const kube = shop();
  const { pods } = follow(t, kube);
  await quiet();
  const coming = pods.find('shop', 'late', undefined, 5000);
  pod(kube, 'late');
  assert.equal((await coming)?.pod.name, 'late');
  assert.equal(await pods.find('shop', 'late', 'another-uid', 0), undefined);
  pod(kube, 'static', {}, { annotations: { 'kubernetes.io/config.mirror': 'hash' } });
  await quiet();
  assert.equal((await pods.find('shop', 'static', 'uid-of-the-file', 0))?.pod.name, 'static');
});

test('a namespace that could not be read is read again when its Pod asks, and the Pod is told apart until then', async (t) => {
  const kube = shop();
  const { pods } = follow(t, kube);
  await quiet();
  kube.fault = ({ resource }) =>
    resource === 'namespaces' ? failure('kubeUnreachable', { call: 'get', server: 'memory', text: 'away' }) : 'none';
  pod(kube, 'a');
  await quiet();
  assert.equal(pods.list()[0]?.namespace, undefined);
  assert.equal((await pods.find('shop', 'a', undefined, 0))?.namespace, undefined);
  kube.fault = () => 'none';
  assert.deepEqual((await pods.find('shop', 'a', undefined, 0))?.namespace?.labels, { team: 'a' });
});
