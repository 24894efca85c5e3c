/** What the VPC makes of Neutron's events, without packets: those that the driver in Neutron would send are sent from here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { neutronFront } from '../../src/vpc/neutron/front.ts';
import { call, type Reply, testVpc, type TestVpc } from './support.ts';

const id = (kind: string, n: number): string => `${kind}0000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
const [network, subnet, server] = [id('a', 1), id('b', 1), id('c', 1)];
const groups = [id('d', 1)];

interface Ground extends AsyncDisposable {
  readonly vpc: TestVpc;
  tell(kind: string, what: string, now: object): Promise<Reply>;
  told(kind: string, what: string, now: object): Promise<void>;
  /** A port's NIC as the VPC's own API shows it. */
  nic(n: number): Promise<Reply['body']>;
}

async function ground(): Promise<Ground> {
  const vpc = await testVpc({ fronts: [neutronFront('127.0.0.1:0')] });
  const tell = (kind: string, what: string, now: object): Promise<Reply> =>
    call(vpc.frontUrls['neutron'] ?? '', 'POST', '/', { seq: 1, kind, what, now });
  const told = async (kind: string, what: string, now: object): Promise<void> => {
    const reply = await tell(kind, what, now);
    assert.equal(reply.status, 204, JSON.stringify(reply.body));
  };
  return {
    vpc,
    tell,
    told,
    nic: async (n) => (await vpc.call('GET', '/v1/nics')).body.items.find((nic: { id: string }) => nic.id === id('e', n)),
    [Symbol.asyncDispose]: () => vpc[Symbol.asyncDispose](),
  };
}

const net = (n = 1): object => ({ id: id('a', n), name: '', mtu: 1450 });
const sub = (cidr: string, n = 1, of = n): object => ({
  id: id('b', n),
  network_id: id('a', of),
  cidr,
  gateway_ip: cidr.replace(/\.0\/\d+$/, '.1'),
});
const mac = (n: number): string => `fa:16:3e:00:00:${n.toString(16).padStart(2, '0')}`;

interface Fields {
  readonly addresses?: readonly string[];
  readonly pairs?: readonly string[];
  readonly server?: string;
  readonly more?: object;
}

function port(n: number, { addresses = [`10.1.0.${10 + n}`], pairs = [], server: on = '', more = {} }: Fields = {}): object {
  return {
    id: id('e', n),
    name: `port ${n}`,
    network_id: network,
    mac_address: mac(n),
    admin_state_up: true,
    device_id: on,
    device_owner: on === '' ? '' : 'compute:nova',
    fixed_ips: addresses.map((ip_address) => ({ subnet_id: subnet, ip_address })),
    allowed_address_pairs: pairs.map((ip_address) => ({ ip_address, mac_address: mac(n) })),
    port_security_enabled: true,
    security_groups: groups,
    'binding:vif_type': on === '' ? 'unbound' : 'ovs',
    ...more,
  };
}

async function withNetwork(): Promise<Ground> {
  const on = await ground();
  await on.told('network', 'create', net());
  await on.told('subnet', 'create', sub('10.1.0.0/24'));
  return on;
}

test('a network with a subnet is a subnet, a port that Nova attached a NIC of an instance; what goes in Neutron goes here', async () => {
  await using on = await withNetwork();
  await on.told('port', 'create', port(1));
  assert.equal((await on.nic(1)).attachment, undefined);
  await on.told('port', 'update', port(1, { server }));
  await on.told('port', 'create', port(2, { server }));
  const [one, two] = [await on.nic(1), await on.nic(2)];
  assert.deepEqual([one.primary4, one.mac, one.attachment.deviceIndex, two.attachment.deviceIndex], ['10.1.0.11', mac(1), 0, 1]);
  const [instance] = (await on.vpc.call('GET', '/v1/instances')).body.items;
  assert.deepEqual([instance.id, instance.name], [server, server.slice(0, 8)]);
  for (const n of [1, 2]) await on.told('port', 'delete', port(n));
  await on.told('subnet', 'delete', sub('10.1.0.0/24'));
  await on.told('network', 'delete', net());
  for (const what of ['nics', 'instances', 'subnets']) assert.deepEqual((await on.vpc.call('GET', `/v1/${what}`)).body.items, [], what);
});

test('a NIC keeps its place and its first address, whatever the order of Neutron’s list, also across a restart', async () => {
  await using on = await withNetwork();
  await on.told('port', 'create', port(1, { server }));
  await on.told('port', 'create', port(2, { server }));
  await on.told('port', 'update', port(2, { server, addresses: ['10.1.0.5', '10.1.0.12', '10.1.0.6'] }));
  await on.told('port', 'delete', port(1));
  await on.vpc.restart();
  await on.told('port', 'update', port(2, { server, addresses: ['10.1.0.6', '10.1.0.5', '10.1.0.12'] }));
  const two = await on.nic(2);
  assert.deepEqual([two.primary4, two.blocks.toSorted(), two.attachment.deviceIndex], ['10.1.0.12', ['10.1.0.5/32', '10.1.0.6/32'], 1]);
});

test('of a pair that holds what others have, the rest is given; the gateway’s address never', async () => {
  await using on = await withNetwork();
  await on.told('port', 'create', port(1, { server, pairs: ['10.1.0.0/30'] }));
  assert.deepEqual((await on.nic(1)).blocks, ['10.1.0.0/32', '10.1.0.2/31']);
  await on.told('port', 'create', port(2, { server: id('c', 2), addresses: ['10.1.0.2'], pairs: ['0.0.0.0/0'] }));
  assert.deepEqual((await on.nic(1)).blocks, ['10.1.0.0/32', '10.1.0.3/32']);
  assert.ok(
    (await on.nic(2)).blocks.every((block: string) => block.startsWith('10.1.0.')),
    'everything is everything in its network',
  );
});

