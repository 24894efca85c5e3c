/** The controller's side of NodeNetworks in a cluster: whose instance, whose term, what is read after a write. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { failure } from '../../../src/errors/failure.ts';
import { createLog } from '../../../src/log.ts';
import { ClusterNodeNetworks } from '../../../src/store/kubernetes/cluster-node-networks.ts';
import { clusterSubnets } from '../../../src/store/kubernetes/cluster-subnets.ts';
import { resources } from '../../../src/store/kubernetes/resources.ts';
import { readNodeNetwork } from '../../../src/store/kubernetes/stored-node-network.ts';
import type { NodeNetworkStatus } from '../../../src/store/node-network.ts';
import { memoryKube, type MemoryKube } from '../memory-kube.ts';

const at = { ...resources.nodeNetworks, name: 'n1' };
const granted: NodeNetworkStatus = { vpcCidrs: [], nics: [], growth: [], settled: 'told' };

function addNode(kube: MemoryKube, providerID: string | undefined): void {
  kube.put(resources.nodes, { metadata: { name: 'n1' }, spec: providerID === undefined ? {} : { providerID } });
}

function speak(kube: MemoryKube, spec: object = {}): void {
  kube.put(resources.nodeNetworks, { metadata: { name: 'n1' }, spec: { demand: [], returned: [], ...spec } });
}

/** Followed by a leader of that term, whose log is `lines`. */
async function leader(t: { after(end: () => void): void }, kube: MemoryKube, term = 1) {
  const lines: string[] = [];
  const networks = new ClusterNodeNetworks(
    kube,
    term,
    createLog('test', 'debug', (line) => lines.push(line)),
  );
  t.after(() => networks.stop());
  await networks.synced;
  await quiet();
  return { networks, lines };
}

