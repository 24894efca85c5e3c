/** A claim's Pod that several PodSubnets may serve: in which order they are tried, and what is said when none helps. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { type ClusterBench, clusterBench } from './cluster-bench.ts';
import { subnet } from './harness.ts';

const fixed = { 'flatpod.dev/ip': 'fixed' };

/** Three PodSubnets, tried in the order a, b, c. Subnet b is in another zone, c is large. */
async function benchFor(t: TestContext, first = '10.21.0.0/28', limits = {}): Promise<ClusterBench> {
  const b = clusterBench();
  t.after(() => b[Symbol.asyncDispose]());
  b.cloud.addSubnet('small', first);
  b.cloud.addSubnet('far', '10.22.0.0/24', { zone: 'b' });
  const common = { default: true, warm: { spare: 0 } };
  b.subnets = [
    subnet('a', { ...common, cloudSubnet: 'small', priority: 3 }),
    subnet('b', { ...common, cloudSubnet: 'far', priority: 2 }),
    subnet('c', { ...common, cloudSubnet: 'subnet-a', priority: 1 }),
  ];
  b.addNode('n1', 'subnet-a', limits);
  await b.lead();
  return b;
}

test('the first PodSubnet is full and the second in another zone: the third serves the Pod, and the address stays of that', async (t) => {
  const b = await benchFor(t, '10.21.0.0/29');
  for (const name of ['db-0', 'db-1', 'db-2']) {
    b.addPod(name, 'n1', fixed);
    await b.pass(5000);
  }
  const subnets = ['db-0', 'db-1', 'db-2'].map((name) => b.claim(name)?.status.addresses[0]?.subnet);
  assert.deepEqual(subnets, ['a', 'a', 'c'], 'a has two addresses beside that of the interface');
  const address = b.addressOf('db-2');
  b.removePod('db-2');
  await b.pass(1000);
  b.addPod('db-2', 'n1', fixed);
  await b.pass(5000);
  assert.equal(b.addressOf('db-2'), address);
});

test('more Pods at once than the first PodSubnet has addresses for: some get those, the others are served by the next', async (t) => {
  const b = await benchFor(t, '10.21.0.0/28');
  const names = Array.from({ length: 16 }, (_, i) => `db-${i}`);
  for (const name of names) b.addPod(name, 'n1', fixed);
  await b.pass(30_000);
  const subnets = names.map((name) => b.claim(name)?.status.addresses[0]?.subnet);
  assert.ok(!subnets.includes(undefined) && subnets.includes('a') && subnets.includes('c'), subnets.join(' '));
});

test('when none has an address, all are named with their reasons, in order; what is free later is found', async (t) => {
  const b = await benchFor(t, '10.21.0.0/28', { nics: 1, addressSlotsPerNic: 2 });
  b.addPod('db-0', 'n1', fixed);
  await b.pass(3000);
  assert.ok(b.addressOf('db-0'));
  b.addPod('db-1', 'n1', fixed);
  await b.pass(20_000);
  const why = b.problemOf('db-1') ?? '';
  assert.match(
    why,
    /^no PodSubnet has an address of its own for Pod shop\/db-1 \(FP250\): a: instance type t\.test is full: .*; b: it is in zone b, and this node in a; c: instance type t\.test is full: 1 of 1 interfaces attached, 2 address slots each/,
  );
  assert.match(b.claim('db-1')?.status.conditions[0]?.message ?? '', /^Pod db-1: no PodSubnet has an address/);
  b.removePod('db-0');
  b.kube.remove({ group: 'flatpod.dev', version: 'v1alpha1', resource: 'ipclaims', namespace: 'shop', name: 'db-0' });
  await b.pass(120_000);
  assert.ok(b.addressOf('db-1'), b.problemOf('db-1') ?? '');
});

test('an address by value is looked for in the PodSubnet that it lies in', async (t) => {
  const b = await benchFor(t);
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': '10.20.0.77' });
  b.addPod('db-1', 'n1', { 'flatpod.dev/ip': '10.22.0.77' });
  await b.pass(5000);
  assert.equal(b.addressOf('db-0'), '10.20.0.77');
  assert.match(b.problemOf('db-1') ?? '', /\(FP250\): a: .*lies outside.*; b: it is in zone b.*; c: .*lies outside/);
});

test('a claim that names its PodSubnet is tried there alone', async (t) => {
  const b = await benchFor(t);
  b.addClaim('db-0', { pod: 'db-0', subnet: 'b' });
  b.addClaim('db-1', { pod: 'db-1', subnet: 'c' });
  b.addPod('db-0', 'n1', fixed);
  b.addPod('db-1', 'n1', fixed);
  await b.pass(5000);
  assert.match(b.problemOf('db-0') ?? '', /\(FP250\): b: it is in zone b, and this node in a; put right/);
  assert.equal(b.claim('db-1')?.status.addresses[0]?.subnet, 'c');
});

test('the ceiling of a PodSubnet for all nodes together is told as the reason', async (t) => {
  const b = await benchFor(t);
  b.subnets = [
    subnet('c', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 0 }, perNode: { maximum: 2 }, perCluster: { maximum: 2 } }),
  ];
  await b.lead();
  for (const name of ['db-0', 'db-1', 'db-2']) b.addPod(name, 'n1', fixed);
  await b.pass(20_000);
  const waiting = ['db-0', 'db-1', 'db-2'].filter((name) => b.addressOf(name) === undefined);
  assert.equal(waiting.length, 1);
  assert.match(b.problemOf(waiting[0] ?? '') ?? '', /all nodes together hold 2 of at most 2 addresses of c/);
});

test('a Pod that no PodSubnet serves, and one that is not on the node whose agent asks for it, are told so', async (t) => {
  const b = await benchFor(t);
  b.subnets = [subnet('c', { cloudSubnet: 'subnet-a', namespaces: ['other'] })];
  b.addPod('db-0', 'n1', fixed);
  await b.pass(5000);
  assert.match(b.problemOf('db-0') ?? '', /\(FP250\): none that this node may use serves it/);
  const asked = { namespace: 'shop', pod: 'db-0', uid: 'another', subnets: ['c'] };
  b.agents.get('n1')?.stop();
  b.kube.put(resources.nodeNetworks, { metadata: { name: 'n1' }, spec: { claims: [asked] } });
  await b.pass(5000);
  const [answer] = b.status('n1').claims ?? [];
  assert.match(answer?.problem ?? '', /^the API server knows no Pod shop\/db-0 with uid another on node n1 \(FP251\)/);
});
