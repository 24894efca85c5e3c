/** The Pods of a node as its agent knows them, and what that costs the API server. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { failure } from '../../../src/errors/failure.ts';
import { createLog } from '../../../src/log.ts';
import { candidatesOf } from '../../../src/agent/subnet-choice.ts';
import { lacksServiceAccount, nodePods, type PodFacts } from '../../../src/store/kubernetes/node-pods.ts';
import type { ClusterNamespace } from '../../../src/store/kubernetes/core-objects.ts';
import type { RememberedNamespaces } from '../../../src/store/remembered-namespaces.ts';
import { resources } from '../../../src/store/kubernetes/resources.ts';
import { podSubnet, type PodSubnet } from '../../../src/store/pod-subnet.ts';
import { eventually } from '../../life/lab.ts';
import { memoryKube, type MemoryKube } from '../memory-kube.ts';

const inShop = { ...resources.pods, namespace: 'shop' };

function pod(kube: MemoryKube, name: string, spec: object = {}, metadata: object = {}): void {
  kube.put(inShop, { metadata: { name, ...metadata }, spec: { nodeName: 'n1', ...spec } });
}

function follow(t: TestContext, kube: MemoryKube, remembered?: RememberedNamespaces, subnets?: () => readonly PodSubnet[]) {
  let changes = 0;
  const pods = nodePods(
    kube,
    'n1',
    createLog('test', 'error', () => undefined),
    () => changes++,
    { ...(remembered && { remembered }), ...(subnets && { subnets }) },
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

/** The API server is away, or only what is asked about namespaces fails. */
function away(kube: MemoryKube, of?: string): void {
  const fault = failure('kubeUnreachable', { call: 'get', server: 'memory', text: 'away' });
  kube.fault = ({ resource }) => (of === undefined || resource === of ? fault : 'none');
  if (of === undefined) kube.cutWatches(fault);
}

function inMemory(): RememberedNamespaces & { readonly all: Map<string, ClusterNamespace> } {
  const all = new Map<string, ClusterNamespace>();
  return { all, get: (name) => all.get(name), set: (one) => void all.set(one.name, one), forget: (name) => void all.delete(name) };
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

test('a Pod that is asked for before the first list is in is waited for: its annotations are known to whoever asks', async (t) => {
  const kube = shop();
  pod(kube, 'db-0', {}, { annotations: { 'flatpod.dev/ip': 'fixed' } });
  const { pods } = follow(t, kube);
  assert.deepEqual(pods.list(), [], 'nothing is known yet');
  const facts = await pods.find('shop', 'db-0', undefined, 1);
  assert.deepEqual(facts?.pod.annotations, { 'flatpod.dev/ip': 'fixed' });
});

test('a namespace that could not be read is read again when its Pod asks, and the Pod is told apart until then', async (t) => {
  const kube = shop();
  const { pods } = follow(t, kube);
  await quiet();
  away(kube, 'namespaces');
  pod(kube, 'a');
  await quiet();
  assert.equal(pods.list()[0]?.namespace, undefined);
  assert.equal((await pods.find('shop', 'a', undefined, 0))?.namespace, undefined);
  kube.fault = () => 'none';
  assert.deepEqual((await pods.find('shop', 'a', undefined, 0))?.namespace?.labels, { team: 'a' });
});

test('a namespace that could not be read is tried again while it has Pods here, and the change is told', async (t) => {
  const kube = shop();
  const { pods, changes } = follow(t, kube);
  await quiet();
  away(kube, 'namespaces');
  pod(kube, 'a');
  await quiet();
  const before = changes();
  assert.equal(pods.list()[0]?.namespace, undefined);
  kube.fault = () => 'none';
  await eventually('it is read', () => pods.list()[0]?.namespace !== undefined);
  await eventually('and told of', () => changes() > before);
});

test('what a namespace said before a restart is known without an API server; with one it is read anew', async (t) => {
  const remembered = inMemory();
  const kube = shop();
  pod(kube, 'a');
  const first = follow(t, kube, remembered);
  await quiet();
  first.pods.stop();
  assert.deepEqual([...remembered.all.keys()], ['shop']);
  away(kube);
  const second = follow(t, kube, remembered);
  await quiet();
  assert.equal(await second.pods.find('shop', 'static', undefined, 0), undefined);
  assert.deepEqual(second.pods.namespace('shop')?.labels, { team: 'a' });
  assert.equal(second.pods.namespace('other'), undefined);
  second.pods.stop();
  kube.fault = () => 'none';
  kube.put(resources.namespaces, { metadata: { name: 'shop', labels: { team: 'b' } } });
  const third = follow(t, kube, remembered);
  await quiet();
  assert.deepEqual((await third.pods.find('shop', 'a', undefined, 2000))?.namespace?.labels, { team: 'b' });
  assert.deepEqual(remembered.get('shop')?.labels, { team: 'b' });
});

test('a namespace that there is no more is forgotten', async (t) => {
  const remembered = inMemory();
  const kube = shop();
  pod(kube, 'a');
  const { pods } = follow(t, kube, remembered);
  await quiet();
  pods.stop();
  kube.remove({ ...resources.namespaces, name: 'shop' });
  const next = follow(t, kube, remembered);
  await quiet();
  await next.pods.find('shop', 'a', undefined, 0);
  assert.equal(remembered.all.size, 0);
});

const subnet = (name: string, spec: object): PodSubnet =>
  podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec: { cloudSubnet: 's', ...spec } });
