/** Giving back: by handshake, never what is in use, whatever the agent says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutReleases } from '../../src/cloud/limits/changes.ts';
import type { Cidr } from '../../src/net/cidr.ts';
import { carries } from '../cloud/memory-cloud.ts';
import { agent, bench, demand, subnet } from './harness.ts';

const config = subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 1 } });

test('a node whose Pods have gone gives its addresses and its further NICs back, and keeps the first', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({ subnets: () => [config] });
  const node = await agent(networks, instance, config);
  await node.want(7);
  await clock.advance(5000);
  assert.equal(node.leases.length, 7);
  assert.equal(cloud.truth().length, 3);
  await node.want(0);
  await clock.advance(30_000);
  assert.ok(!changes().includes('detachNic'), 'a NIC younger than a minute stays');
  await clock.advance(300_000);
  assert.equal(cloud.truth().length, 1);
  const { nics } = await status();
  assert.equal(nics.length, 1);
  // Between spare and twice spare nothing moves.
  assert.equal(nics[0]?.blocks.length, 2);
  assert.deepEqual(cloud.truth()[0]?.blocks.toSorted(), nics[0]?.blocks.toSorted());
  node.stop();
  await running.stop();
});

test('with releases switched off a node keeps all that it has, is asked for none of it, and still grows', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({ subnets: () => [config], cloud: withoutReleases(cloud), releases: false });
  const node = await agent(networks, instance, config);
  await node.want(3);
  await clock.advance(5000);
  await node.want(0);
  await clock.advance(1_800_000);
  assert.deepEqual(
    (await status()).nics.flatMap(({ reclaiming }) => reclaiming),
    [],
  );
  await node.want(7);
  await clock.advance(5000);
  assert.equal(node.leases.length, 7);
  assert.deepEqual(new Set(changes()), new Set(['assign', 'createNic', 'attachNic']));
  node.stop();
  await running.stop();
});

test('nothing in use is unassigned while Pods come and go', async () => {
  const { clock, cloud, networks, controller } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({ subnets: () => [config] });
  const node = await agent(networks, instance, config);
  for (let i = 0; i < 60; i++) {
    await node.want((i * 7) % 9);
    for (let step = 0; step < 20; step++) {
      await clock.advance(700);
      for (const ip of node.leases.flatMap(({ addresses }) => addresses))
        assert.ok(carries(cloud.truth(), instance, ip), `${ip} was taken away`);
    }
  }
  node.stop();
  await running.stop();
});

test('what an agent returns without being asked, and must be in use by its own numbers, is left alone', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 20 });
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 6 });
  await clock.advance(1000);
  const blocks = (await status()).nics[0]?.blocks ?? [];
  assert.equal(blocks.length, 7);
  await demand(networks, instance, { inUse: 6 }, { returned: blocks });
  await clock.advance(600_000);
  assert.deepEqual(changes(), ['assign']);
  assert.equal((await status()).nics[0]?.blocks.length, 7);
  await running.stop();
});

test('an agent that returns more than its own numbers allow is not believed', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 20 });
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 9 });
  await clock.advance(1000);
  await demand(networks, instance, { inUse: 2 });
  await clock.advance(1000);
  const { reclaiming = [] } = (await status()).nics[0] ?? {};
  assert.equal(reclaiming.length, 6);
  await demand(networks, instance, { inUse: 9 }, { returned: reclaiming });
  await clock.advance(10_000);
  assert.ok(!changes().includes('unassign'));
  await running.stop();
});

test('a block given back and assigned anew is granted only after the agent has dropped its old promise', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 20 });
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 5 });
  await clock.advance(1000);
  await demand(networks, instance, { inUse: 0 });
  await clock.advance(1000);
  const returned = (await status()).nics[0]?.reclaiming ?? [];
  assert.equal(returned.length, 4);
  await demand(networks, instance, { inUse: 0 }, { returned });
  await clock.advance(1000);
  assert.equal((await status()).nics[0]?.blocks.length, 2);
  // The cloud hands out the lowest free address: the same ones again.
  await demand(networks, instance, { inUse: 2, waiting: 3 }, { returned });
  await clock.advance(1000);
  const granted = (await status()).nics[0]?.blocks ?? [];
  assert.deepEqual(
    granted.filter((block) => returned.includes(block)),
    [],
  );
  await demand(networks, instance, { inUse: 2, waiting: 3 });
  await clock.advance(1000);
  const now = (await status()).nics[0];
  assert.ok(returned.every((block) => now?.blocks.includes(block)));
  assert.deepEqual(now?.reclaiming, []);
  await running.stop();
});

test('a block given back, and assigned anew by a call whose answer was lost, is known of as soon as reads are believed again', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 20 });
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 5 });
  await clock.advance(1000);
  await demand(networks, instance, { inUse: 0 });
  await clock.advance(1000);
  const returned = (await status()).nics[0]?.reclaiming ?? [];
  await demand(networks, instance, { inUse: 0 }, { returned });
  await clock.advance(1000);
  await demand(networks, instance, { inUse: 0 });
  await clock.advance(1000);
  cloud.fault = ({ name }) => (name === 'assign' ? 'loseAnswer' : 'none');
  await demand(networks, instance, { inUse: 2, waiting: 1 });
  await clock.advance(5000);
  cloud.fault = () => 'none';
  await clock.advance(70_000);
  assert.deepEqual((await status()).nics[0]?.blocks.toSorted(), cloud.truth()[0]?.blocks.toSorted(), 'node and cloud agree');
  await running.stop();
});

test('nothing is asked back while an ADD waits', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 20 });
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 9 });
  await clock.advance(1000);
  await demand(networks, instance, { waiting: 1 });
  await clock.advance(1000);
  assert.deepEqual((await status()).nics[0]?.reclaiming, []);
  await running.stop();
});

test('blocks that are asked back and stay in use do not keep others from going back', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 20 });
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 9 });
  await clock.advance(1000);
  await demand(networks, instance, { inUse: 4 });
  await clock.advance(1000);
  // Four of ten are asked back, and by bad luck they are just the four in use.
  const inUse = (await status()).nics[0]?.reclaiming ?? [];
  assert.equal(inUse.length, 4);
  let returned: Cidr[] = [];
  for (let i = 0; i < 10; i++) {
    await clock.advance(30_000);
    const nic = (await status()).nics[0];
    returned = (nic?.reclaiming ?? []).filter((block) => !inUse.includes(block));
    await demand(networks, instance, { inUse: 4 }, { returned });
  }
  const { nics } = await status();
  // The four in use and, free, twice the spare.
  assert.equal(nics[0]?.blocks.length, 6);
  assert.ok(inUse.every((block) => nics[0]?.blocks.includes(block)));
  await running.stop();
});

test('a PodSubnet that is no longer configured gives everything back, and its NICs go', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  let subnets = [config];
  const running = await controller({ subnets: () => subnets });
  const node = await agent(networks, instance, config);
  await node.want(5);
  await clock.advance(100_000);
  subnets = [];
  await node.want(0);
  await clock.advance(400_000);
  assert.deepEqual(
    cloud.truth().map(({ blocks }) => blocks),
    [[]],
  );
  assert.equal((await status()).nics.length, 1);
  node.stop();
  await running.stop();
});

test('a node that drains keeps nothing, whatever its targets and however young its NICs', async () => {
  const { clock, cloud, networks, controller } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({
    subnets: () => [subnet('pods', { cloudSubnet: 'subnet-a', warm: { minimum: 5, spare: 3, spareNics: 1 } })],
  });
  await demand(networks, instance, {});
  await clock.advance(5000);
  assert.equal(cloud.truth().length, 3);
  for (let i = 0; i < 5; i++) {
    const returned = (await networks.get('n1'))?.status.nics.flatMap(({ reclaiming }) => reclaiming) ?? [];
    await demand(networks, instance, {}, { draining: 'leaving', returned });
    await clock.advance(2000);
  }
  assert.deepEqual(
    cloud.truth().map(({ blocks }) => blocks),
    [[]],
  );
  await running.stop();
});

test('a NIC pulled out by somebody is taken from the status only after a second read, and comes back when it is needed', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 5 });
  await clock.advance(200_000);
  const second = (await status()).nics[1];
  assert.ok(second);
  cloud.pull(second.id);
  let told = 0;
  const unwatch = networks.watch(({ status: { nics } }) => {
    if (!nics.some(({ id }) => id === second.id)) told++;
  });
  await running.passOnce('n1');
  assert.ok(
    (await status()).nics.some(({ id }) => id === second.id),
    'one read proves nothing',
  );
  await clock.advance(4000);
  assert.equal(told, 0, 'the agent was told nothing yet');
  await clock.advance(10_000);
  unwatch();
  assert.ok(told > 0);
  const now = (await status()).nics.find(({ id }) => id === second.id);
  assert.deepEqual(now?.blocks, second.blocks, 'it was plugged in again');
  assert.equal(cloud.truth().length, 2);
  await running.stop();
});

test('a NIC deleted by somebody is taken from the status after a second read, and another is made', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 5 });
  await clock.advance(200_000);
  const second = (await status()).nics[1];
  assert.ok(second);
  cloud.pull(second.id);
  await cloud.deleteNic(second.id);
  await running.passOnce('n1');
  await clock.advance(20_000);
  const { nics } = await status();
  assert.equal(nics.length, 2);
  assert.ok(!nics.some(({ id }) => id === second.id));
  await running.stop();
});

test('a block that vanished from one read alone stays granted', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({ subnets: () => [config] });
  // Two are enough for one Pod and one spare, so that nothing is assigned in the place of the third.
  await demand(networks, instance, { inUse: 2 });
  await clock.advance(1000);
  await demand(networks, instance, { inUse: 1 });
  await clock.advance(200_000);
  const [first] = (await status()).nics;
  const block = first?.blocks[0];
  assert.ok(first !== undefined && block !== undefined);
  cloud.removeBlock(first.id, block);
  await running.passOnce('n1');
  assert.ok((await status()).nics[0]?.blocks.includes(block));
  cloud.addBlock(first.id, block);
  await clock.advance(60_000);
  assert.ok((await status()).nics[0]?.blocks.includes(block));
  cloud.removeBlock(first.id, block);
  await running.passOnce('n1');
  await clock.advance(60_000);
  assert.ok(!(await status()).nics[0]?.blocks.includes(block));
  await running.stop();
});

test('a NIC that takes its time to come and to go is waited for without a storm of reads', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  cloud.moving_ms = 20_000;
  const running = await controller({ subnets: () => [config] });
  const node = await agent(networks, instance, config);
  await node.want(4);
  await clock.advance(15_000);
  assert.equal((await status()).nics.length, 1, 'a NIC that is being attached is not granted');
  await clock.advance(10_000);
  assert.equal(node.leases.length, 4);
  await node.want(0);
  await clock.advance(400_000);
  assert.equal(cloud.truth().length, 1);
  const reads = cloud.calls.filter(({ changing }) => !changing).length;
  assert.ok(reads < 60, `${reads} reads`);
  node.stop();
  await running.stop();
});

test('an interface that is pulled out while a block of it goes back costs a few calls, not one after the other', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 6 });
  await clock.advance(20_000);
  await demand(networks, instance, {});
  await clock.advance(1000);
  const [, second] = (await status()).nics;
  const returned = second?.reclaiming ?? [];
  assert.ok(second !== undefined && returned.length > 0);
  cloud.pull(second.id);
  await running.passOnce('n1');
  assert.ok(
    (await status()).nics.some(({ id }) => id === second.id),
    'one read proves nothing: its grant stands',
  );
  const before = changes().length;
  await demand(networks, instance, {}, { returned });
  await clock.advance(3000);
  assert.ok(changes().length - before < 5, `${changes().length - before} calls`);
  await running.stop();
});
