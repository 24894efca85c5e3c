/** The AWS driver before the emulated VPC's EC2 front on a bad day: answers lost, calls throttled, interfaces unknown, permissions missing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateTagsCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import type { CloudNic, CreateNic, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { fails } from '../cloud/scripted-server.ts';
import { type AwsBed, awsBed } from './ground.ts';

let tokens = 0;
const request = (subnet: SubnetId, more: Partial<CreateNic> = {}): CreateNic => ({
  clientToken: `front-${++tokens}`,
  subnet,
  securityGroups: [],
  tags: { 'flatpod.dev/cluster': 'c', 'flatpod.dev/node': 'n1' },
  description: '',
  ...more,
});
const ours = ({ cloud }: AwsBed): Promise<CloudNic[]> => cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } });
const only = async ({ cloud }: AwsBed, id: NicId): Promise<CloudNic | undefined> => (await cloud.nics({ ids: [id] }))[0];
const once = (bed: AwsBed, call: string, effect: object) => bed.fault({ call, count: 1, effect });

test('an interface whose answer was lost is found by its token, and made once', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24');
  const wanted = request(subnet, { want: { addresses4: 2 } });
  await bed.cloud.subnets([subnet]);
  for (const kind of ['loseRequest', 'loseAnswer']) {
    await once(bed, 'CreateNetworkInterface', { kind });
    await assert.rejects(bed.cloud.createNic(wanted), fails('cloudUnavailable'));
  }
  const made = await bed.cloud.createNic(wanted);
  assert.deepEqual(
    (await ours(bed)).map(({ id, blocks }) => [id, blocks.length]),
    [[made.id, 2]],
  );
});

test('an interface of which only a part was done is made whole by its token', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  const wanted = request(subnet, { want: { these: [parseCidr('10.20.0.77/32')], addresses4: 2, prefixes4: 1, prefixes6: 1 } });
  for (const call of ['AssignPrivateIpAddresses', 'AssignIpv6Addresses']) {
    await once(bed, call, { kind: 'loseRequest' });
    await assert.rejects(bed.cloud.createNic(wanted), fails('cloudUnavailable'));
  }
  const { id, blocks } = await bed.cloud.createNic(wanted);
  assert.equal(blocks.length, 5);
  assert.deepEqual((await only(bed, id))?.blocks.toSorted(), blocks.toSorted());
  assert.equal((await ours(bed)).length, 1);
});

test('an attachment whose answer was lost is repeated, and its interface goes with the instance', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  const instance = await bed.launch(subnet);
  const { id } = await bed.cloud.createNic(request(subnet));
  for (const call of ['AttachNetworkInterface', 'ModifyNetworkInterfaceAttribute']) {
    await once(bed, call, { kind: 'loseAnswer' });
    await assert.rejects(bed.cloud.attachNic(id, instance, 1), fails('cloudUnavailable'));
  }
  await bed.cloud.attachNic(id, instance, 1);
  assert.equal((await only(bed, id))?.attachment?.deviceIndex, 1);
  await bed.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instance] }));
  assert.equal((await bed.cloud.instance(instance)).state, 'terminated');
  assert.equal(await only(bed, id), undefined);
});

test('blocks by value whose answer was lost are asked for again; two families are had both or neither', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  const [one, other] = [await bed.cloud.createNic(request(subnet)), await bed.cloud.createNic(request(subnet))];
  const these = ['10.20.0.77/32', '2001:db8:20::77/128'].map(parseCidr);
  for (const call of ['AssignPrivateIpAddresses', 'AssignIpv6Addresses']) {
    await once(bed, call, { kind: 'loseAnswer' });
    await assert.rejects(bed.cloud.assign(one.id, { these }), fails('cloudUnavailable'));
  }
  assert.deepEqual(await bed.cloud.assign(one.id, { these }), these);
  assert.deepEqual((await only(bed, one.id))?.blocks.toSorted(), these);
  const half = [parseCidr('10.20.0.78/32'), ...these.slice(1)];
  await assert.rejects(bed.cloud.assign(other.id, { these: half }), fails('cloudAddressTaken'));
  assert.deepEqual((await only(bed, other.id))?.blocks, []);
  await once(bed, 'UnassignIpv6Addresses', { kind: 'loseAnswer' });
  await assert.rejects(bed.cloud.unassign(one.id, these), fails('cloudUnavailable'));
  await bed.cloud.unassign(one.id, these);
  assert.deepEqual((await only(bed, one.id))?.blocks, []);
});

test('what leaves may be asked to leave again, when nobody heard that it had', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  const instance = await bed.launch(subnet);
  const { id } = await bed.cloud.createNic(request(subnet));
  await bed.cloud.attachNic(id, instance, 1);
  await once(bed, 'DetachNetworkInterface', { kind: 'loseAnswer' });
  await assert.rejects(bed.cloud.detachNic(id), fails('cloudUnavailable'));
  await bed.cloud.detachNic(id);
  await once(bed, 'DeleteNetworkInterface', { kind: 'loseAnswer' });
  await assert.rejects(bed.cloud.deleteNic(id), fails('cloudUnavailable'));
  // A driver that did not make it a moment ago believes that it is gone.
  await bed.driver().deleteNic(id);
  assert.deepEqual(await ours(bed), []);
});

test('throttling is told as such, and nothing was done', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24');
  await bed.cloud.subnets([subnet]);
  for (const call of ['CreateNetworkInterface', 'DescribeNetworkInterfaces']) bed.front.rates.set(call, { perSecond: 0.001, burst: 1 });
  await ours(bed);
  await assert.rejects(ours(bed), fails('cloudThrottled'));
  const made = await bed.cloud.createNic(request(subnet));
  await assert.rejects(bed.cloud.createNic(request(subnet)), fails('cloudThrottled'));
  bed.front.rates.clear();
  assert.deepEqual(
    (await ours(bed)).map(({ id }) => id),
    [made.id],
  );
});

test('an interface that EC2 does not know yet is waited for', async () => {
  let now_ms = Date.now();
  await using bed = await awsBed({}, { now_ms: () => now_ms });
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  const instance = await bed.launch(subnet);
  bed.front.lag.unknown_ms = 2000;
  const { id } = await bed.cloud.createNic(request(subnet));
  await assert.rejects(bed.cloud.attachNic(id, instance, 1), fails('cloudConflict'));
  await assert.rejects(bed.cloud.assign(id, { addresses4: 1 }), fails('cloudConflict'));
  await assert.rejects(bed.cloud.deleteNic(id), fails('cloudConflict'));
  now_ms += 60_000;
  await bed.cloud.attachNic(id, instance, 1);
});

test('an interface is made whole though EC2 does not know it yet when the rest of it is asked for', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  bed.front.lag.unknown_ms = 300;
  const bounds = [parseCidr('10.20.0.64/28')];
  for (const want of [
    { addresses4: 2, prefixes6: 1 },
    { addresses4: 2, within: bounds },
  ]) {
    const made = await bed.cloud.createNic(request(subnet, { want }));
    assert.equal(made.blocks.length, 'within' in want ? 2 : 3);
    bed.front.lag.unknown_ms = 0;
    assert.deepEqual((await only(bed, made.id))?.blocks.toSorted(), made.blocks.toSorted());
    bed.front.lag.unknown_ms = 300;
  }
  bed.front.lag.unknown_ms = 0;
  assert.equal((await ours(bed)).length, 2, 'each was made once');
});

test('missing permissions are named one by one, and asking changes nothing', async () => {
  await using bed = await awsBed({ branches: { 't3.small': 2 } });
  const subnet = await bed.subnet('10.20.0.0/24');
  assert.deepEqual(await bed.cloud.missingPermissions([subnet]), []);
  for (const call of ['AttachNetworkInterface', 'AssignPrivateIpAddresses', 'AssociateTrunkInterface']) {
    await bed.fault({ call, effect: { kind: 'error', reason: 'AccessDenied' } });
  }
  assert.deepEqual(await bed.cloud.missingPermissions([subnet]), [
    'ec2:AttachNetworkInterface',
    'ec2:AssignPrivateIpAddresses',
    'ec2:AssociateTrunkInterface',
  ]);
  assert.deepEqual(await ours(bed), []);
  await bed.fault({ call: 'DescribeSubnets', effect: { kind: 'throttle' } });
  await assert.rejects(bed.cloud.missingPermissions([subnet]), fails('cloudThrottled'));
});

test('an interface that was marked by the AWS VPC CNI behind our back is left alone from the next look on', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24');
  const { id } = await bed.cloud.createNic(request(subnet, { tags: { plain: 'x' }, want: { addresses4: 1 } }));
  assert.equal((await only(bed, id))?.blocks.length, 1);
  await bed.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'node.k8s.amazonaws.com/no_manage', Value: 'true' }] }));
  assert.deepEqual((await only(bed, id))?.blocks, []);
  await assert.rejects(bed.cloud.deleteNic(id), fails('cloudInvalid'));
});
