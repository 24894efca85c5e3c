/** Another machine under the name of a Node that there was before: what is known of the one says nothing of the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudNic, InstanceId } from '../../src/cloud/cloud.ts';
import { failure } from '../../src/errors/failure.ts';
import { parseMac } from '../../src/net/mac.ts';
import { clusterBench, type ClusterBench } from './cluster-bench.ts';
import { type Bench, bench, demand, subnet } from './harness.ts';

const again = 'i-n1-again' as InstanceId;

function firstOf(nics: readonly CloudNic[], instance: InstanceId): CloudNic {
  return nics.find(({ attachment }) => attachment?.instance === instance && attachment.deviceIndex === 0) ?? assert.fail();
}

/** The Node goes, and another machine joins by its name, with two addresses of somebody else on its first interface. */
async function joinAgain(b: ClusterBench): Promise<readonly string[]> {
  b.agents.get('n1')?.stop();
  b.removeNode('n1', 'lives');
  await b.pass(5000);
  b.addNode('n1');
  return b.cloud.assign(firstOf(b.cloud.truth(), again).id, { addresses4: 2 });
}

async function servesOthers(b: ClusterBench, foreign: readonly string[]): Promise<void> {
  const pods = ['p-1', 'p-2', 'p-3', 'p-4'];
  for (const pod of pods) b.addPod(pod, 'n1');
  await b.pass(10_000);
  const addresses = pods.map((pod) => `${b.addressOf(pod) ?? ''}/32`);
  const its = b.cloud.truth().flatMap(({ attachment, blocks }) => (attachment?.instance === again ? blocks : []));
  assert.ok(
    addresses.every((one) => its.some((block) => block === one)),
    `${addresses.join(', ')} of ${its.join(', ')}`,
  );
  assert.deepEqual(
    addresses.filter((one) => foreign.includes(one)),
    [],
  );
}

test('what somebody else has on the first interface of a machine that takes a name over goes to no Pod, now or later', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  b.addPod('x', 'n1');
  await b.pass(20_000);
  assert.ok(b.addressOf('x'));
  b.removePod('x');
  const foreign = await joinAgain(b);
  await b.pass(2000);
  await servesOthers(b, foreign);
  await b.pass(300_000);
  const granted = b.status('n1').nics.flatMap(({ blocks }) => blocks);
  assert.deepEqual(
    granted.filter((block) => foreign.includes(block)),
    [],
  );
});

test('nor is the other machine planned for from what was read of the first while calls are paused: the pause was the first one’s', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  b.addPod('x', 'n1');
  await b.pass(20_000);
  b.cloud.fault = ({ changing }) =>
    changing ? failure('cloudUnavailable', { cloud: 'memory', call: 'any', endpoint: 'memory', text: 'away' }) : 'none';
  for (let i = 0; i < 8; i++) b.addPod(`y-${i}`, 'n1');
  await b.pass(60_000);
  for (let i = 0; i < 8; i++) b.removePod(`y-${i}`);
  b.removePod('x');
  b.cloud.fault = () => 'none';
  const foreign = await joinAgain(b);
  await b.pass(2000);
  await servesOthers(b, foreign);
});

test('interfaces made for the other machine have the security groups of its own first interface from the start', async () => {
  const one = bench();
  const { running, second } = await replaced(one);
  await demand(one.networks, second, { waiting: 12 });
  await one.clock.advance(5000);
  const made = one.cloud.truth().filter(({ attachment }) => attachment?.instance === second && attachment.deviceIndex > 0);
  assert.ok(made.length > 0);
  assert.deepEqual(new Set(made.flatMap(({ securityGroups }) => securityGroups)), new Set(['sg-node']));
  await running.stop();
});

test('an interface that was just made for the first machine is plugged into the other, however late reads show it', async () => {
  const one = bench();
  const running = await served(one);
  const in_ = one.cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const [first, second] = [one.cloud.launch('i-1', in_, limits), one.cloud.launch('i-2', in_, limits)];
  await one.clock.advance(1000);
  one.cloud.fault = ({ name }) => (name === 'attachNic' ? failure('cloudLimit', { cloud: 'memory', call: name, text: 'not now' }) : 'none');
  await demand(one.networks, first, { waiting: 12 });
  await one.clock.advance(2000);
  const [made, ...more] = one.cloud.truth().filter(({ attachment }) => attachment === undefined);
  assert.ok(made !== undefined && more.length === 0);
  one.cloud.fault = () => 'none';
  // As both machines were before it was made.
  one.cloud.stale_ms = 2500;
  await one.networks.writeStatus('n1', blank);
  await demand(one.networks, second, { waiting: 12 });
  await one.clock.advance(10_000);
  assert.equal(one.cloud.truth().find(({ id }) => id === made.id)?.attachment?.instance, second);
  assert.equal(one.changes().filter((name) => name === 'createNic').length, 1);
  await running.stop();
});

