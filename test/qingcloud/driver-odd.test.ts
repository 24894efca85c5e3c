/** What is odd and happens: names in any script, a zone that is not the key's, NICs of other accounts and of nobody's, an instance that goes while NICs come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudInstance, CreateNic, InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import type { QingCloudOptions } from '../../src/cloud/qingcloud/options.ts';
import { qingCloud } from '../../src/cloud/qingcloud/qingcloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { fails } from '../cloud/scripted-server.ts';
import { type Double, key, otherKey, qingcloudDouble, zone } from './double.ts';
import { PATIENCE_ms } from './ground.ts';
import { type HeldTime, heldTime } from './held-time.ts';
import { keyFile } from './key-file.ts';

interface Bed extends AsyncDisposable {
  readonly double: Double;
  readonly subnet: SubnetId;
  readonly instance: InstanceId;
  driver(options?: Partial<QingCloudOptions>): ReturnType<typeof qingCloud>;
}

/** `time`: what its jobs go by, when it is held. */
async function bed(time?: HeldTime): Promise<Bed> {
  await using building = new AsyncDisposableStack();
  const double = building.use(await qingcloudDouble());
  const subnet = (await double.vxnet()) as SubnetId; // as the double calls it
  const launching = double.instance(subnet);
  const instance = (await (time?.during(launching) ?? launching)) as InstanceId;
  const keys = building.use(keyFile(key.accessKeyId, key.secretAccessKey)).path;
  const drivers = building.use(new DisposableStack());
  const driver: Bed['driver'] = (options = {}) =>
    drivers.use(
      qingCloud({ credentials: { from: 'file', path: keys }, endpoint: `${double.url}/iaas`, zone, deadline_ms: PATIENCE_ms, ...options }),
    );
  const owned = building.move();
  return { double, subnet, instance, driver, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const request = (subnet: SubnetId, tags: Record<string, string> = { 'flatpod.dev/cluster': 'c' }): CreateNic => ({
  clientToken: 't',
  subnet,
  securityGroups: [],
  tags,
  description: '',
});

test('clusters, nodes and PodSubnets in any script, with what a query has to encode, are found again by exactly their names', async () => {
  await using one = await bed();
  const words = ['käse & brot=100%', 'узел+1', '豆腐_ポッド', 'a~7Eb', '🐙'];
  for (const [i, word] of words.entries()) {
    const tags = {
      'flatpod.dev/cluster': word,
      'flatpod.dev/node': words[(i + 1) % words.length] ?? '',
      'flatpod.dev/subnet': words[(i + 2) % words.length] ?? '',
      'flatpod.dev/intent': `i${i}`,
    };
    const made = await one.driver().createNic({ ...request(one.subnet, tags), clientToken: `token ${word}`, want: { addresses4: 1 } });
    const [found, ...more] = await one.driver().nics({ tags: { 'flatpod.dev/cluster': word } });
    assert.deepEqual([found?.id, found?.tags, found?.blocks, more], [made.id, tags, made.blocks, []], word);
  }
});

test('a zone that there is not, and one that the key may not enter, are said as what they are', async () => {
  await using one = await bed();
  const cloud = one.driver({ zone: 'pek9' });
  await assert.rejects(cloud.subnets([one.subnet]), fails('cloudInvalid', /zone/));
  await assert.rejects(cloud.createNic(request(one.subnet)), fails('cloudInvalid', /zone/));
  await one.double.fault('DescribeVxnets', { kind: 'refuse', code: 1400, message: 'PermissionDenied, access denied for zone [pek3a]' });
  await assert.rejects(one.driver().subnets([one.subnet]), fails('cloudDenied', /access denied for zone \[pek3a\]/));
});

test('a vxnet that has left its router is listed without a block, and a NIC there gets no address, which is said', async () => {
  await using one = await bed();
  const other = (await one.double.vxnet('10.20.7.0/24', 'leaving')) as SubnetId;
  const cloud = one.driver();
  const { id } = await cloud.createNic(request(other));
  await cloud.deleteNic(id);
  const [{ router_id: router }] = (await one.double.ok('DescribeRouters')).router_set;
  assert.equal(await one.double.final((await one.double.ok('LeaveRouter', { router, 'vxnets.1': other })).job_id), 'successful');
  const [shown] = await one.driver().subnets([other]);
  assert.deepEqual([shown?.id, shown?.cidr4], [other, undefined]);
  await assert.rejects(one.driver().createNic({ ...request(other), want: { addresses4: 1 } }), fails('cloudInvalid', /in no VPC/));
  assert.deepEqual(await one.driver().nics({ tags: { 'flatpod.dev/cluster': 'c' } }), [], 'nothing is left of the attempt');
});

test('a vxnet that joins its router with another range gives addresses of that one, also by a driver that knew the former', async () => {
  await using one = await bed();
  const renumbered = (await one.double.vxnet('10.20.7.0/24', 'renumbered')) as SubnetId;
  const cloud = one.driver();
  const before = await cloud.createNic({ ...request(renumbered), want: { addresses4: 1 } });
  assert.match(before.blocks[0] ?? '', /^10\.20\.7\./);
  await cloud.deleteNic(before.id);
  const [{ router_id: router }] = (await one.double.ok('DescribeRouters')).router_set;
  await one.double.final((await one.double.ok('LeaveRouter', { router, 'vxnets.1': renumbered })).job_id);
  const join = { vxnet: renumbered, router, ip_network: '10.20.9.0/24' };
  assert.equal(await one.double.final((await one.double.ok('JoinRouter', join)).job_id), 'successful');
  const after = await cloud.createNic({ ...request(renumbered), clientToken: 'after', want: { addresses4: 2 } });
  assert.deepEqual(
    [after.primary4 ?? '', ...after.blocks].map((address) => address.slice(0, 8)),
    ['10.20.9.', '10.20.9.', '10.20.9.'],
  );
  const more = await cloud.assign(after.id, { addresses4: 1 });
  assert.match(more[0] ?? '', /^10\.20\.9\./);
});

test('with the account’s id nobody else’s NICs are looked at, though their addresses are taken all the same', async () => {
  await using one = await bed();
  const { double, subnet, instance } = one;
  const as = { key: otherKey };
  const theirs = (await double.ok('CreateNics', { vxnet: subnet, nic_name: 'flatpod_c____t' }, as)).nics[0];
  assert.equal(await double.final((await double.ok('AttachNics', { instance, 'nics.1': theirs.nic_id }, as)).job_id), 'successful');
  const cloud = one.driver({ owner: key.owner });
  assert.deepEqual(await cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } }), []);
  const seen = (await cloud.nics({ instance })).map(({ id }) => id);
  assert.deepEqual([seen.length, seen.includes(theirs.nic_id)], [1, false]);
  const made = await cloud.createNic({ ...request(subnet), want: { these: [] } });
  assert.notEqual(made.primary4, theirs.private_ip);
  assert.ok(
    (await one.driver().nics({ instance })).some(({ id }) => id === theirs.nic_id),
    'without it they are listed',
  );
});

