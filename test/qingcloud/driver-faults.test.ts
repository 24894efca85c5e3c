/** What becomes of NICs and reserved addresses when answers are lost, jobs fail, lists lag, or the process ends between two calls: on the strict double. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cloud, CloudNic, CreateNic, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { qingGround, type QingGround } from './ground.ts';
import { fails } from '../cloud/scripted-server.ts';
import { heldTime } from './held-time.ts';

const tags = { 'flatpod.dev/cluster': 'c', 'flatpod.dev/node': 'n1', 'flatpod.dev/subnet': 'pods', 'flatpod.dev/intent': 'token-1' };
const cluster = { tags: { 'flatpod.dev/cluster': 'c' } };
const request = (subnet: SubnetId, more: Partial<CreateNic> = {}): CreateNic => ({
  clientToken: 'token-1',
  subnet,
  securityGroups: [],
  tags,
  description: '',
  ...more,
});
async function fault(ground: QingGround, action: string, effect: object, count = 1): Promise<void> {
  const { status, body } = await ground.aside('POST', '/double/faults', { action, count, effect });
  assert.ok(status < 300, JSON.stringify(body));
}
/** Of the VPC itself, which strikes every wire format. */
async function strike(ground: QingGround, call: string, effect: object, count = 1): Promise<void> {
  const { status, body } = await ground.vpc.call('POST', '/v1/faults', { call, count, effect });
  assert.ok(status < 300, JSON.stringify(body));
}
const lose = (ground: QingGround, call: string): Promise<void> => strike(ground, call, { kind: 'loseAnswer' });
const counts = async (ground: QingGround): Promise<Record<string, number>> => (await ground.aside('GET', '/double/counts')).body;
/** For `during`: whether that has been asked for so often. */
const asked = (ground: QingGround, action: string, times: number) => async (): Promise<boolean> =>
  ((await counts(ground))[action] ?? 0) >= times;

async function only(cloud: Cloud, id: NicId): Promise<CloudNic> {
  const [nic] = await cloud.nics({ ids: [id] });
  assert.ok(nic);
  return nic;
}

/** A NIC in a vxnet, made by a driver of its own. */
async function withNic(ground: QingGround): Promise<{ cloud: ReturnType<QingGround['driver']>; subnet: SubnetId; id: NicId }> {
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const cloud = ground.driver();
  const { id } = await cloud.createNic(request(subnet));
  return { cloud, subnet, id };
}

test('a create whose answer was lost makes one NIC in the end, and never two at once', async () => {
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const cloud = ground.driver();
  await lose(ground, 'CreateNics');
  await assert.rejects(cloud.createNic(request(subnet)), fails('cloudUnavailable'));
  const made = await cloud.createNic(request(subnet));
  assert.deepEqual(made.tags, tags);
  assert.deepEqual(
    (await cloud.nics(cluster)).map(({ id }) => id),
    [made.id],
  );
  assert.equal((await ground.driver().createNic(request(subnet))).id, made.id, 'also after a restart');
});

test('a create whose answer was lost is not repeated while lists may be too old to show what it made', async () => {
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const cloud = ground.driver();
  await fault(ground, 'CreateNics', { kind: 'html', status: 502 });
  await assert.rejects(cloud.createNic(request(subnet)), fails('cloudUnavailable', /502/));
  await assert.rejects(cloud.createNic(request(subnet)), fails('cloudUnavailable', /too old to tell/));
  assert.equal((await counts(ground))['CreateNics'], 1);
});

test('a process that ends after CreateNics leaves a NIC that the same token finds, and gives the blocks it lacks', async () => {
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  await fault(ground, 'AllocateVips', { kind: 'html', status: 503 });
  const want = { addresses4: 2, prefixes4: 1 };
  await assert.rejects(ground.driver().createNic(request(subnet, { want })), fails('cloudUnavailable'));
  const cloud = ground.driver();
  const made = await cloud.createNic(request(subnet, { want }));
  assert.equal(made.blocks.length, 3);
  assert.deepEqual((await only(cloud, made.id)).blocks.toSorted(), made.blocks.toSorted());
  assert.equal((await cloud.nics(cluster)).length, 1);
});

