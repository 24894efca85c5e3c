/** What is attached through the double carries real packets, and its VIPs and filters hold. Needs root and network namespaces. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceAddresses } from '../../src/kernel/address-announce.ts';
import { parseIp } from '../../src/net/address.ts';
import { inside, reaches, reachesSoon, silent } from '../vpc/site.ts';
import { type Double, otherKey, qingcloudDouble } from './double.ts';

interface Machine {
  readonly netns: string;
  readonly id: string;
  readonly address: string;
}

async function machine(double: Double, vxnet: string, name: string): Promise<Machine> {
  const id = await double.instance(vxnet, name);
  const { items } = (await double.own('GET', `/v1/instances?name=${name}`)).body;
  return { id, netns: items[0].netns, address: items[0].addresses[0] };
}

interface Drop {
  readonly reason: string;
  readonly address?: string;
}

const dropped = async (double: Double, reason: string): Promise<(string | undefined)[]> =>
  (await double.own('GET', '/v1/drops')).body.items.filter((one: Drop) => one.reason === reason).map(({ address }: Drop) => address);

/** Two vxnets with a machine in `a` that has a further NIC in `b`, and a machine in each to ask from; the NIC speaks for a VIP, by a table of its own. */
async function site(double: Double) {
  const [a, b] = [await double.vxnet('10.20.0.0/24', 'a'), await double.vxnet('10.20.1.0/24', 'b')];
  const [node, near, far] = [await machine(double, a, 'node'), await machine(double, b, 'near'), await machine(double, a, 'far')];
  const [{ nic_id: nic }] = (await double.ok('CreateNics', { vxnet: b, disable_ip: 1 })).nics;
  assert.equal(await double.final((await double.ok('AttachNics', { instance: node.id, 'nics.1': nic })).job_id), 'successful');
  const { job_id, vips } = await double.ok('AllocateVips', { vxnet_id: b, vip_range: '10.20.1.32-10.20.1.47', count: 16 });
  assert.equal(await double.final(job_id), 'successful');
  assert.match((await inside(node, 'ip link show eth1')).out, new RegExp(nic), "the NIC's id is its Ethernet address");
  await inside(
    node,
    `sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.arp_ignore=1; ip link set eth1 up;
     ip addr add 10.20.1.40/32 dev eth1; ip addr add 10.20.1.99/32 dev eth1; ip rule add from 10.20.1.0/24 lookup 100;
     ip route add 10.20.1.0/24 dev eth1 table 100; ip route add default via 10.20.1.1 dev eth1 table 100`,
  );
  return { a, b, node, near, far, nic, vips };
}

test('a VIP is reached at the NIC that answers for it, within its vxnet and by the router, until it is released', async () => {
  await using double = await qingcloudDouble({}, { fabric: true });
  const { node, near, far, nic, vips } = await site(double);
  assert.ok(await reaches(near, '10.20.1.40'));
  assert.match((await inside(near, 'ip neigh show 10.20.1.40')).out, new RegExp(nic), 'the node itself answered');
  assert.ok(await reachesSoon(far, '10.20.1.40'), 'the router asks too');
  assert.ok(await silent(near, '10.20.1.41'), 'a VIP that nobody answers for');
  assert.ok(await silent(near, '10.20.1.99'), 'no VIP, and not of this NIC');
  assert.ok(await silent(node, near.address, '-I 10.20.1.99'));
  assert.ok((await dropped(double, 'SourceAddress')).includes('10.20.1.99'));
  const at = Object.fromEntries(vips.map((vip: string, i: number) => [`vips.${i + 1}`, vip]));
  assert.equal(await double.final((await double.ok('ReleaseVips', at)).job_id), 'successful');
  assert.ok(await silent(near, '10.20.1.40'));
});

test('a VIP is where it was announced last', async () => {
  await using double = await qingcloudDouble({}, { fabric: true });
  const { b, node, near } = await site(double);
  const other = await machine(double, b, 'other');
  assert.ok(await reaches(near, '10.20.1.40'));
  await inside(node, 'ip addr del 10.20.1.40/32 dev eth1');
  await inside(other, 'ip addr add 10.20.1.40/32 dev eth0');
  announceAddresses(other.netns, 'eth0', [parseIp('10.20.1.40')]);
  assert.ok(await reachesSoon(near, '10.20.1.40'));
  const [nic] = (await double.ok('DescribeNics', { 'instances.1': other.id })).nic_set;
  assert.match((await inside(near, 'ip neigh show 10.20.1.40')).out, new RegExp(nic.nic_id));
});

test('where VIPs need enable_aspoof, they are silent without it', async () => {
  await using double = await qingcloudDouble({ switches: { jobs_ms: [1, 30], vipsNeedAspoof: true } }, { fabric: true });
  const { near, nic } = await site(double);
  assert.ok(await silent(near, '10.20.1.40'));
  await double.ok('ModifyNicAttributes', { nic, enable_aspoof: 1 });
  assert.ok(await reachesSoon(near, '10.20.1.40'));
  await double.ok('ModifyNicAttributes', { nic, enable_aspoof: 0 });
  assert.ok(await silent(near, '10.20.1.40'));
  await double.turn({ vipsNeedAspoof: false });
  assert.ok(await reachesSoon(near, '10.20.1.40'));
});

