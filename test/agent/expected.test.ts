/** Pods that the scheduler has placed on the node: the controller hears of them before the runtime asks. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { claimsAsked } from '../../src/agent/claims.ts';
import { expectedPods } from '../../src/agent/expected-pods.ts';
import { Pools } from '../../src/agent/pools.ts';
import { createLog } from '../../src/log.ts';
import { nodePods } from '../../src/store/kubernetes/node-pods.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { podSubnet } from '../../src/store/pod-subnet.ts';
import { memoryKube, type MemoryKube } from '../store/memory-kube.ts';

const inShop = { ...resources.pods, namespace: 'shop' };
const subnet = (name: string, spec: object) =>
  podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec: { cloudSubnet: 's', ...spec } });
const subnets = [subnet('common', { default: true }), subnet('web', { podSelector: { matchLabels: { app: 'web' } }, priority: 1 })];

async function nodeOf(t: TestContext, fill: (kube: MemoryKube) => void) {
  const kube = memoryKube();
  kube.put(resources.namespaces, { metadata: { name: 'shop' } });
  fill(kube);
  const pods = nodePods(
    kube,
    'n1',
    createLog('test', 'error', () => undefined),
    () => undefined,
  );
  const pools = new Pools(subnets, { demandChanged: () => undefined });
  t.after(() => {
    pods.stop();
    pools.stop();
  });
  for (let turn = 0; turn < 6; turn++) await nextTurn();
  return { kube, pods, pools };
}

function pod(kube: MemoryKube, name: string, metadata: object = {}, spec: object = {}): void {
  kube.put(inShop, { metadata: { name, uid: `uid-of-${name}`, ...metadata }, spec: { nodeName: 'n1', ...spec } });
}

/** As many attachments as Pods are named. */
const attached = (...names: string[]) => ({ list: () => names.map((name) => ({ pod: { uid: `uid-of-${name}` } })) }) as never; // only list() and the uid are looked at

test('a Pod without an address is demand for its subnet before its ADD, and none any more once it is attached', async (t) => {
  const { pods, pools } = await nodeOf(t, (kube) => {
    pod(kube, 'a');
    pod(kube, 'b');
    pod(kube, 'c', { labels: { app: 'web' } });
  });
  assert.deepEqual(
    [...expectedPods(pods, attached(), subnets, pools)].toSorted(([a], [b]) => a.localeCompare(b)),
    [
      ['common', 2],
      ['web', 1],
    ],
  );
  assert.deepEqual([...expectedPods(pods, attached('a', 'c'), subnets, pools)], [['common', 1]]);
});

test('Pods that leave, that have ended, on the host’s network, or with an address of their own are no demand', async (t) => {
  const { pods, pools } = await nodeOf(t, (kube) => {
    pod(kube, 'leaving', { deletionTimestamp: '2026-01-01T00:00:00Z' });
    pod(kube, 'host', {}, { hostNetwork: true });
    pod(kube, 'fixed', { annotations: { 'flatpod.dev/ip': 'fixed' } });
    kube.put(inShop, { metadata: { name: 'ended' }, spec: { nodeName: 'n1' }, status: { phase: 'Failed' } });
  });
  assert.equal(expectedPods(pods, attached(), subnets, pools).size, 0);
});

test('Pods that ask for addresses of their own are told of with the subnets that may serve them, the best first', async (t) => {
  const { pods } = await nodeOf(t, (kube) => {
    pod(kube, 'z', { annotations: { 'flatpod.dev/ip': 'fixed' } });
    pod(kube, 'a', { annotations: { 'flatpod.dev/ip-claim': 'jobs' }, labels: { app: 'web' } });
    pod(kube, 'plain');
  });
  assert.deepEqual(claimsAsked(pods, subnets), [
    { namespace: 'shop', pod: 'a', uid: 'uid-of-a', subnets: ['web'], claim: 'jobs' },
    { namespace: 'shop', pod: 'z', uid: 'uid-of-z', subnets: ['common'] },
  ]);
});

test('a Pod whose subnet hangs on a service account that is not known is no demand of any, and asks for no claim with a wrong one', async (t) => {
  const robots = subnet('robots', { serviceAccountSelector: { matchLabels: { role: 'robot' } } });
  const { pods, pools } = await nodeOf(t, (kube) => {
    pod(kube, 'a', {}, { serviceAccountName: 'robot' });
    pod(kube, 'fixed', { annotations: { 'flatpod.dev/ip': 'fixed' } }, { serviceAccountName: 'robot' });
    pod(kube, 'static');
  });
  const now = [...subnets, robots];
  assert.deepEqual([...expectedPods(pods, attached(), now, pools)], [['common', 1]]);
  assert.deepEqual(claimsAsked(pods, now), []);
});

test('a Pod that a former plugin made waits for nothing, also when its records have the name alone', async (t) => {
  const { pods, pools } = await nodeOf(t, (kube) => {
    pod(kube, 'a');
    pod(kube, 'b');
  });
  const adopted = { list: () => [{ pod: { namespace: 'shop', name: 'a' } }] } as never; // only list() and who they are is looked at
  assert.deepEqual([...expectedPods(pods, adopted, subnets, pools)], [['common', 1]]);
});
