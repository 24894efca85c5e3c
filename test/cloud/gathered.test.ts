/** Reads for single nodes, made many at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cloud, InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { gathered } from '../../src/cloud/limits/gathered.ts';
import { failure, isFailure } from '../../src/errors/failure.ts';
import { memoryCloud, type MemoryCloud } from './memory-cloud.ts';
import { virtualClock } from './virtual-clock.ts';

const NODES = 40;

/** Instances i-0 … with a NIC each that is tagged with its node, beside their first. */
async function many(): Promise<{ readonly truth: MemoryCloud; readonly cloud: Cloud; readonly ids: readonly InstanceId[] }> {
  const truth = memoryCloud(virtualClock());
  const subnet: SubnetId = truth.addSubnet('subnet-a', '10.20.0.0/16');
  const ids: InstanceId[] = [];
  for (let i = 0; i < NODES; i++) {
    const id = truth.launch(`i-${i}`, subnet);
    const made = await truth.createNic({ clientToken: `${i}`, subnet, securityGroups: [], tags: tagsOf(i), description: '' });
    await truth.attachNic(made.id, id, 1);
    ids.push(id);
  }
  truth.calls.length = 0;
  return { truth, cloud: gathered(truth), ids };
}

function tagsOf(i: number): Record<string, string> {
  return { 'flatpod.dev/cluster': 'c', 'flatpod.dev/node': `n${i}` };
}

test('many who ask at once get what each would have got alone, by a few calls', async () => {
  const { truth, cloud, ids } = await many();
  const read = async (from: Cloud, id: InstanceId, i: number) =>
    Promise.all([from.instance(id), from.nics({ instance: id }), from.nics({ tags: tagsOf(i) })]);
  const together = await Promise.all(ids.map((id, i) => read(cloud, id, i)));
  assert.equal(truth.calls.length, 9, 'two that begin at once, and the rest, of each of three kinds');
  const alone = [];
  for (const [i, id] of ids.entries()) alone.push(await read(truth, id, i));
  assert.deepEqual(together, alone);
});

test('who asks alone is asked for alone, at once', async () => {
  const { truth, cloud, ids } = await many();
  const [id] = ids;
  assert.ok(id !== undefined);
  assert.equal((await cloud.instance(id)).id, id);
  assert.equal((await cloud.nics({ instance: id })).length, 2);
  assert.equal((await cloud.nics({ tags: tagsOf(0) })).length, 1);
  assert.deepEqual(
    truth.calls.map(({ name }) => name),
    ['instance', 'nics', 'nics'],
  );
});

test('nobody gets an answer to a call that had begun before', async () => {
  const { truth, cloud, ids } = await many();
  const [id] = ids;
  assert.ok(id !== undefined);
  const before = [cloud.nics({ instance: id }), cloud.nics({ instance: id })];
  const [nic] = truth.truth().filter(({ attachment }) => attachment?.instance === id && attachment.deviceIndex === 1);
  assert.ok(nic !== undefined);
  truth.pull(nic.id);
  const after = cloud.nics({ instance: id });
  await Promise.all(before);
  assert.equal((await after).length, 1);
});

test('an instance that the cloud does not know, and an id that it refuses, harm no other', async () => {
  const { truth, cloud, ids } = await many();
  const asked = [...ids, 'i-unknown' as InstanceId, 'not an id' as InstanceId];
  const got = await Promise.allSettled(asked.map((id) => cloud.instance(id)));
  assert.equal(got.filter(({ status }) => status === 'fulfilled').length, NODES);
  assert.ok(got.slice(NODES).every((one) => one.status === 'rejected' && isFailure(one.reason, 'cloudNotFound')));
  assert.ok(truth.calls.length > 0);
});

test('a refusal reaches all who asked, and the next call is made again', async () => {
  const { truth, cloud, ids } = await many();
  truth.fault = () => failure('cloudThrottled', { cloud: 'memory', call: 'nics', text: 'slower' });
  const got = await Promise.allSettled(ids.map((id) => cloud.nics({ instance: id })));
  assert.ok(got.every((one) => one.status === 'rejected' && isFailure(one.reason, 'cloudThrottled')));
  assert.equal(truth.calls.length, 3);
  truth.fault = () => 'none';
  assert.equal((await Promise.all(ids.map((id) => cloud.nics({ instance: id })))).flat().length, 2 * NODES);
});

test('other questions and all changes go through as they are', async () => {
  const { truth, cloud, ids } = await many();
  const [id] = ids;
  assert.ok(id !== undefined);
  assert.equal((await cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } })).length, NODES);
  assert.equal((await cloud.nics({ instance: ids })).length, 2 * NODES);
  assert.equal((await cloud.instances(ids)).length, NODES);
  const [nic] = await cloud.nics({ tags: tagsOf(0), instance: id });
  assert.ok(nic !== undefined);
  await cloud.unassign(nic.id, await cloud.assign(nic.id, { addresses4: 1 }));
  await cloud.detachNic(nic.id);
  await cloud.deleteNic(nic.id);
  assert.equal(truth.calls.length, 8);
  assert.equal((await cloud.network()).cidrs.length + (await cloud.subnets([nic.subnet])).length, 2);
});
