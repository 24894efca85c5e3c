/** Addresses that a claim asks for and that somebody else has: who it is, and what becomes of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostCidr } from '../../src/net/cidr.ts';
import type { Ip } from '../../src/net/address.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { clusterBench } from './cluster-bench.ts';
import { subnet } from './harness.ts';

const fixed = { 'flatpod.dev/ip': 'fixed' };

test('an address that an ordinary Pod uses: the claim says whose it is, waits, and has it when that Pod ends', async () => {
  await using b = clusterBench();
  for (const node of ['n1', 'n2']) b.addNode(node);
  await b.lead();
  for (const name of ['p-1', 'p-2', 'p-3']) b.addPod(name, 'n1');
  await b.pass(3000);
  const address = b.addressOf('p-2') as Ip;
  b.addPod('db-0', 'n2', { 'flatpod.dev/ip': address });
  await b.pass(20_000);
  const said = new RegExp(`^${address} is used by Pod shop/p-2 on node n1 \\(FP245\\): node n1 was asked to give ${address}/32 back`);
  assert.match(b.problemOf('db-0') ?? '', said);
  assert.match(b.claim('db-0')?.status.conditions[0]?.message ?? '', new RegExp(`^Pod db-0: ${address} is used by Pod shop/p-2`));
  assert.equal(b.addressOf('p-2'), address, 'nothing is taken from who has it');
  b.removePod('p-2');
  await b.pass(20_000);
  assert.equal(b.addressOf('db-0'), address);
  assert.deepEqual(
    b.claim('db-0')?.status.conditions.map(({ status, reason, message }) => [status, reason, message]),
    [['True', 'Served', '1 address is kept, and no Pod waits for one']],
  );
});

for (const at of ['n1', 'n2']) {
  test(`a free address of a node’s pool is given up for a claim: to a Pod on ${at === 'n1' ? 'the same' : 'another'} node`, async () => {
    await using b = clusterBench();
    for (const node of ['n1', 'n2']) b.addNode(node);
    await b.lead();
    b.addPod('p-1', 'n1');
    await b.pass(3000);
    const used = b.addressOf('p-1');
    const spare = b
      .status('n1')
      .nics.flatMap(({ blocks }) => blocks.map((block) => block.replace('/32', '')))
      .find((ip) => ip !== used);
    assert.ok(spare);
    b.addPod('db-0', at, { 'flatpod.dev/ip': spare });
    await b.pass(20_000);
    assert.equal(b.addressOf('db-0'), spare);
  });
}

test('the claim of another namespace is named, with its Pod and node', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  const at = { ...resources.ipClaims, namespace: 'bank' };
  const since = '2026-01-01T00:00:00.000Z';
  const held = { address: '10.20.0.77', subnet: 'pods', node: 'n9', pod: 'vault-0', podUid: 'u-vault', phase: 'Bound', since };
  b.kube.put(resources.nodes, { metadata: { name: 'n9' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } });
  b.kube.put(at, { metadata: { name: 'vault' }, spec: { pod: 'vault-0' }, status: { addresses: [held] } });
  b.kube.put({ ...resources.pods, namespace: 'bank' }, { metadata: { name: 'vault-0', uid: 'u-vault' }, spec: { nodeName: 'n9' } });
  await b.lead();
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': '10.20.0.77' });
  await b.pass(3000);
  assert.match(b.problemOf('db-0') ?? '', /^10\.20\.0\.77 belongs to IPClaim bank\/vault already, for Pod bank\/vault-0 on n9 \(FP244\)/);
});

test('an address of a /28 that Pods of a node use: the claim names the block and waits until all of it is free', async () => {
  await using b = clusterBench();
  b.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, unit: 'prefix', warm: { spare: 1 } })];
  for (const node of ['n1', 'n2']) b.addNode(node);
  await b.lead();
  b.addPod('p-1', 'n1');
  await b.pass(3000);
  const [block] = b.status('n1').nics.flatMap(({ blocks }) => blocks);
  assert.ok(block !== undefined && block.endsWith('/28'));
  const address = block.replace(/\d+\/28$/, (tail) => String(Number.parseInt(tail, 10) + 9));
  b.addPod('db-0', 'n2', { 'flatpod.dev/ip': address });
  await b.pass(20_000);
  assert.match(b.problemOf('db-0') ?? '', new RegExp(`^${address} lies in ${block}, which node n1 has for its Pods \\(FP245\\)`));
  b.removePod('p-1');
  await b.pass(60_000);
  assert.equal(b.addressOf('db-0'), address);
});

test('in a PodSubnet of prefixes a claim’s address is a single one, moves like any other, and stays when no Pod has it', async () => {
  await using b = clusterBench();
  b.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, unit: 'prefix', warm: { spare: 1 } })];
  for (const node of ['n1', 'n2']) b.addNode(node);
  await b.lead();
  b.addPod('p-1', 'n1');
  b.addPod('db-0', 'n1', fixed);
  await b.pass(3000);
  const address = b.addressOf('db-0') as Ip;
  const blocks = () => b.cloud.truth().flatMap((nic) => nic.blocks);
  assert.ok(blocks().includes(hostCidr(address)));
  b.removePod('db-0');
  await b.pass(200_000);
  assert.ok(blocks().includes(hostCidr(address)), 'kept');
  b.addPod('db-0', 'n2', fixed);
  await b.pass(5000);
  assert.equal(b.addressOf('db-0'), address);
});

test('a prefix that the cloud gives with a kept address in it is no Pod’s: it goes back, and another is asked for', async () => {
  await using b = clusterBench();
  b.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, unit: 'prefix', warm: { spare: 1 } })];
  // On no node: its last one is gone for good.
  b.addClaim('db-0', { pod: 'db-0' });
  const since = '2026-01-01T00:00:00.000Z';
  const held = { address: '10.20.0.21', subnet: 'pods', pod: 'db-0', phase: 'Reserved', since };
  b.kube.put({ ...resources.ipClaims, namespace: 'shop' }, { metadata: { name: 'db-0' }, status: { addresses: [held] } });
  b.addNode('n1');
  await b.lead();
  for (let i = 0; i < 20; i++) b.addPod(`p-${i}`, 'n1');
  await b.pass(30_000);
  for (let i = 0; i < 20; i++) assert.notEqual(b.addressOf(`p-${i}`), undefined);
  const has = (block: string): boolean => b.status('n1').nics.some(({ blocks }) => blocks.some((one) => one === block));
  assert.ok(!has('10.20.0.16/28'));
  assert.ok(!b.cloud.truth().some(({ blocks }) => blocks.some((block) => block === '10.20.0.16/28')), 'it went back');
  b.addPod('db-0', 'n1', fixed);
  await b.pass(5000);
  assert.equal(b.addressOf('db-0'), '10.20.0.21');
});

test('the cloud chooses for one claim what another one on the same interface is about to get by value: one has it, the other is told who', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  await b.pass(3000);
  const used = b.cloud.truth().flatMap(({ blocks, primary4 }) => [...blocks, `${primary4}/32`]);
  let next = 4;
  while (used.includes(`10.20.0.${next}/32`)) next++;
  b.addPod('any', 'n1', fixed);
  b.addPod('value', 'n1', { 'flatpod.dev/ip': `10.20.0.${next}` });
  // The one by value is refused once, so that the cloud chooses first.
  let calls = 0;
  b.cloud.fault = ({ name }) => (name === 'assign' && calls++ === 0 ? 'loseRequest' : 'none');
  await b.pass(30_000);
  const held = ['any', 'value'].flatMap((name) => b.claim(name)?.status.addresses.map(({ address }) => address) ?? []);
  assert.equal(new Set(held).size, held.length);
  const served = ['any', 'value'].filter((name) => b.addressOf(name) !== undefined);
  if (!served.includes('value')) assert.match(b.problemOf('value') ?? '', /belongs to IPClaim shop\/any already/);
  assert.ok(served.includes('any'));
});

for (const at of ['n1', 'n2']) {
  test(`a /80 that goes back for an address in it is not given to the same node again before ${at === 'n1' ? 'its own Pod' : 'a Pod elsewhere'} has the address`, async () => {
    await using b = clusterBench({ cidr6: '2001:db8:0:20::/64' });
    b.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, families: [6], warm: { spare: 1 } })];
    for (const node of ['n1', 'n2']) b.addNode(node);
    await b.lead();
    await b.pass(3000);
    const prefix = b
      .status('n1')
      .nics.flatMap(({ blocks }) => blocks)
      .find((block) => block.endsWith('/80'));
    assert.ok(prefix);
    const address = prefix.replace('::/80', '::9');
    b.cloud.calls.length = 0;
    b.addPod('db-0', at, { 'flatpod.dev/ip': address });
    await b.pass(20_000);
    assert.equal(b.addressOf('db-0'), address, b.problemOf('db-0') ?? '');
    const assigns = b.cloud.calls.filter(({ name }) => name === 'assign').length;
    assert.ok(assigns <= 4, `${assigns} calls: the cloud gives the lowest that is free, again and again`);
    const held = (node: string): boolean => b.status(node).nics.some(({ blocks }) => blocks.some((block) => block.endsWith('/80')));
    assert.ok(held('n1') && held('n2'), 'the pool has another');
  });
}