test('with enable_aspoof a NIC sends from any address, and without it from none but its own', async () => {
  await using double = await qingcloudDouble({}, { fabric: true });
  const vxnet = await double.vxnet();
  const [one, two] = [await machine(double, vxnet, 'one'), await machine(double, vxnet, 'two')];
  const [nic] = (await double.ok('DescribeNics', { 'instances.1': one.id })).nic_set;
  const { security_group_id: group } = await double.ok('CreateSecurityGroup');
  const rules = { security_group: group, 'rules.1.action': 'accept', 'rules.1.priority': 1, 'rules.1.protocol': 'all' };
  await double.ok('AddSecurityGroupRules', rules);
  const apply = { security_group: group, 'instances.1': one.id, 'instances.2': two.id };
  assert.equal(await double.final((await double.ok('ApplySecurityGroup', apply)).job_id), 'successful');
  await inside(one, 'ip addr add 172.30.0.9/32 dev lo');
  await inside(two, `ip route add 172.30.0.9/32 via ${one.address}`);
  assert.ok(await reaches(one, two.address));
  assert.ok(await silent(one, two.address, '-I 172.30.0.9'));
  assert.ok((await dropped(double, 'SourceAddress')).includes('172.30.0.9'));
  await double.ok('ModifyNicAttributes', { nic: nic.nic_id, enable_aspoof: 1 });
  assert.ok(await reaches(one, two.address, '-I 172.30.0.9'));
});

test('rules of a security group do nothing until they are applied', async () => {
  await using double = await qingcloudDouble({}, { fabric: true });
  const [a, b] = [await double.vxnet('10.20.0.0/24', 'a'), await double.vxnet('10.20.1.0/24', 'b')];
  const [one, two] = [await machine(double, a, 'one'), await machine(double, b, 'two')];
  const { security_group_id: group } = await double.ok('CreateSecurityGroup', { security_group_name: 'web' });
  const apply = async (): Promise<void> => {
    const { job_id } = await double.ok('ApplySecurityGroup', { security_group: group, 'instances.1': two.id });
    assert.equal(await double.final(job_id), 'successful');
  };
  const applied = async (): Promise<number> =>
    (await double.ok('DescribeSecurityGroups', { 'security_groups.1': group })).security_group_set[0].is_applied;
  await apply();
  assert.ok(await silent(one, two.address), 'it lets nothing in');
  const rule = { 'rules.1.action': 'accept', 'rules.1.priority': 1, 'rules.1.protocol': 'icmp', 'rules.1.val3': '10.20.0.0/24' };
  await double.ok('AddSecurityGroupRules', { security_group: group, ...rule });
  assert.equal(await applied(), 0);
  assert.ok(await silent(one, two.address));
  await apply();
  assert.equal(await applied(), 1);
  assert.ok(await reachesSoon(one, two.address));
});

test("inside an instance are its role's credentials", async () => {
  await using double = await qingcloudDouble({}, { fabric: true });
  const one = await machine(double, await double.vxnet(), 'one');
  const { out } = await inside(one, 'curl -s -m 15 http://169.254.169.254/latest/meta-data/security-credentials');
  const role = JSON.parse(out);
  assert.equal(role.ret_code, 0);
  const as = { key: { accessKeyId: role.access_key, secretAccessKey: role.secret_key }, path: '/iam' };
  assert.equal(await double.code('DescribeNics', { token: role.id_token }, as), 0);
  assert.match((await inside(one, 'curl -s -o /dev/null -w "%{http_code}" -m 15 http://169.254.169.254/latest/user-data')).out, /404/);
});

test("a NIC speaks for VIPs of its own account, and for nobody else's", async () => {
  await using double = await qingcloudDouble({}, { fabric: true });
  const { near, node, b } = await site(double);
  const as = { key: otherKey };
  const [{ nic_id: nic }] = (await double.ok('CreateNics', { vxnet: b, disable_ip: 1 }, as)).nics;
  assert.equal(await double.final((await double.ok('AttachNics', { instance: node.id, 'nics.1': nic }, as)).job_id), 'successful');
  const { job_id } = await double.ok('AllocateVips', { vxnet_id: b, vip_range: '10.20.1.64-10.20.1.79', count: 16 }, as);
  assert.equal(await double.final(job_id), 'successful');
  await inside(
    node,
    `ip link set eth1 down; ip link set eth2 up; ip addr add 10.20.1.70/32 dev eth2; ip route add 10.20.1.0/24 dev eth2 table 100`,
  );
  assert.ok(await reachesSoon(near, '10.20.1.70'));
  assert.ok(await silent(near, '10.20.1.40'), "the first account's, which the node has on its other NIC");
  await inside(node, 'ip link set eth2 down; ip link set eth1 up; ip route add 10.20.1.0/24 dev eth1 table 100');
  assert.ok(await reachesSoon(near, '10.20.1.40'));
  assert.ok(await silent(near, '10.20.1.70'));
});