test('an interface that was plugged into the first machine a moment ago, and is gone with it, is granted to nobody any more', async () => {
  const one = bench();
  const running = await served(one);
  const in_ = one.cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const [first, second] = [one.cloud.launch('i-1', in_, limits), one.cloud.launch('i-2', in_, limits)];
  await one.clock.advance(1000);
  await demand(one.networks, first, { waiting: 12 });
  await one.clock.advance(5000);
  const went = one.cloud.truth().filter(({ attachment }) => attachment?.instance === first && attachment.deviceIndex > 0);
  assert.ok(went.length > 0);
  // As clouds do with what is to go with its instance.
  one.cloud.terminate(first);
  for (const { id } of went) await one.cloud.deleteNic(id);
  const told = new Set<string>();
  one.networks.watch(({ status }) => status.nics.forEach(({ id }) => told.add(id)));
  await one.networks.writeStatus('n1', blank);
  told.clear();
  await demand(one.networks, second, { waiting: 12 });
  await one.clock.advance(10_000);
  assert.deepEqual(
    went.filter(({ id }) => told.has(id)),
    [],
  );
  assert.ok(one.cloud.truth().some(({ attachment }) => attachment?.instance === second && attachment.deviceIndex > 0));
  await running.stop();
});

test('what was seen of a machine is not told to another that took its name while the cloud was asked', async () => {
  const one = bench();
  const running = await served(one);
  const in_ = one.cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const [first, second] = [one.cloud.launch('i-1', in_, limits), one.cloud.launch('i-2', in_, limits)];
  const told = new Set<string>();
  one.cloud.fault = ({ name }) => {
    if (name !== 'subnets') return 'none';
    one.cloud.fault = () => 'none';
    void demand(one.networks, second, { waiting: 1 });
    one.networks.watch(({ status }) => status.nics.forEach(({ id }) => told.add(id)));
    return 'none';
  };
  await demand(one.networks, first, { waiting: 1 });
  await one.clock.advance(5000);
  assert.deepEqual([...told], [firstOf(one.cloud.truth(), second).id]);
  await running.stop();
});

test('nor is it told that calls are paused in the words that were said of the first', async () => {
  const one = bench();
  const { running, second } = await replaced(one);
  await running.stop();
  const other = firstOf(one.cloud.truth(), second).id;
  await one.networks.writeStatus('n1', { ...blank, nics: [{ ...granted, id: firstOf(one.cloud.truth(), 'i-1' as InstanceId).id }] });
  const told = new Set<string>();
  one.cloud.fault = ({ name }) => {
    if (name !== 'instance') return 'none';
    one.cloud.fault = () => 'none';
    void one.networks.writeStatus('n1', blank).then(() => demand(one.networks, second, { waiting: 1 }));
    void one.networks.watch(({ status }) => status.nics.forEach(({ id }) => told.add(id)));
    return failure('cloudUnavailable', { cloud: 'memory', call: name, endpoint: 'memory', text: 'away' });
  };
  const next = await one.controller();
  await one.clock.advance(60_000);
  assert.deepEqual([...told], [other]);
  await next.stop();
});

const limits = { nics: 4, addressSlotsPerNic: 8 };
const granted = { mac: parseMac('02:00:00:00:00:01'), subnet: 'pods', deviceIndex: 0, mtu: 1500, blocks: [], reclaiming: [] };
const blank = { vpcCidrs: [], nics: [], growth: [] };

async function served(one: Bench) {
  one.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 0 } })];
  return one.controller();
}

/** A node that was served is another machine now; a status about another instance counts as none. */
async function replaced(one: Bench) {
  const running = await served(one);
  const in_ = one.cloud.addSubnet('subnet-a', '10.20.0.0/24');
  await demand(one.networks, one.cloud.launch('i-1', in_, limits), { waiting: 1 });
  await one.clock.advance(20_000);
  const second = one.cloud.launch('i-2', in_, limits);
  await one.networks.writeStatus('n1', blank);
  return { running, second };
}
