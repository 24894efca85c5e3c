/** What the driver does where nobody knows what the cloud does, and how it shares reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateNic, InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { sharedReads } from '../../src/cloud/qingcloud/shared.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { deadlines } from '../cloud/deadlines.ts';
import { qingGround } from './ground.ts';
import { fails } from '../cloud/scripted-server.ts';
import { json, macOf, nicItem, refused, scripted } from './scripted.ts';

const tags = { 'flatpod.dev/cluster': 'c', 'flatpod.dev/node': 'n1', 'flatpod.dev/intent': 't' };
const request = (subnet: string): CreateNic => ({
  clientToken: 't',
  subnet: subnet as SubnetId,
  securityGroups: [],
  tags,
  description: '',
});

test('a new NIC may have further source addresses, or not, or stays as the cloud makes it', async () => {
  await using server = await scripted({ allowSpoofing: true });
  await using strict = await scripted({ allowSpoofing: false });
  await using silent = await scripted();
  for (const [one, wanted] of [
    [server, ['1']],
    [strict, ['0']],
    [silent, []],
  ] as const) {
    one.answers = {
      DescribeVxnets: json({ vxnet_set: [{ vxnet_id: 'vxnet-1' }], total_count: 1 }),
      DescribeNics: json({ nic_set: [], total_count: 0 }),
      CreateNics: json({ nics: [{ nic_id: macOf(1), private_ip: '10.20.0.3' }] }),
      ModifyNicAttributes: json({}),
    };
    const made = await one.cloud.createNic(request('vxnet-1'));
    assert.deepEqual([made.id, made.primary4], [macOf(1), '10.20.0.3']);
    const changed = one.asked.filter(({ action }) => action === 'ModifyNicAttributes');
    assert.deepEqual(
      changed.map(({ query }) => query.get('enable_aspoof')),
      wanted,
    );
  }
});

test('a NIC whose name was cut is deleted again, and the length to set is told', async () => {
  await using server = await scripted();
  server.answers = {
    DescribeVxnets: json({ vxnet_set: [{ vxnet_id: 'vxnet-1' }], total_count: 1 }),
    DescribeNics: (response, asked) => {
      const items = asked.query.get('nics.1') === null ? [] : [nicItem(1, { nic_name: 'flatpod_c_n1_' })];
      json({ nic_set: items, total_count: items.length })(response, asked);
    },
    DescribeVips: json({ vip_set: [], total_count: 0 }),
    CreateNics: json({ nics: [{ nic_id: macOf(1), private_ip: '10.20.0.3' }] }),
    DeleteNics: json({}),
  };
  await assert.rejects(server.cloud.createNic(request('vxnet-1')), fails('cloudInvalid', /set longestName to 13/));
  assert.equal(server.asked.filter(({ action }) => action === 'DeleteNics').length, 1);
});

test('a cloud that refuses a whole list for one unknown id is asked one by one', async () => {
  await using server = await scripted();
  server.answers = {
    DescribeInstances: (response, asked) => {
      const ids = [...asked.query].filter(([key]) => key.startsWith('instances.')).map(([, id]) => id);
      const items = ids.map((id) => ({ instance_id: id, instance_type: 's1', status: 'running' }));
      if (ids.includes('i-gone')) return refused(2100, 'ResourceNotFound, i-gone')(response, asked);
      return json({ instance_set: items, total_count: items.length })(response, asked);
    },
  };
  const ids = ['i-1', 'i-gone', 'i-2'] as InstanceId[];
  assert.deepEqual(
    (await server.cloud.instances(ids)).map(({ id }) => id as string),
    ['i-1', 'i-2'],
  );
  await assert.rejects(server.cloud.instance('i-gone' as InstanceId), fails('cloudNotFound', /i-gone/));
});

test('an instance that was terminated says so, one that is stopped comes back', async () => {
  await using server = await scripted();
  for (const [status, state] of [
    ['running', 'running'],
    ['stopped', 'running'],
    ['suspended', 'running'],
    ['terminated', 'terminated'],
    ['ceased', 'terminated'],
  ]) {
    server.answers = { DescribeInstances: json({ instance_set: [{ instance_id: 'i-1', status }], total_count: 1 }) };
    assert.equal((await server.cloud.instance('i-1' as InstanceId)).state, state);
  }
});

test('NICs of routers and load balancers, which are in use by no instance, are in nobody’s way', async () => {
  await using server = await scripted();
  server.answers = {
    DescribeNics: json({ nic_set: [nicItem(1, { status: 'in-use', create_time: null, role: null })], total_count: 1 }),
    DescribeVips: json({ total_count: 0 }),
  };
  const [nic] = await server.cloud.nics({ ids: [macOf(1) as NicId] });
  assert.deepEqual([nic?.id, nic?.attachment], [macOf(1), undefined]);
  await assert.rejects(server.cloud.deleteNic(macOf(1) as NicId), fails('cloudConflict', /no instance/));
});

test('who asks while a read is under way gets the next one, and all who wait share it', async () => {
  const running: PromiseWithResolvers<number>[] = [];
  const read = sharedReads<string, number>(
    () => {
      const one = Promise.withResolvers<number>();
      running.push(one);
      return one.promise;
    },
    () => ({ left_ms: () => 1 }),
  );
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const first = [read('a'), read('a')];
  await turn();
  const second = [read('a'), read('a'), read('a')];
  const other = read('b');
  await turn();
  assert.equal(running.length, 2, 'one for each key');
  running[0]?.reject(new Error('lost'));
  running[1]?.resolve(7);
  assert.deepEqual(
    (await Promise.allSettled(first)).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await other, 7);
  await turn();
  assert.equal(running.length, 3);
  running[2]?.resolve(8);
  assert.deepEqual(await Promise.all(second), [8, 8, 8]);
});

test('the keys of an instance’s role are good for calls, with their token', async (t) => {
  // Of what the metadata may take: this process, which answers for them, may be held up.
  deadlines(t);
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const origin = new URL(ground.endpoint).origin;
  const cloud = ground.driver({ credentials: { from: 'role', metadata: origin }, endpoint: `${origin}/iam` });
  const first = await cloud.createNic(request(subnet));
  assert.equal((await cloud.nics({ ids: [first.id] })).length, 1);
});

test('a call that is denied, an account without balance and a rate are told as what they are', async () => {
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const cloud = ground.driver();
  const refuse = (code: number, message: string) =>
    ground.aside('POST', '/double/faults', { action: 'CreateNics', count: 1, effect: { kind: 'refuse', code, message } });
  await refuse(2400, 'InsufficientBalance, recharge first');
  await assert.rejects(cloud.createNic(request(subnet)), fails('cloudDenied', /2400.*recharge/));
  await refuse(2500, 'QuotasExceeded, request rate too high');
  await assert.rejects(cloud.createNic(request(subnet)), fails('cloudThrottled', /2500/));
  await ground.aside('PUT', '/double/switches', { denied: ['CreateNics'] });
  await assert.rejects(cloud.createNic(request(subnet)), fails('cloudDenied'));
});

test('the actions that are denied are named, and asking for them changes nothing', async () => {
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const cloud = ground.driver();
  const before = await cloud.subnets([subnet]);
  assert.deepEqual(await cloud.missingPermissions?.([subnet]), []);
  const denied = ['AttachNics', 'DescribeVips', 'ModifyNicAttributes', 'ReleaseVips'];
  await ground.aside('PUT', '/double/switches', { denied });
  assert.deepEqual((await cloud.missingPermissions?.([subnet]))?.toSorted(), ['AttachNics', 'DescribeVips', 'ReleaseVips']);
  assert.deepEqual((await ground.driver({ allowSpoofing: true }).missingPermissions?.([subnet]))?.toSorted(), denied);
  assert.deepEqual(await cloud.subnets([subnet]), before);
  await using server = await scripted();
  server.answers = { '*': refused(1200, 'AuthFailure') };
  await assert.rejects(async () => server.cloud.missingPermissions?.([]), fails('cloudCredentials', /1200/));
});

test('addresses of a block that the cloud lets nobody reserve count as taken once it has said so: the block is full, and is not asked for again and again', async () => {
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const cloud = ground.driver();
  const { id } = await cloud.createNic(request(subnet));
  // The double gives nobody 10.20.0.2 and .3; .1 is the router's.
  const within = [parseCidr('10.20.0.0/30')];
  await assert.rejects(cloud.assign(id, { addresses4: 1, within }), fails('cloudSubnetFull', /0 of 4 addresses are free/));
  const asked = async (): Promise<number> => (await ground.aside('GET', '/double/counts')).body['AllocateVips'] ?? 0;
  const before = await asked();
  await assert.rejects(cloud.assign(id, { addresses4: 1, within }), fails('cloudSubnetFull'));
  assert.equal(await asked(), before);
  assert.deepEqual(await cloud.assign(id, { addresses4: 2, within: [parseCidr('10.20.0.2/31'), parseCidr('10.20.0.64/26')] }), [
    '10.20.0.64/32',
    '10.20.0.65/32',
  ]);
});
