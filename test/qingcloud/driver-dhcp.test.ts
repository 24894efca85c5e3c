/** A vxnet without DHCP says nothing of which addresses are for giving: that is its affair, and no other's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateNic, SubnetId } from '../../src/cloud/cloud.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { fails } from '../cloud/scripted-server.ts';
import { qingGround, type QingGround } from './ground.ts';
import { json, scripted } from './scripted.ts';

const request = (subnet: SubnetId, want: CreateNic['want'], clientToken = 't'): CreateNic => ({
  clientToken,
  subnet,
  securityGroups: [],
  tags: { 'flatpod.dev/cluster': 'c', 'flatpod.dev/intent': clientToken },
  description: '',
  ...(want && { want }),
});

/** A vxnet that has joined the router without DHCP. */
async function vxnetWithoutDhcp(ground: QingGround): Promise<SubnetId> {
  const { vxnets } = await ground.act('CreateVxnets', { vxnet_type: 1, vxnet_name: 'without' });
  const [{ router_id: router }] = (await ground.act('DescribeRouters')).router_set;
  await ground.done('JoinRouter', { vxnet: vxnets[0], router, ip_network: '10.20.9.0/24', features: 0 });
  return vxnets[0];
}

test('a vxnet of the account whose DHCP is off keeps no node from its addresses in another', async () => {
  await using ground = await qingGround();
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  await vxnetWithoutDhcp(ground);
  const cloud = ground.driver();
  assert.equal((await cloud.network()).cidrs.length, 1);
  const made = await cloud.createNic(request(subnet, { addresses4: 2 }));
  assert.equal(made.blocks.length, 2);
  assert.equal((await cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } })).length, 1);
});

test('in a vxnet whose DHCP is off no address is guessed: it is said what to do, and blocks that are named are given', async () => {
  await using ground = await qingGround();
  const subnet = await vxnetWithoutDhcp(ground);
  const cloud = ground.driver();
  assert.deepEqual(
    (await cloud.subnets([subnet])).map(({ cidr4 }) => cidr4),
    ['10.20.9.0/24'],
  );
  const words = /DHCP is off in vxnet-\w+.*turn DHCP on.*spec\.within/;
  await assert.rejects(cloud.createNic(request(subnet, { addresses4: 1 })), fails('cloudInvalid', words));
  const these = [parseCidr('10.20.9.64/28')];
  await assert.rejects(cloud.createNic(request(subnet, { these }, 'u')), fails('cloudInvalid', words));
  assert.deepEqual(await cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } }), [], 'nothing was made');
  const within = [parseCidr('10.20.9.128/25')];
  const { id, blocks } = await cloud.createNic(request(subnet, { addresses4: 1, within }, 'v'));
  assert.deepEqual(blocks, ['10.20.9.240/32'], 'of the /28 that the last address breaks');
  await assert.rejects(cloud.assign(id, { prefixes4: 1 }), fails('cloudInvalid', words));
  assert.deepEqual(await cloud.assign(id, { these }), these);
});

test('in a vxnet whose DHCP is off a NIC that is born with an address takes its own of the blocks that are named', async () => {
  await using ground = await qingGround();
  const subnet = await vxnetWithoutDhcp(ground);
  const these = [parseCidr('10.20.9.160/32')];
  const within = [parseCidr('10.20.9.160/31'), parseCidr('10.20.9.200/32')];
  const made = await ground.driver().createNic(request(subnet, { these, within }));
  assert.deepEqual([made.primary4, made.blocks], ['10.20.9.161', these]);
  const other = [parseCidr('10.20.9.162/32')];
  const second = await ground.driver().createNic(request(subnet, { these: other, within }, 'u'));
  assert.deepEqual([second.primary4, second.blocks], ['10.20.9.200', other], 'none between the blocks');
  const third = { these: [parseCidr('10.20.9.163/32')], within };
  await assert.rejects(
    ground.driver().createNic(request(subnet, third, 'v')),
    fails('cloudSubnetFull', /no address left for the NIC itself/),
  );
});

test('in a vxnet whose DHCP is off a refusal that passes closes no address', async () => {
  await using ground = await qingGround();
  const subnet = await vxnetWithoutDhcp(ground);
  const cloud = ground.driver();
  const { id } = await cloud.createNic(request(subnet, undefined));
  const within = [parseCidr('10.20.9.128/28')];
  const effect = { kind: 'refuse', code: 1400, message: 'PermissionDenied, resource is busy' };
  assert.ok((await ground.aside('POST', '/double/faults', { action: 'AllocateVips', count: 1, effect })).status < 300);
  assert.deepEqual(await cloud.assign(id, { prefixes4: 1, within }), within);
});

test('a range with one end is no answer', async () => {
  await using server = await scripted();
  const router = { router_id: 'rtr-1', ip_network: '10.20.0.0/24', manager_ip: '10.20.0.1', dyn_ip_start: '10.20.0.2', dyn_ip_end: '' };
  server.answers = { DescribeVxnets: json({ vxnet_set: [{ vxnet_id: 'vxnet-1', router }], total_count: 1 }) };
  await assert.rejects(server.cloud.network(), fails('cloudGarbled', /should have both dyn_ip_start and dyn_ip_end/));
});