test('an assign whose answer was lost is found by reading back, and by value may be asked again', async () => {
  await using ground = await qingGround();
  const { cloud, id } = await withNic(ground);
  const these = ['10.20.0.64/28', '10.20.0.99/32'].map(parseCidr);
  await lose(ground, 'AllocateVips');
  await assert.rejects(cloud.assign(id, { these }), fails('cloudUnavailable'));
  assert.deepEqual((await only(cloud, id)).blocks, these.slice(0, 1), 'the first of two calls was carried out');
  assert.deepEqual(await ground.driver().assign(id, { these }), these);
  assert.deepEqual((await only(cloud, id)).blocks.toSorted(), these.toSorted());
});

test('of a /28 whose job was done in part nothing is left, and it can be had again', async () => {
  await using ground = await qingGround();
  const { cloud, id } = await withNic(ground);
  const these = [parseCidr('10.20.0.64/28')];
  await fault(ground, 'AllocateVips', { kind: 'jobFails', outcome: 'done with failure', keep: 5 });
  assert.deepEqual(await cloud.assign(id, { these }), these, 'a failed attempt is taken back and made again');
  assert.deepEqual((await only(cloud, id)).blocks, these);
});

test('a part of a /28 that a killed process left is no block; it is finished by the next assign, or given back', async () => {
  await using ground = await qingGround();
  const { cloud, id } = await withNic(ground);
  const begin = async (): Promise<void> => {
    await fault(ground, 'AllocateVips', { kind: 'jobFails', outcome: 'done with failure', keep: 1 }, 10);
    await fault(ground, 'ReleaseVips', { kind: 'refuse', code: 5000 }, 10);
    await assert.rejects(cloud.assign(id, { these: [parseCidr('10.20.0.64/28')] }));
    await ground.aside('DELETE', '/double/faults');
    assert.deepEqual((await only(cloud, id)).blocks, []);
  };
  await begin();
  assert.deepEqual(await ground.driver().assign(id, { prefixes4: 1 }), ['10.20.0.64/28']);
  await cloud.unassign(id, [parseCidr('10.20.0.64/28')]);
  await begin();
  const { body } = await ground.vpc.call('GET', '/v1/subnets');
  const free = (): number => body.items[0].free4;
  await cloud.unassign(id, [parseCidr('10.20.0.64/28')]);
  assert.ok(free() > 0);
  assert.deepEqual(await ground.driver().assign(id, { these: [parseCidr('10.20.0.64/32')] }), ['10.20.0.64/32']);
});

test('a job that no list shows is unclear, and what it was for is read back', async (t) => {
  const time = heldTime(t);
  await using ground = await qingGround();
  const { cloud, id } = await withNic(ground);
  await fault(ground, 'AllocateVips', { kind: 'jobVanishes' });
  // Sooner than it is told that there is no such job.
  const hasty = ground.driver({ deadline_ms: 4500 });
  const assigning = time.during(hasty.assign(id, { addresses4: 1 }), asked(ground, 'AllocateVips', 1));
  await assert.rejects(assigning, fails('cloudUnavailable', /job j-\w+ was accepted, and has not ended yet/));
  assert.equal((await only(cloud, id)).blocks.length, 1);
});

