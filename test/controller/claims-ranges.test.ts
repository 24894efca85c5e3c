/** IPClaims whose addresses are of a range without a cloud. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type ClusterBench, clusterBench } from './cluster-bench.ts';
import { subnet } from './harness.ts';

const fixed = { 'flatpod.dev/ip': 'fixed' };

async function benchFor(t: TestContext, spec: Record<string, unknown> = {}): Promise<ClusterBench> {
  const b = clusterBench();
  t.after(() => b[Symbol.asyncDispose]());
  const range = { parent: 'eth1', ipv4: { cidr: '10.9.0.0/26', first: '10.9.0.10', gateway: '10.9.0.1' } };
  b.subnets = [subnet('office', { range, datapath: 'macvlan', default: true, warm: { spare: 1 }, ...spec })];
  b.addNode('n1');
  b.addNode('n2');
  await b.lead();
  return b;
}

test('a Pod with an address of its own has the same again on another node, and nobody else had it meanwhile', async (t) => {
  const b = await benchFor(t);
  b.addPod('db-0', 'n1', fixed);
  await b.pass(2000);
  const address = b.addressOf('db-0');
  assert.match(address ?? '', /^10\.9\.0\./);
  b.removePod('db-0');
  for (let i = 0; i < 60; i++) b.addPod(`p-${i}`, i % 2 === 0 ? 'n1' : 'n2');
  await b.pass(5000);
  assert.ok(!Array.from({ length: 60 }, (_, i) => b.addressOf(`p-${i}`)).includes(address));
  b.addPod('db-0', 'n2', fixed);
  await b.pass(5000);
  assert.equal(b.addressOf('db-0'), address, b.problemOf('db-0') ?? '');
});

test('an address asked for by value is had, also from among those that a node keeps ready', async (t) => {
  const b = await benchFor(t, { warm: { spare: 4 } });
  await b.pass(1000);
  b.addPod('val-0', 'n2', { 'flatpod.dev/ip': '10.9.0.17' });
  await b.pass(10_000);
  assert.equal(b.addressOf('val-0'), '10.9.0.17', b.problemOf('val-0') ?? '');
});

test('what the range does not give is told, with its ends', async (t) => {
  const b = await benchFor(t);
  b.addPod('val-0', 'n1', { 'flatpod.dev/ip': '10.9.0.5' });
  await b.pass(2000);
  assert.match(b.problemOf('val-0') ?? '', /PodSubnet office gives 10\.9\.0\.10 to .* alone/);
});

test('an IPv6 address of a range cannot be kept, and the Pod is told so', async (t) => {
  const b = await benchFor(t, { families: [6], range: { parent: 'eth1', ipv6: { cidr: 'fd00::/64' } } });
  b.addPod('db-0', 'n1', fixed);
  b.addPod('p-1', 'n1');
  await b.pass(2000);
  assert.match(b.problemOf('db-0') ?? '', /nodes have IPv6 addresses of PodSubnet office by the \/80/);
  assert.ok(b.addressOf('p-1') !== undefined);
});