const robots = subnet('robots', { namespaces: ['shop'], serviceAccountSelector: { matchLabels: { role: 'robot' } } });

function account(kube: MemoryKube, name: string, labels: object): void {
  kube.put({ ...resources.serviceAccounts, namespace: 'shop' }, { metadata: { name, labels } });
}

const accountsRead = ({ calls }: MemoryKube) =>
  calls.flatMap(({ verb, resource, name }) => (verb === 'get' && resource === 'serviceaccounts' ? [name] : []));
const candidates = (subnets: readonly PodSubnet[], facts: PodFacts | undefined) =>
  facts === undefined ? 'unknown' : candidatesOf(subnets, facts).map(({ metadata }) => metadata.name);

test('service accounts are read only where a PodSubnet that may be for the Pod selects by them, each once for all its Pods', async (t) => {
  const kube = shop();
  account(kube, 'robot', { role: 'robot' });
  let subnets = [subnet('all', { default: true }), { ...robots, spec: { ...robots.spec, namespaces: ['bank'] } }];
  const { pods, changes } = follow(t, kube, undefined, () => subnets);
  await quiet();
  for (const name of ['a', 'b']) pod(kube, name, { serviceAccountName: 'robot' });
  pod(kube, 'static');
  await quiet();
  assert.deepEqual(accountsRead(kube), [], 'robots are of another namespace');
  assert.deepEqual(candidates(subnets, pods.list()[0]), ['all']);
  const before = changes();
  // A PodSubnet that is made later is for Pods that wait already.
  subnets = [subnet('all', { default: true }), robots];
  assert.deepEqual(
    pods.list().map((facts) => lacksServiceAccount(subnets, facts)),
    [true, true, false],
    'nobody knows yet; a static Pod runs as none',
  );
  await quiet();
  assert.equal(changes(), before + 1, 'who listed them is told to do so again');
  assert.deepEqual(
    pods.list().map((facts) => candidates(subnets, facts)),
    [['robots'], ['robots'], ['all']],
  );
  assert.deepEqual(accountsRead(kube), ['robot']);
});

test('the labels of a service account that are changed count for the Pods that come after', async (t) => {
  const kube = shop();
  account(kube, 'builder', {});
  const subnets = [subnet('all', { default: true }), robots];
  const { pods } = follow(t, kube, undefined, () => subnets);
  await quiet();
  const chosen = async (name: string) => {
    pod(kube, name, { serviceAccountName: 'builder' });
    return candidates(subnets, await pods.find('shop', name, undefined, 5000));
  };
  assert.deepEqual(await chosen('before'), ['all']);
  account(kube, 'builder', { role: 'robot' });
  let count = 0;
  // A read will do for the Pods of one second.
  await eventually('a Pod that comes after is of robots', async () => (await chosen(`after-${count++}`)).includes('robots'));
  account(kube, 'builder', { role: null });
  await eventually('and of all again', async () => (await chosen(`late-${count++}`)).includes('all'));
});

test('a Pod whose service account is made with it is served by its labels; one that cannot be read is tried again and told of', async (t) => {
  const kube = shop();
  const subnets = [subnet('all', { default: true }), robots];
  const { pods, changes } = follow(t, kube, undefined, () => subnets);
  await quiet();
  account(kube, 'new', { role: 'robot' });
  pod(kube, 'first', { serviceAccountName: 'new' });
  assert.deepEqual(candidates(subnets, await pods.find('shop', 'first', undefined, 5000)), ['robots']);
  away(kube, 'serviceaccounts');
  pod(kube, 'other', { serviceAccountName: 'other' });
  await quiet();
  const facts = await pods.find('shop', 'other', undefined, 0);
  assert.equal(facts !== undefined && lacksServiceAccount(subnets, facts), true, 'nobody says that it is of the default');
  const before = changes();
  account(kube, 'other', { role: 'robot' });
  kube.fault = () => 'none';
  await eventually('it is told of', () => changes() > before);
  assert.deepEqual(candidates(subnets, await pods.find('shop', 'other', undefined, 0)), ['robots']);
});