test('a pair outside of all networks is routed, and part of the VPC from then on', async () => {
  await using on = await withNetwork();
  await on.told('port', 'create', port(1, { server, pairs: ['10.244.3.0/24'] }));
  assert.deepEqual((await on.nic(1)).blocks, ['10.244.3.0/24']);
  assert.ok((await on.vpc.call('GET', '/v1/network')).body.cidrs.includes('10.244.3.0/24'));
});

test('without port security any MAC passes, and the addresses of unbound ports that name the port as their device', async () => {
  await using on = await withNetwork();
  await on.told('port', 'create', port(1, { server, more: { port_security_enabled: false, security_groups: [] } }));
  await on.told('port', 'create', port(2, { more: { device_id: id('e', 1), device_owner: 'flatpod:block' } }));
  await on.told('port', 'create', port(3));
  const one = await on.nic(1);
  assert.deepEqual([one.blocks, one.multiMac], [['10.1.0.12/32'], true]);
  await on.told('port', 'delete', port(2));
  assert.deepEqual((await on.nic(1)).blocks, []);
  await on.told('port', 'update', port(1, { server, more: { port_security_enabled: false, security_groups: [], tags: ['fp:key=abc'] } }));
  await on.told('port', 'create', port(4, { more: { device_id: 'flatpod-abc', device_owner: 'flatpod:block' } }));
  assert.deepEqual((await on.nic(1)).blocks, ['10.1.0.14/32']);
});

test('subports are branches while they are on the trunk', async () => {
  await using on = await withNetwork();
  const trunk = { trunk_id: id('f', 1), port_id: id('e', 1) };
  const sub_ports = [{ port_id: id('e', 2), segmentation_type: 'vlan', segmentation_id: 7 }];
  for (const n of [1, 2]) await on.told('port', 'create', port(n));
  await on.told('trunk', 'create', { ...trunk, sub_ports });
  await on.told('port', 'update', port(1, { server }));
  assert.deepEqual((await on.nic(2)).branch, { trunk: id('e', 1), vlan: 7 });
  await on.told('subports', 'delete', { ...trunk, sub_ports });
  assert.equal((await on.nic(2)).branch, undefined);
  await on.told('subports', 'create', { ...trunk, sub_ports });
  await on.told('trunk', 'delete', { ...trunk, sub_ports });
  assert.equal((await on.nic(2)).branch, undefined);
});

test('security groups are translated; one that was made before anybody listened lets out everything and in its own', async () => {
  await using on = await withNetwork();
  const rule = {
    id: id('9', 1),
    security_group_id: id('d', 2),
    direction: 'ingress',
    ethertype: 'IPv4',
    protocol: 'tcp',
    port_range_min: 80,
    port_range_max: 81,
  };
  await on.told('security_group', 'create', {
    id: id('d', 2),
    name: 'web',
    security_group_rules: [{ ...rule, remote_ip_prefix: '10.0.0.0/8' }],
  });
  await on.told('security_group_rule', 'create', { ...rule, id: id('9', 2), protocol: '132', port_range_min: null, port_range_max: null });
  await on.told('port', 'create', port(1));
  const found = async (n: number): Promise<object[]> =>
    (await on.vpc.call('GET', '/v1/security-groups')).body.items.find((group: { id: string }) => group.id === id('d', n))?.rules;
  assert.deepEqual(await found(2), [{ direction: 'ingress', protocol: 'tcp', ports: { from: 80, to: 81 }, cidr: '10.0.0.0/8' }]);
  assert.deepEqual((await found(1)).at(-1), { direction: 'ingress', protocol: 'any', group: id('d', 1) });
  const events = (await on.vpc.call('GET', '/v1/events')).body.items;
  assert.ok(events.some(({ text }: { text: string }) => text.includes('does not know protocol 132')));
  await on.told('security_group', 'delete', { id: id('d', 2) });
  assert.equal(await found(2), undefined);
});

test('two networks with the same addresses: the second stays unwired, and an event says so', async () => {
  await using on = await withNetwork();
  await on.told('network', 'create', net(2));
  await on.told('subnet', 'create', sub('10.1.0.0/16', 2));
  const subnets = (await on.vpc.call('GET', '/v1/subnets')).body.items;
  assert.deepEqual(
    subnets.map((one: { id: string }) => one.id),
    [network],
  );
  const events = (await on.vpc.call('GET', '/v1/events')).body.items;
  assert.ok(events.some(({ text }: { text: string }) => text.includes('10.1.0.0/16 overlaps 10.1.0.0/24')));
});

test('what cannot be read is refused with what is wrong, and changes nothing', async () => {
  await using on = await withNetwork();
  for (const [kind, what, now] of [
    ['port', 'create', { ...port(1), mac_address: 'none' }],
    ['port', 'create', { ...port(1), id: '../../x' }],
    ['subnet', 'create', { ...sub('10.1.0.0/24', 3), cidr: '10.1.0.1/24' }],
    ['flavour', 'create', {}],
    ['port', 'rename', port(1)],
  ] as const) {
    const reply = await on.tell(kind, what, now);
    assert.equal(reply.status, 400);
    assert.ok(reply.body.error.message.length > 0);
  }
  assert.deepEqual((await on.vpc.call('GET', '/v1/nics')).body.items, []);
});
