/** Claims where nothing is given back to the cloud, spec.cloud.releases being false: nothing is asked of a node that would be taken by nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '../../src/errors/failure.ts';
import type { Ip } from '../../src/net/address.ts';
import type { Cidr } from '../../src/net/cidr.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { readNodeNetwork } from '../../src/store/kubernetes/stored-node-network.ts';
import { clusterBench, type ClusterBench } from './cluster-bench.ts';
import { subnet } from './harness.ts';

const fixed = { 'flatpod.dev/ip': 'fixed' };

function asked(b: ClusterBench, node: string): Cidr[] {
  return b.status(node).nics.flatMap(({ reclaiming }) => reclaiming);
}

function returned(b: ClusterBench, node: string): readonly Cidr[] {
  return readNodeNetwork(b.kube.stored({ ...resources.nodeNetworks, name: node })).spec?.returned ?? [];
}

async function served(b: ClusterBench, pods: readonly string[]): Promise<void> {
  for (const node of ['n1', 'n2']) b.addNode(node);
  await b.lead();
  for (const pod of pods) b.addPod(pod, 'n2');
  await b.pass(3000);
}

function spareOf(b: ClusterBench, pods: readonly string[]): Ip {
  const used = pods.map((pod) => b.addressOf(pod));
  const all = b.status('n2').nics.flatMap(({ blocks }) => blocks.map((block) => block.replace('/32', '') as Ip));
  return all.find((ip) => !used.includes(ip)) ?? assert.fail();
}

test('a free address that a claim asks for stays with its node, which gives it to a Pod of its own, and the Pod that asks is told of the switch', async () => {
  await using b = clusterBench();
  b.releases = false;
  const pods = ['p-1', 'p-2'];
  await served(b, pods);
  const spare = spareOf(b, pods);
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': spare });
  await b.pass(30_000);
  const said = `${spare} is one of the free addresses of node n2 (FP254): node n2 keeps ${spare}/32, as nothing is given back while spec.cloud.releases`;
  assert.equal(b.problemOf('db-0')?.slice(0, said.length), said);
  assert.deepEqual([asked(b, 'n2'), returned(b, 'n2')], [[], []]);
  for (const block of b.status('n2').nics.flatMap(({ blocks }) => blocks)) b.addPod(`for-${block.replace(/\W/g, '-')}`, 'n2');
  await b.pass(3000);
  assert.ok(
    [...(b.agents.get('n2')?.attached.values() ?? [])].some(({ addresses }) => addresses.includes(spare)),
    'a Pod has it',
  );
});

test('nor is a prefix asked back for the sake of one address in it', async () => {
  await using b = clusterBench();
  b.releases = false;
  b.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, unit: 'prefix', warm: { spare: 1 } })];
  await served(b, ['p-1']);
  const [block] = b.status('n2').nics.flatMap(({ blocks }) => blocks);
  assert.ok(block !== undefined && block.endsWith('/28'));
  b.removePod('p-1');
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': block.replace(/\d+\/28$/, (tail) => String(Number.parseInt(tail, 10) + 9)) });
  await b.pass(30_000);
  assert.match(b.problemOf('db-0') ?? '', /FP254/);
  assert.deepEqual([asked(b, 'n2'), returned(b, 'n2')], [[], []]);
});

test('a claim’s address stays on its node when its Pod comes to another, which is told so, and serves the Pod again when it comes back', async () => {
  await using b = clusterBench();
  b.releases = false;
  await served(b, []);
  b.addPod('db-0', 'n2', fixed);
  await b.pass(3000);
  const address = b.addressOf('db-0');
  assert.ok(address);
  b.removePod('db-0');
  b.addPod('db-0', 'n1', fixed);
  await b.pass(60_000);
  assert.equal(b.problemOf('db-0'), `${address} is on node n2 still, and stays there while spec.cloud.releases of the controller is false`);
  assert.deepEqual([asked(b, 'n2'), returned(b, 'n2')], [[], []]);
  assert.ok(
    b.status('n2').nics.some(({ claimed }) => claimed?.includes(`${address}/32` as Cidr)),
    'no ordinary Pod gets it',
  );
  b.removePod('db-0');
  b.addPod('db-0', 'n2', fixed);
  await b.pass(10_000);
  assert.equal(b.addressOf('db-0'), address);
});

test('what was asked back before the switch was set and is in use is asked no more; what was given back by then stays so until it is sure that nobody takes it', async () => {
  await using b = clusterBench();
  const pods = ['p-1', 'p-2'];
  await served(b, pods);
  const [used, spare] = [b.addressOf('p-1'), spareOf(b, pods)];
  b.cloud.fault = ({ name }) => (name === 'unassign' ? 'dieBefore' : 'none');
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': used ?? '' });
  b.addPod('db-1', 'n1', { 'flatpod.dev/ip': spare });
  await b.pass(5000);
  assert.deepEqual(new Set(asked(b, 'n2')), new Set([`${used}/32`, `${spare}/32`]));
  assert.deepEqual(returned(b, 'n2'), [`${spare}/32`]);
  b.cloud.fault = () => 'none';
  b.releases = false;
  await b.lead();
  await b.pass(30_000);
  assert.deepEqual([asked(b, 'n2'), returned(b, 'n2')], [[`${spare}/32`], [`${spare}/32`]], 'a call of the leader before may be under way');
  b.removePod('p-1');
  await b.pass(60_000);
  assert.deepEqual([asked(b, 'n2'), returned(b, 'n2')], [[], []]);
  assert.ok(b.status('n2').nics.some(({ blocks }) => blocks.includes(`${spare}/32` as Cidr)));
  b.releases = true;
  await b.lead();
  await b.pass(60_000);
  assert.deepEqual([b.addressOf('db-0'), b.addressOf('db-1')], [used, spare]);
});

test('an address given back for another node when the switch is set serves its Pod again when that comes back to the node', async () => {
  await using b = clusterBench();
  const address = await halfway(b);
  b.releases = false;
  await b.lead();
  b.removePod('db-0');
  b.addPod('db-0', 'n1', fixed);
  await b.pass(70_000);
  assert.deepEqual([b.addressOf('db-0'), returned(b, 'n1')], [address, []]);
  assert.equal(b.claim('db-0')?.status.addresses[0]?.node, 'n1');
});

test('addresses of ordinary Pods that were given back when the switch is set are for Pods of the node again', async () => {
  await using b = clusterBench();
  const pods = Array.from({ length: 6 }, (_, i) => `p-${i}`);
  await served(b, pods);
  b.cloud.fault = ({ name }) => (name === 'unassign' ? 'dieBefore' : 'none');
  for (const pod of pods) b.removePod(pod);
  await b.pass(60_000);
  const before = returned(b, 'n2');
  assert.ok(before.length > 0);
  b.cloud.fault = () => 'none';
  b.releases = false;
  await b.lead();
  await b.pass(70_000);
  assert.deepEqual([asked(b, 'n2'), returned(b, 'n2')], [[], []]);
  const blocks = b.status('n2').nics.flatMap((nic) => nic.blocks);
  assert.deepEqual(
    before.filter((block) => !blocks.includes(block)),
    [],
  );
});

test('the switch may be set and set back at any moment of that: the address is on one node, and in the end its Pod’s', async () => {
  for (const after_ms of [0, 30_000, 60_000, 60_005, 60_050, 61_000, 70_000]) {
    await using b = clusterBench();
    const address = await halfway(b);
    b.releases = false;
    await b.lead();
    await b.pass(after_ms);
    b.releases = true;
    await b.lead();
    await b.pass(30_000);
    assert.equal(b.addressOf('db-0'), address, `after ${after_ms} ms`);
    const holders = b.cloud.truth().filter(({ blocks }) => blocks.includes(`${address}/32` as Cidr));
    assert.deepEqual(
      holders.map(({ attachment }) => attachment?.instance),
      [b.instanceOf('n2')],
    );
  }
});

test('an unassign of the leader before that comes late is seen: the address is not the node’s again, and goes where its Pod is', async () => {
  await using b = clusterBench();
  const address = await halfway(b);
  b.releases = false;
  await b.lead();
  await b.pass(20_000);
  const [holder] = b.cloud.truth().filter(({ blocks }) => blocks.includes(`${address}/32` as Cidr));
  assert.ok(holder);
  await b.cloud.unassign(holder.id, [`${address}/32` as Cidr]);
  await b.pass(120_000);
  assert.deepEqual([b.addressOf('db-0'), returned(b, 'n1')], [address, []]);
  assert.equal(b.claim('db-0')?.status.addresses[0]?.node, 'n2');
});

/** The Pod db-0 came from n1 to n2; n1 has returned its address, and it cannot be unassigned. */
async function halfway(b: ClusterBench): Promise<Ip> {
  await served(b, []);
  b.addPod('db-0', 'n1', fixed);
  await b.pass(20_000);
  const address = b.addressOf('db-0') ?? assert.fail();
  b.removePod('db-0');
  await b.pass(1000);
  b.cloud.fault = ({ name }) => (name === 'unassign' ? failure('cloudDenied', { cloud: 'memory', call: name, text: 'may not' }) : 'none');
  b.addPod('db-0', 'n2', fixed);
  await b.pass(8000);
  assert.deepEqual(returned(b, 'n1'), [`${address}/32`]);
  b.cloud.fault = () => 'none';
  return address;
}