test('a NIC that somebody attached by hand is there without tags of ours, keeps its place, and ours gets another', async () => {
  await using one = await bed();
  const { double, subnet, instance } = one;
  const [{ nic_id: theirs }] = (await double.ok('CreateNics', { vxnet: subnet, nic_name: 'by hand' })).nics;
  assert.equal(await double.final((await double.ok('AttachNics', { instance, 'nics.1': theirs })).job_id), 'successful');
  const cloud = one.driver();
  const ours = (await cloud.createNic(request(subnet))).id;
  await assert.rejects(cloud.attachNic(ours, instance, 1), fails('cloudConflict', new RegExp(`${theirs} is device 1`)));
  await cloud.attachNic(ours, instance, 2);
  const tagsOf = new Map((await cloud.nics({ instance })).map(({ id, tags }) => [id, tags]));
  assert.deepEqual([tagsOf.get(theirs as NicId), tagsOf.get(ours)], [{}, { 'flatpod.dev/cluster': 'c' }]);
});

test('an instance that is terminated while NICs attach leaves them detached: the attach is refused, and each can be deleted', async (t) => {
  const time = heldTime(t);
  await using one = await bed(time);
  const { double, subnet, instance } = one;
  const cloud = one.driver();
  const nics: NicId[] = [];
  for (const clientToken of ['a', 'b']) nics.push((await cloud.createNic({ ...request(subnet), clientToken })).id);
  await double.fault('AttachNics', { kind: 'jobTakes', ms: 1500 });
  const attaching = Promise.allSettled(nics.map((nic, i) => cloud.attachNic(nic, instance, i + 1)));
  while (((await double.counts())['AttachNics'] ?? 0) === 0) await new Promise(setImmediate);
  const { job_id } = await double.ok('TerminateInstances', { 'instances.1': instance });
  time.pass(100);
  assert.equal(await double.final(job_id), 'successful');
  for (const end of await time.during(attaching)) assert.ok(end.status === 'rejected' && isFailure(end.reason, 'cloudConflict'));
  assert.equal(
    (await cloud.instances([instance])).every(({ state }: CloudInstance) => state === 'terminated'),
    true,
  );
  for (const nic of nics) {
    assert.equal((await cloud.nics({ ids: [nic] }))[0]?.attachment, undefined);
    await cloud.deleteNic(nic);
  }
  assert.deepEqual(await cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } }), []);
});
