/** What the driver makes of subnets: found by tags, and with IPv6 of their own accord. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateTagsCommand, DeleteTagsCommand, ModifySubnetAttributeCommand } from '@aws-sdk/client-ec2';
import { parseCidr } from '../../src/net/cidr.ts';
import { awsBed } from './ground.ts';
import { wire } from './wire.ts';

const role = 'kubernetes.io/role/cni';
const nic = { securityGroups: [], tags: { 'flatpod.dev/cluster': 'c' }, description: '' };

test('subnets are found by their tags, as many as have all of them, and by no wildcard', async () => {
  await using bed = await awsBed();
  const ids = await Promise.all(['10.20.0.0/24', '10.20.1.0/24', '10.20.2.0/24'].map((cidr) => bed.subnet(cidr)));
  const tag = (id: string | undefined, Key: string, Value: string) =>
    bed.ec2.send(new CreateTagsCommand({ Resources: [id ?? ''], Tags: [{ Key, Value }] }));
  await Promise.all([tag(ids[0], role, '1'), tag(ids[1], role, '1'), tag(ids[2], role, '0'), tag(ids[1], 'team', 'a*')]);
  const found = async (tags: Record<string, string>) => (await bed.cloud.subnets(tags)).map(({ id }) => id).toSorted();
  assert.deepEqual(await found({ [role]: '1' }), ids.slice(0, 2).toSorted());
  assert.deepEqual(await found({ [role]: '1', team: 'a*' }), ids.slice(1, 2));
  assert.deepEqual(await found({ [role]: '*' }), [], 'an asterisk is an asterisk');
  assert.deepEqual(await found({ team: 'b' }), []);
  assert.deepEqual(await found({}), [], 'no tags are nobody’s, not everybody’s');
  await bed.ec2.send(new DeleteTagsCommand({ Resources: [ids[1] ?? ''], Tags: [{ Key: role }] }));
  const [only, ...more] = await bed.cloud.subnets({ [role]: '1' });
  assert.deepEqual([only?.id, only?.cidr4, only?.free4, more.length], [ids[0], parseCidr('10.20.0.0/24'), 251, 0]);
});

test('in a subnet that assigns IPv6 addresses at creation an interface has its own one, and no other that a Pod could get', async () => {
  await using bed = await awsBed();
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  await bed.ec2.send(new ModifySubnetAttributeCommand({ SubnetId: subnet, AssignIpv6AddressOnCreation: { Value: true } }));
  const made = await bed.cloud.createNic({ ...nic, clientToken: 'dual', subnet, want: { addresses4: 1, prefixes6: 1 } });
  assert.ok(made.primary6 !== undefined);
  assert.equal(made.blocks.length, 2);
  const [seen] = await bed.driver().nics({ ids: [made.id] });
  assert.deepEqual([seen?.primary6, seen?.blocks.toSorted()], [made.primary6, made.blocks.toSorted()]);
});

test('a subnet that got IPv6 after it was read gives an interface none, whatever it assigns at creation', async () => {
  await using bed = await awsBed();
  await using between = await wire(bed.url);
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  await bed.ec2.send(new ModifySubnetAttributeCommand({ SubnetId: subnet, AssignIpv6AddressOnCreation: { Value: true } }));
  // What EC2 said of it before.
  between.change = (text, { action }) =>
    action === 'DescribeSubnets' ? text.replace(/<ipv6CidrBlockAssociationSet>.*?<\/ipv6CidrBlockAssociationSet>/s, '') : text;
  const cloud = bed.driver({ endpoint: between.url });
  assert.equal((await cloud.subnets([subnet]))[0]?.cidr6, undefined);
  const made = await cloud.createNic({ ...nic, clientToken: 'late', subnet, want: { addresses4: 1 } });
  const [seen] = await bed.driver().nics({ ids: [made.id] });
  assert.deepEqual([made.primary6, made.blocks.length, seen?.primary6, seen?.blocks.length], [undefined, 1, undefined, 1]);
});
