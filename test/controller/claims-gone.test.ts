/** Claims of Pods whose node is gone, or that are gone themselves, before they had what they asked for: nothing of it stays behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cidr } from '../../src/net/cidr.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { type ClusterBench, clusterBench } from './cluster-bench.ts';

const fixed = { 'flatpod.dev/ip': 'fixed' };
const value = { 'flatpod.dev/ip': '10.20.0.77' };
const ofJobs = { 'flatpod.dev/ip-claim': 'jobs' };

/** Two nodes; on the first a Pod waits, since the cloud answers no assign. */
async function waitingOn(b: ClusterBench, annotations: Record<string, string>): Promise<void> {
  for (const node of ['n1', 'n2']) b.addNode(node);
  await b.lead();
  await b.pass(2000);
  b.cloud.fault = ({ name }) => (name === 'assign' ? 'loseRequest' : 'none');
  b.addPod('db-0', 'n1', annotations);
  await b.pass(1500);
  assert.equal(b.addressOf('db-0'), undefined);
}

function leave(b: ClusterBench, instance: 'dies' | 'lives'): void {
  b.removeNode('n1', instance);
  b.removePod('db-0');
  b.cloud.fault = () => 'none';
}

for (const [asks, annotations] of [
  ['by value', value],
  ['as fixed', fixed],
] as const)
  for (const instance of ['dies', 'lives'] as const)
    test(`a node goes while the address that its Pod asks for ${asks} is on its way, and its instance ${instance}: the Pod has one on another node`, async () => {
      await using b = clusterBench();
      await waitingOn(b, annotations);
      leave(b, instance);
      b.addPod('db-0', 'n2', annotations);
      await b.pass(20_000);
      assert.ok(b.addressOf('db-0'), b.problemOf('db-0') ?? '');
      assert.equal(b.claim('db-0')?.status.addresses.length, 1);
    });

test('a node goes while an address by value is on its way: another claim may have it', async () => {
  await using b = clusterBench();
  await waitingOn(b, value);
  leave(b, 'dies');
  b.addPod('web-0', 'n2', value);
  await b.pass(10_000);
  assert.equal(b.addressOf('web-0'), '10.20.0.77', b.problemOf('web-0') ?? '');
});

test('a node goes, and what was asked back for its Pod on another node is asked back no more', async () => {
  await using b = clusterBench();
  for (const node of ['n1', 'n2']) b.addNode(node);
  await b.lead();
  b.addPod('p-1', 'n2');
  await b.pass(3000);
  const block = `${b.addressOf('p-1')}/32` as Cidr;
  const isAsked = (): boolean => b.status('n2').nics.some(({ reclaiming }) => reclaiming.includes(block));
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': b.addressOf('p-1') ?? '' });
  await b.pass(3000);
  assert.ok(isAsked());
  leave(b, 'dies');
  await b.pass(10_000);
  assert.ok(!isAsked());
});

