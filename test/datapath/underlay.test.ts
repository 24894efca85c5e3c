/** Plans of Pods that are on the network by a link of their own: lists, compared as such. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf } from '../../src/datapath/datapath.ts';
import type { PodInterface, UnderlayInterface } from '../../src/datapath/interface.ts';
import { readPodInterface } from '../../src/datapath/stored.ts';
import { describe, nameOf } from '../../src/kernel/state.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';

const pod: UnderlayInterface = {
  datapath: 'macvlan',
  netns: '/run/netns/p',
  ifname: 'eth0',
  mac: parseMac('02:00:00:00:00:02'),
  hostEnd: 'fpn1',
  hostMac: parseMac('02:00:00:00:00:01'),
  mtu: 1400,
  owner: 'flatpod:c:eth0',
  addresses: [parseIp('10.20.0.9')],
  podTable: 7064,
  protocol: 114,
  underlay: {
    parent: 'eth1',
    of: { type: 'macvlan', mode: 'bridge' },
    subnets: [{ cidr: parseCidr('10.20.0.0/24'), gateway: parseIp('10.20.0.1') }],
  },
  serviceVeth: {
    name: 'node0',
    mac: parseMac('02:00:00:00:00:03'),
    viaNode: [parseCidr('10.20.0.4/32'), parseCidr('10.96.0.0/16')],
    mark: { value: 2, mask: 0x6e },
    priority: 720,
    table: 7001,
  },
};

const words = (of: UnderlayInterface): string[] =>
  planOf(of).map((object) => `${nameOf(object.where) === 'host' ? 'host' : 'pod'}: ${describe(object)}`);

test('macvlan with its service veth is this list', () => {
  assert.deepEqual(words(pod), [
    'pod: macvlan bridge eth0 of eth1',
    'pod: sysctl net/ipv4/conf/eth0/rp_filter = 2',
    'pod: link eth0 up',
    'pod: address 10.20.0.9/24 dev eth0',
    'pod: route 0.0.0.0/0 via 10.20.0.1 dev eth0 table main',
    'host: veth fpn1 with peer node0',
    'host: route 10.20.0.9/32 dev fpn1 table 7064',
    'host: neighbour 10.20.0.9 lladdr 02:00:00:00:00:03 dev fpn1 permanent',
    'pod: link node0 up',
    'pod: sysctl net/ipv4/conf/all/rp_filter = 0',
    'pod: sysctl net/ipv4/conf/node0/rp_filter = 0',
    'pod: neighbour 169.254.1.1 lladdr 02:00:00:00:00:01 dev node0 permanent',
    'pod: route 169.254.1.1/32 dev node0 table main',
    'pod: route 10.20.0.4/32 via 169.254.1.1 dev node0 table main',
    'pod: route 10.96.0.0/16 via 169.254.1.1 dev node0 table main',
    'pod: route 169.254.1.1/32 dev node0 table 7001',
    'pod: route 0.0.0.0/0 via 169.254.1.1 dev node0 table 7001',
    'pod: rule 720: fwmark 0x2/0x6e lookup 7001',
    'pod: nft table inet flatpod_node0',
  ]);
});

test('the other datapaths differ in the link alone', () => {
  const rest = words(pod).slice(1);
  const of = (change: Partial<UnderlayInterface>, kind: UnderlayInterface['underlay']['of']): string[] =>
    words({ ...pod, ...change, underlay: { parent: 'eth1', subnets: pod.underlay.subnets, ...(kind !== undefined && { of: kind }) } });
  assert.deepEqual(of({ datapath: 'ipvlan' }, { type: 'ipvlan', mode: 'l2' }), ['pod: ipvlan l2 eth0 of eth1', ...rest]);
  assert.deepEqual(of({ datapath: 'branch' }, { type: 'vlan', id: 7 }), ['pod: vlan 7 eth0 of eth1', ...rest]);
  assert.deepEqual(
    of({ datapath: 'nic' }, undefined),
    ['pod: NIC 02:00:00:00:00:02 as eth0', ...rest].map((line) => (line === 'pod: link eth0 up' ? `${line} mtu 1400` : line)),
  );
});

test('in layer 3 modes the node decides about every packet: no subnet, no gateway', () => {
  const lines = words({ ...pod, datapath: 'ipvlan', underlay: { ...pod.underlay, of: { type: 'ipvlan', mode: 'l3s' } } });
  assert.deepEqual(lines.slice(3, 5), ['pod: address 10.20.0.9/32 dev eth0', 'pod: route 0.0.0.0/0 dev eth0 table main']);
});

test('a subnet without a router: everything but the subnet goes by the node', () => {
  const lines = words({ ...pod, underlay: { ...pod.underlay, subnets: [{ cidr: parseCidr('10.20.0.0/24') }] } });
  assert.deepEqual(
    lines.filter((line) => line.includes('0.0.0.0/0') && line.includes('main')),
    ['pod: route 0.0.0.0/0 via 169.254.1.1 dev node0 table main'],
  );
});

test('of several interfaces each has rules for what leaves with its address; one that was alone gets them with the second', () => {
  const routed: PodInterface = {
    datapath: 'routed-veth',
    netns: pod.netns,
    ifname: 'eth0',
    mac: pod.mac,
    hostEnd: 'fp2',
    hostMac: pod.hostMac,
    mtu: 1400,
    owner: 'flatpod:c:eth0',
    addresses: [parseIp('10.20.7.7')],
    podTable: 7000,
    protocol: 114,
  };
  const second: UnderlayInterface = {
    ...pod,
    rank: 1,
    ifname: 'net1',
    serviceVeth: { ...pod.serviceVeth, name: 'node1', table: 7003 },
    source: { table: 7004, priority: 740 },
    besides: [{ ...routed, source: { table: 7002, priority: 740 } }],
  };
  const lines = words(second).filter((line) => /700[24]|metric/.test(line));
  assert.deepEqual(lines, [
    'pod: route 0.0.0.0/0 via 10.20.0.1 dev net1 table main metric 1',
    'pod: route 169.254.1.1/32 dev node1 table main metric 1',
    'pod: route 10.20.0.4/32 via 169.254.1.1 dev node1 table main metric 1',
    'pod: route 10.96.0.0/16 via 169.254.1.1 dev node1 table main metric 1',
    'pod: route 169.254.1.1/32 dev node1 table 7004',
    'pod: route 10.20.0.4/32 via 169.254.1.1 dev node1 table 7004',
    'pod: route 10.96.0.0/16 via 169.254.1.1 dev node1 table 7004',
    'pod: route 10.20.0.0/24 dev net1 table 7004',
    'pod: route 0.0.0.0/0 via 10.20.0.1 dev net1 table 7004',
    'pod: rule 740: from 10.20.0.9/32 lookup 7004',
    'pod: route 169.254.1.1/32 dev eth0 table 7002',
    'pod: route 0.0.0.0/0 via 169.254.1.1 dev eth0 table 7002',
    'pod: rule 740: from 10.20.7.7/32 lookup 7002',
  ]);
  assert.deepEqual(readPodInterface(JSON.parse(JSON.stringify(second))), second);
});

test('IPv6 as well: no router of the network gives the Pod another address or route', () => {
  const dual = words({
    ...pod,
    addresses: [...pod.addresses, parseIp('2001:db8::9')],
    underlay: { ...pod.underlay, subnets: [...pod.underlay.subnets, { cidr: parseCidr('2001:db8::/64'), gateway: parseIp('fe80::2') }] },
  });
  const four = words(pod);
  assert.deepEqual(
    dual.filter((line) => !four.includes(line)),
    [
      'pod: sysctl net/ipv6/conf/default/disable_ipv6 = 0',
      'pod: sysctl net/ipv6/conf/eth0/accept_ra = 0',
      'pod: sysctl net/ipv6/conf/eth0/autoconf = 0',
      'pod: address 2001:db8::9/64 dev eth0',
      'pod: route ::/0 via fe80::2 dev eth0 table main',
      'host: route 2001:db8::9/128 dev fpn1 table 7064',
      'host: neighbour 2001:db8::9 lladdr 02:00:00:00:00:03 dev fpn1 permanent',
      'pod: neighbour fe80::1 lladdr 02:00:00:00:00:01 dev node0 permanent',
      'pod: route ::/0 via fe80::1 dev node0 table 7001',
      'pod: rule 720: fwmark 0x2/0x6e lookup 7001',
    ].filter((line) => !four.includes(line)),
  );
});

test('what was stored is read again as it was; anything else is refused by field', () => {
  assert.deepEqual(readPodInterface(JSON.parse(JSON.stringify(pod))), pod);
  for (const field of ['underlay', 'serviceVeth'])
    assert.throws(() => readPodInterface({ ...pod, [field]: null }), new RegExp(field), field);
  for (const field of ['name', 'mac', 'viaNode', 'mark', 'table'])
    assert.throws(() => readPodInterface({ ...pod, serviceVeth: { ...pod.serviceVeth, [field]: null } }), new RegExp(field), field);
  assert.throws(() => readPodInterface({ ...pod, underlay: { ...pod.underlay, of: { type: 'macvlan', mode: 'l2' } } }), /of is/);
});