test('an attachment that takes longer than a call may is accepted, shown as under way, and done later', async (t) => {
  const time = heldTime(t);
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const instance = await ground.launch('one', subnet);
  const cloud = ground.driver({ deadline_ms: 20_000 });
  const { id } = await cloud.createNic(request(subnet));
  await fault(ground, 'AttachNics', { kind: 'jobTakes', ms: 60_000 });
  await time.during(cloud.attachNic(id, instance, 1), asked(ground, 'AttachNics', 1));
  assert.deepEqual((await only(cloud, id)).attachment, { instance, deviceIndex: 1, state: 'attaching' });
  await cloud.attachNic(id, instance, 1);
  await assert.rejects(cloud.deleteNic(id), fails('cloudConflict', /on its way/));
  await time.until('it is attached', async () => (await only(cloud, id)).attachment?.state === 'attached');
  assert.equal((await counts(ground))['AttachNics'], 1);
});

test('an attachment that failed is told: at once, or to the next who asks when nobody waited any more', async (t) => {
  const time = heldTime(t);
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const instance = await ground.launch('one', subnet);
  const cloud = ground.driver({ deadline_ms: 20_000 });
  const { id } = await cloud.createNic(request(subnet));
  await fault(ground, 'AttachNics', { kind: 'jobFails', outcome: 'done with failure', keep: 0 });
  await assert.rejects(time.during(ground.driver().attachNic(id, instance, 1)), fails('cloudConflict', /done with failure/));
  await fault(ground, 'AttachNics', { kind: 'jobFails', outcome: 'failed' });
  await fault(ground, 'AttachNics', { kind: 'jobTakes', ms: 60_000 });
  await time.during(cloud.attachNic(id, instance, 1), asked(ground, 'AttachNics', 2));
  await time.until('it has failed', async () => (await only(cloud, id)).attachment === undefined);
  await assert.rejects(cloud.attachNic(id, instance, 1), fails('cloudConflict', /"failed"/));
  await time.during(cloud.attachNic(id, instance, 1));
  assert.equal((await only(cloud, id)).attachment?.state, 'attached');
});

