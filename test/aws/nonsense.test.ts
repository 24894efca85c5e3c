/** What somebody may have written wrongly, as the AWS driver tells it: another region, a host that nobody has, ids of nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateNic, InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { fails } from '../cloud/scripted-server.ts';
import { awsBed } from './ground.ts';

const tags = { 'flatpod.dev/cluster': 'nonsense' };

test('another region than the server’s is told by the server’s words about the credentials, for every call', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24');
  const cloud = bed.driver({ region: 'us-east-2' });
  for (const call of [() => cloud.network(), () => cloud.subnets([subnet]), () => cloud.nics({ tags })])
    await assert.rejects(call(), fails('cloudCredentials', /scoped to a valid region, not 'us-east-2'/), String(call));
});

test('a host name that nobody has is no answer, and the sentence names it', async () => {
  await using bed = await awsBed();
  // Reserved for this (RFC 2606).
  const cloud = bed.driver({ endpoint: 'http://ec2.nowhere.invalid', deadline_ms: 5000 });
  await assert.rejects(cloud.network(), (error: unknown) => {
    fails('cloudUnavailable')(error);
    assert.match(String((error as { hint?: string }).hint), /ec2\.nowhere\.invalid/); // it is a Failure
    return true;
  });
});

test('subnets, groups and instances that cannot be ids are refused with what was written, and nothing is made', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24');
  const { cloud } = bed;
  const request: CreateNic = { clientToken: 'nonsense', subnet, securityGroups: [], tags, description: '' };
  // As they stand in a PodSubnet, or in a Node's providerID.
  const [noSubnet, noInstance] = ['my subnet' as SubnetId, 'i-my-machine' as InstanceId];
  const { id } = await cloud.createNic({ ...request, clientToken: 'a good one' });
  await assert.rejects(cloud.createNic({ ...request, subnet: noSubnet }), fails('cloudNotFound', /my subnet/));
  await assert.rejects(cloud.createNic({ ...request, securityGroups: ['web'] }), fails('cloudInvalid', /web/));
  await assert.rejects(cloud.attachNic(id, noInstance, 1), fails('cloudInvalid', /i-my-machine/));
  // Filters take any text.
  assert.deepEqual([await cloud.subnets([noSubnet]), await cloud.instances([noInstance])], [[], []]);
  await assert.rejects(cloud.instance(noInstance), fails('cloudNotFound', /i-my-machine/));
  assert.deepEqual(
    (await cloud.nics({ tags })).map((nic) => nic.id),
    [id],
  );
});