for (const stays of [false, true])
  test(`an assign is answered after its node went${stays ? ' and came back' : ''}: a claim gets no more addresses than it counts, and none is two Pods’`, async () => {
    await using b = clusterBench();
    b.addClaim('jobs', { podSelector: { matchLabels: { app: 'jobs' } }, count: 1 });
    for (const node of ['n1', 'n2']) b.addNode(node);
    await b.lead();
    await b.pass(2000);
    const assign = b.cloud.assign.bind(b.cloud);
    const [answered, called] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    Object.assign(b.cloud, {
      assign: async (...of: Parameters<typeof assign>) => {
        Object.assign(b.cloud, { assign });
        const brought = await assign(...of);
        called.resolve();
        await answered.promise;
        return brought;
      },
    });
    b.addPod('job-a', 'n1', ofJobs, { app: 'jobs' });
    await b.pass(1000);
    await called.promise;
    b.removeNode('n1', 'lives');
    b.removePod('job-a');
    b.addPod('job-b', 'n2', ofJobs, { app: 'jobs' });
    await b.pass(500);
    if (stays) b.returnNode('n1');
    answered.resolve();
    await b.pass(10_000);
    const address = b.addressOf('job-b');
    assert.ok(address, b.problemOf('job-b') ?? '');
    assert.deepEqual(
      b.claim('jobs')?.status.addresses.map((held) => [held.address, held.node]),
      [[address, 'n2']],
    );
    for (let i = 0; i < 6; i++) b.addPod(`p-${i}`, stays ? 'n1' : 'n2');
    await b.pass(10_000);
    const all = ['job-b', ...Array.from({ length: 6 }, (_, i) => `p-${i}`)].map((name) => b.addressOf(name));
    assert.ok(!all.includes(undefined) && new Set(all).size === all.length, all.join(', '));
    if (stays) return;
    b.agents.get('n1')?.die();
    b.cloud.terminate(b.instanceOf('n1'));
    await b.pass(400_000);
    const left = b.cloud.truth().filter(({ attachment }) => attachment?.instance !== b.instanceOf('n2'));
    assert.deepEqual(left, [], 'what the call brought went with the node');
  });

/** No Pod of subnet-a can have it. */
const outside = { 'flatpod.dev/ip': '10.99.0.1' };

for (const [reclaim, stays] of [
  ['Delete', false],
  ['TTL=600', false],
  ['Retain', true],
] as const)
  test(`a Pod with ip-reclaim ${reclaim} ends before it had an address: the IPClaim that was made for it ${stays ? 'stays' : 'goes'}`, async () => {
    await using b = clusterBench();
    b.addNode('n1');
    await b.lead();
    b.addPod('job-1', 'n1', { ...outside, 'flatpod.dev/ip-reclaim': reclaim });
    await b.pass(30_000);
    assert.match(b.problemOf('job-1') ?? '', /FP246/);
    assert.ok(b.claim('job-1'), 'it stays as long as its Pod waits');
    b.removePod('job-1');
    await b.pass(20_000);
    assert.equal(b.claim('job-1') !== undefined, stays);
  });

test('a Pod that is made again at once, with an address that it can have in place of one that it cannot, is served', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  b.addPod('db-0', 'n1', { ...outside, 'flatpod.dev/ip-reclaim': 'Delete' });
  await b.pass(3000);
  b.removePod('db-0');
  b.addPod('db-0', 'n1', { ...value, 'flatpod.dev/ip-reclaim': 'Delete' });
  await b.pass(30_000);
  assert.equal(b.addressOf('db-0'), '10.20.0.77', b.problemOf('db-0') ?? '');
});

test('an IPClaim that a person made stays before its Pod comes and after one that could not be served, whatever its reclaim', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  b.addClaim('db-0', { pod: 'db-0', reclaim: 'Delete', addresses: ['10.99.0.1'] });
  await b.lead();
  await b.pass(60_000);
  assert.ok(b.claim('db-0'));
  b.addPod('db-0', 'n1', fixed);
  await b.pass(3000);
  assert.match(b.problemOf('db-0') ?? '', /FP246/);
  b.removePod('db-0');
  await b.pass(60_000);
  assert.ok(b.claim('db-0'));
});

test('a Pod waits and nobody speaks for it, neither its agent nor what that wrote, nor the leader before: its IPClaim stays', async () => {
  await using b = clusterBench();
  const agent = b.addNode('n1');
  await b.lead();
  b.addPod('db-0', 'n1', { ...outside, 'flatpod.dev/ip-reclaim': 'Delete' });
  await b.pass(3000);
  const { uid } = b.claim('db-0') ?? {};
  assert.ok(uid);
  agent.dead = true;
  b.kube.remove({ ...resources.nodeNetworks, name: 'n1' });
  await b.lead();
  await b.pass(60_000);
  assert.equal(b.claim('db-0')?.uid, uid);
});