test('NICs that are attached in the same moment go together, five in a call, and one that cannot harms no other', async () => {
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const instance = await ground.launch('one', subnet);
  const cloud = ground.driver();
  const made: CloudNic[] = [];
  for (let i = 0; i < 7; i++)
    made.push(await cloud.createNic(request(subnet, { clientToken: `t${i}`, tags: { ...tags, 'flatpod.dev/intent': `t${i}` } })));
  await ground.aside('DELETE', '/double/counts');
  const gone = '52:54:00:ff:ff:ff' as NicId;
  const results = await Promise.allSettled([
    ...made.map(({ id }, i) => cloud.attachNic(id, instance, i + 1)),
    cloud.attachNic(gone, instance, 9),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    [...made.map(() => 'fulfilled'), 'rejected'],
  );
  const last = results.at(-1);
  assert.ok(last?.status === 'rejected' && isFailure(last.reason, 'cloudNotFound'));
  assert.equal((await cloud.nics({ instance })).length, 8);
  assert.equal((await counts(ground))['AttachNics'], 1 + 1 + 3, 'five; then two with the one that is refused, and these one by one');
});

test('what is reserved for a NIC that was deleted by hand is shown to the sweep as a detached NIC, and deleted like one', async () => {
  await using ground = await qingGround();
  const { cloud, id } = await withNic(ground);
  await cloud.assign(id, { these: [parseCidr('10.20.0.64/28')] });
  const mine = (await ground.vpc.call('GET', '/v1/nics?limit=100')).body.items.find((nic: { mac: string }) => nic.mac === id);
  assert.equal((await ground.vpc.call('DELETE', `/v1/nics/${mine.id}`)).status < 300, true);
  const after = ground.driver();
  assert.deepEqual(await after.nics({ tags: { ...cluster.tags, 'flatpod.dev/node': 'n1' } }), []);
  const [left, ...more] = await after.nics(cluster);
  assert.ok(left !== undefined && more.length === 0);
  assert.deepEqual([left.id, left.attachment, left.blocks], [id, undefined, ['10.20.0.64/28']]);
  assert.ok(Date.now() - left.createdAt_ms < 60_000, 'its age is counted from when it was first missed');
  assert.deepEqual(
    (await after.nics({ ids: [id] })).map(({ blocks }) => blocks),
    [['10.20.0.64/28']],
  );
  await assert.rejects(after.assign(id, { addresses4: 1 }), fails('cloudNotFound'));
  await after.deleteNic(id);
  assert.deepEqual(await after.nics(cluster), []);
  assert.deepEqual(await after.nics({ ids: [id] }), []);
});

test('a NIC that is used is never robbed of its addresses by a delete that believes an old list', async () => {
  await using ground = await qingGround();
  const { cloud, subnet, id } = await withNic(ground);
  const instance = await ground.launch('one', subnet);
  await cloud.assign(id, { addresses4: 3 });
  await cloud.attachNic(id, instance, 1);
  await strike(ground, 'DescribeNics', { kind: 'staleReads', ms: 60_000 });
  await assert.rejects(ground.driver().deleteNic(id));
  assert.equal((await only(cloud, id)).blocks.length, 3);
});

test('nodes that ask for addresses at the same time get different ones, and share what is read for them', async () => {
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const cloud = ground.driver();
  const made: CloudNic[] = [];
  for (let i = 0; i < 6; i++)
    made.push(await cloud.createNic(request(subnet, { clientToken: `t${i}`, tags: { ...tags, 'flatpod.dev/intent': `t${i}` } })));
  await ground.aside('DELETE', '/double/counts');
  const given = await Promise.all(made.map(({ id }) => cloud.assign(id, { prefixes4: 1, addresses4: 1 })));
  assert.equal(new Set(given.flat()).size, 12);
  const { DescribeVips = 0, DescribeNics = 0, AllocateVips = 0 } = await counts(ground);
  assert.equal(AllocateVips, 12);
  assert.ok(DescribeVips <= 2 && DescribeNics <= 2, `${DescribeVips} and ${DescribeNics} reads`);
});

test('two controllers that choose the same addresses end with different ones', async () => {
  await using ground = await qingGround();
  const { cloud, subnet, id } = await withNic(ground);
  const other = ground.driver();
  const { id: second } = await other.createNic(request(subnet, { clientToken: 'x', tags: { ...tags, 'flatpod.dev/intent': 'x' } }));
  const [a, b] = await Promise.all([cloud.assign(id, { addresses4: 20 }), other.assign(second, { addresses4: 20 })]);
  assert.equal(new Set([...a, ...b]).size, 40);
  assert.deepEqual((await only(cloud, id)).blocks.toSorted(), a.toSorted());
  assert.deepEqual((await only(cloud, second)).blocks.toSorted(), b.toSorted());
});

test('a node’s addresses cost one call each way, whatever their number, and waiting for all jobs is one call', async () => {
  await using ground = await qingGround();
  const { cloud, id } = await withNic(ground);
  await ground.aside('DELETE', '/double/counts');
  const blocks = await cloud.assign(id, { prefixes4: 4 });
  await cloud.unassign(id, blocks);
  const { DescribeJobs = 0, ...others } = await counts(ground);
  const words = 'one more, once: where there are addresses a new driver looks for releases that another began';
  assert.deepEqual(others, { DescribeNics: 1, DescribeVips: 3, AllocateVips: 1, ReleaseVips: 1 }, words);
  assert.ok(DescribeJobs >= 2);
});

test('a vxnet has room for 253 reserved addresses, and is full then', async () => {
  await using ground = await qingGround();
  const cloud = ground.driver();
  const subnet = await ground.subnet('10.20.4.0/23', 'wide');
  const { id } = await cloud.createNic(request(subnet));
  await cloud.assign(id, { prefixes4: 15 });
  await assert.rejects(cloud.assign(id, { addresses4: 14 }), fails('cloudSubnetFull', /240 of at most 253/));
  assert.equal((await cloud.assign(id, { addresses4: 13 })).length, 13);
});