/** What was set off by a change has happened. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
}

const writes = ({ calls }: MemoryKube) => calls.filter(({ verb }) => verb === 'create' || verb === 'patch');

test('a Node has its NodeNetwork as soon as it is seen, also one that comes later, and one whose object was deleted', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  await leader(t, kube);
  assert.ok(kube.stored(at));
  assert.equal(writes(kube).length, 1, 'it is created once');
  kube.put(resources.nodes, { metadata: { name: 'n2' }, spec: { providerID: 'vpc:///a/i-2' } });
  await quiet();
  assert.ok(kube.stored({ ...at, name: 'n2' }));
  kube.remove(at);
  await quiet();
  assert.ok(kube.stored(at));
});

test('a NodeNetwork that could not be created is created later', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  kube.fault = ({ verb }) => (verb === 'create' ? failure('kubeFailing', { call: 'create', text: 'etcd is away' }) : 'none');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { lines } = await leader(t, kube);
  assert.equal(kube.stored(at), undefined);
  assert.ok(lines.some((line) => line.includes('could not be created')));
  kube.fault = () => 'none';
  t.mock.timers.tick(5000);
  await quiet();
  assert.ok(kube.stored(at));
});

test('a Node without providerID gets no object, and the log says why', async (t) => {
  const kube = memoryKube();
  addNode(kube, undefined);
  const { lines } = await leader(t, kube);
  assert.equal(kube.stored(at), undefined);
  assert.ok(lines.some((line) => line.includes('gets no addresses: its spec.providerID is not set')));
});

test('the instance is what the Node says, whatever the agent says; an agent that never spoke is not served', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  const { networks } = await leader(t, kube);
  assert.equal(await networks.get('n1'), undefined);
  speak(kube, { instance: 'i-of-somebody-else' });
  await quiet();
  assert.equal((await networks.get('n1'))?.spec.instance, 'i-1');
});

test('a status about another instance counts as none; one whose Node is gone is listed still', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  const { networks } = await leader(t, kube);
  speak(kube);
  await quiet();
  await networks.writeStatus('n1', granted);
  assert.equal((await networks.get('n1'))?.status.settled, 'told');
  addNode(kube, 'vpc:///a/i-2');
  await quiet();
  assert.deepEqual((await networks.get('n1'))?.status, { vpcCidrs: [], nics: [], growth: [] });
  kube.remove({ ...resources.nodes, name: 'n1' });
  await quiet();
  assert.equal(await networks.get('n1'), undefined);
  await assert.rejects(networks.writeStatus('n1', granted), { kind: 'nodeUnknown' });
  assert.deepEqual(
    (await networks.list()).map(({ name, spec, status }) => [name, spec.instance, status.settled]),
    [['n1', 'i-1', 'told']],
  );
});

test('what was written is read, however late the watch is, and what comes later replaces it', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  const { networks } = await leader(t, kube);
  speak(kube);
  await quiet();
  kube.late = true;
  await networks.writeStatus('n1', granted);
  assert.equal((await networks.get('n1'))?.status.settled, 'told');
  await networks.writeStatus('n1', { ...granted, settled: 'told again' });
  assert.equal((await networks.get('n1'))?.status.settled, 'told again');
  speak(kube, { draining: 'leaving' });
  kube.catchUp();
  await quiet();
  const now = await networks.get('n1');
  assert.deepEqual([now?.status.settled, now?.spec.draining], ['told again', 'leaving']);
});

test('a leader writes over an earlier term; over a later one it does not write: FP240 overtaken', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  const { networks: old } = await leader(t, kube, 1);
  speak(kube);
  await quiet();
  await old.writeStatus('n1', granted);
  const { networks: next } = await leader(t, kube, 2);
  await next.writeStatus('n1', { ...granted, settled: 'by the next' });
  await quiet();
  const before = writes(kube).length;
  await assert.rejects(old.writeStatus('n1', granted), { kind: 'overtaken', code: 240, details: 'its term is 2, ours was 1' });
  assert.equal(writes(kube).length, before, 'nothing was even sent');
  assert.equal(readNodeNetwork(kube.stored(at)).status?.settled, 'by the next');
});

test('a leader whose watch has not shown that it was overtaken is refused by the server, and nothing is written', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  const { networks: old } = await leader(t, kube, 1);
  speak(kube);
  await quiet();
  await old.writeStatus('n1', granted);
  await quiet();
  const { networks: next } = await leader(t, kube, 2);
  kube.late = true;
  await next.writeStatus('n1', { ...granted, settled: 'by the next' });
  const stored = kube.stored(at);
  await assert.rejects(old.writeStatus('n1', granted), { kind: 'overtaken' });
  assert.deepEqual(kube.stored(at), stored);
});

test('of two leaders of which neither has seen the first status, one writes', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  const { networks: one } = await leader(t, kube, 1);
  speak(kube);
  await quiet();
  const { networks: two } = await leader(t, kube, 2);
  kube.late = true;
  await two.writeStatus('n1', granted);
  await assert.rejects(one.writeStatus('n1', granted), { kind: 'overtaken' });
});

test('the agent’s writes of its half do not make the controller’s fail once a status is there', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  const { networks } = await leader(t, kube);
  speak(kube);
  await quiet();
  await networks.writeStatus('n1', granted);
  kube.late = true;
  speak(kube, { draining: 'leaving' });
  await networks.writeStatus('n1', { ...granted, settled: 'again' });
  assert.equal(readNodeNetwork(kube.stored(at)).status?.settled, 'again');
});

test('a controller that finds a NodeNetwork for each Node creates none, though it hears of the Nodes first', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  speak(kube);
  // Its list of NodeNetworks takes a while longer.
  const late: typeof kube.list = async (of, parse, how) => {
    if (of.resource === resources.nodeNetworks.resource) await quiet();
    return kube.list(of, parse, how);
  };
  await leader(t, { ...kube, list: late });
  assert.deepEqual(writes(kube), []);
});

test('a node whose label or annotation is set later is told of then, and has the PodSubnets that select it by that', async (t) => {
  const kube = memoryKube();
  addNode(kube, 'vpc:///a/i-1');
  const config = (name: string, spec: object) =>
    kube.put(resources.podSubnets, {
      apiVersion: 'flatpod.dev/v1alpha1',
      kind: 'PodSubnet',
      metadata: { name },
      spec: { cloudSubnet: name, ...spec },
    });
  const key = 'k8s.amazonaws.com/eniConfig';
  const none = { matchExpressions: [{ key, operator: 'DoesNotExist' }] };
  config('by-label', { nodeSelector: { matchLabels: { [key]: 'a' } }, nodeAnnotationSelector: none });
  config('by-annotation', { nodeAnnotationSelector: { matchLabels: { [key]: 'a' } } });
  const { networks } = await leader(t, kube);
  const subnets = clusterSubnets(kube, createLog('test', 'error'), { changed: () => undefined, blocksChanged: () => undefined });
  t.after(() => subnets.stop());
  await subnets.synced;
  speak(kube);
  await quiet();
  const told: (readonly string[])[] = [];
  const now = (): string[] => {
    const node = networks.node('n1');
    return node === undefined ? [] : subnets.forNode(node).map(({ metadata }) => metadata.name);
  };
  networks.watch(() => told.push(now()));
  for (const metadata of [{ labels: { [key]: 'a' } }, { annotations: { [key]: 'a' } }, { annotations: { [key]: 'b' } }]) {
    kube.put(resources.nodes, { metadata: { name: 'n1', ...metadata } });
    await quiet();
  }
  assert.deepEqual(told, [['by-label'], ['by-annotation'], []]);
});
