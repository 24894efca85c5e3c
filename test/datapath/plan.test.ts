/** Plans are lists: what routed-veth and the node want, compared as such; marks by property. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { NicId } from '../../src/cloud/cloud.ts';
import { planOf } from '../../src/datapath/datapath.ts';
import { hostTable } from '../../src/datapath/host-table.ts';
import type { PodInterface } from '../../src/datapath/interface.ts';
import { markOf } from '../../src/datapath/marks.ts';
import { nodePlan } from '../../src/datapath/node.ts';
import { readPodInterface } from '../../src/datapath/stored.ts';
import { describe, nameOf } from '../../src/kernel/state.ts';
import { runNft } from '../../src/kernel/nft.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import { nodeConfig } from '../../src/store/node-config.ts';
import type { GrantedNic } from '../../src/store/node-network.ts';
import { testNetns } from '../kernel/namespace.ts';

const pod: PodInterface = {
  datapath: 'routed-veth',
  netns: '/run/netns/p',
  ifname: 'eth0',
  mac: parseMac('02:00:00:00:00:02'),
  hostEnd: 'fp1',
  hostMac: parseMac('02:00:00:00:00:01'),
  mtu: 1400,
  owner: 'flatpod:c:eth0',
  addresses: [parseIp('10.20.0.9')],
  podTable: 7000,
  protocol: 114,
};

const words = (of: PodInterface): string[] =>
  planOf(of).map((object) => `${nameOf(object.where) === 'host' ? 'host' : 'pod'}: ${describe(object)}`);

test('routed-veth for IPv4 is this list', () => {
  assert.deepEqual(words(pod), [
    'host: veth fp1 with peer eth0',
    'host: route 10.20.0.9/32 dev fp1 table 7000',
    'pod: link eth0 up',
    'pod: address 10.20.0.9/32 dev eth0',
    'pod: route 169.254.1.1/32 dev eth0 table main',
    'pod: route 0.0.0.0/0 via 169.254.1.1 dev eth0 table main',
    'pod: neighbour 169.254.1.1 lladdr 02:00:00:00:00:01 dev eth0 permanent',
  ]);
});

test('dual stack adds the same for IPv6, whose gateway is on the link by itself', () => {
  const dual = words({ ...pod, addresses: [...pod.addresses, parseIp('2001:db8::9')] });
  const four = words(pod);
  assert.deepEqual(
    dual.filter((line) => !four.includes(line)),
    [
      'pod: sysctl net/ipv6/conf/default/disable_ipv6 = 0',
      'host: route 2001:db8::9/128 dev fp1 table 7000',
      'pod: address 2001:db8::9/128 dev eth0',
      'pod: route ::/0 via fe80::1 dev eth0 table main',
      'pod: neighbour fe80::1 lladdr 02:00:00:00:00:01 dev eth0 permanent',
    ],
  );
  assert.deepEqual(
    four.filter((line) => !dual.includes(line)),
    [],
  );
});

test('an interface that was stored is read again as it was; anything else is refused by field', () => {
  assert.deepEqual(readPodInterface(JSON.parse(JSON.stringify(pod))), pod);
  const answered = { ...pod, answeredOn: { link: 'eth1', mac: parseMac('02:00:00:00:00:07') } };
  assert.deepEqual(readPodInterface(JSON.parse(JSON.stringify(answered))), answered);
  assert.throws(() => readPodInterface({ ...pod, answeredOn: { link: 'eth1' } }), /mac/);
  for (const field of ['mac', 'hostEnd', 'mtu', 'addresses', 'podTable', 'protocol', 'datapath']) {
    assert.throws(() => readPodInterface({ ...pod, [field]: null }), new RegExp(field), field);
  }
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      assert.throws(() => readPodInterface(json), RangeError);
    }),
  );
});

test('marks of different NICs differ and stay inside of the mask', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 0xffff_ffff }), (mask) => {
      const bits = mask.toString(2).replaceAll('0', '').length;
      const count = Math.min(2 ** bits - 1, 40);
      const marks = Array.from({ length: count }, (_, index) => markOf(index, mask));
      assert.equal(new Set(marks).size, count);
      for (const mark of marks) assert.ok(mark !== 0 && (mark & mask) >>> 0 === mark, `${mark.toString(16)} of ${mask.toString(16)}`);
      if (count < 40) assert.throws(() => markOf(count, mask), RangeError);
    }),
  );
});

const nic = (deviceIndex: number): GrantedNic => ({
  id: `nic-${deviceIndex}` as NicId,
  mac: parseMac(`02:00:00:00:01:0${deviceIndex}`),
  deviceIndex,
  mtu: 1500,
  cidr4: parseCidr('10.20.0.0/24'),
  gateway4: parseIp('10.20.0.1'),
  primary4: parseIp(`10.20.0.${4 + deviceIndex}`),
  blocks: [],
  reclaiming: [],
});
const config = (more: object = {}) => {
  const spec = { instance: 'i', cloud: { type: 'vpc', endpoint: 'http://127.0.0.1:1' }, ...more };
  return nodeConfig.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'NodeConfig', metadata: { name: 'n' }, spec }).spec;
};

test('the node wants nothing of its first NIC but a reply rule; a further one gets address, table and rules', () => {
  const plan = nodePlan(
    config(),
    [
      { nic: nic(0), link: 'eth0' },
      { nic: nic(1), link: 'eth1' },
    ],
    [parseCidr('10.20.0.0/16')],
  ).map(describe);
  assert.deepEqual(plan, [
    'sysctl net/ipv4/ip_forward = 1',
    'rule 700: all (IPv4) lookup 7000',
    'rule 730: all (IPv4) lookup 7064',
    'rule 720: fwmark 0x2/0x6e lookup main',
    'sysctl net/ipv4/conf/eth0/rp_filter = 2',
    'link eth1 up mtu 1500',
    'address 10.20.0.5/32 dev eth1',
    'route 10.20.0.0/24 dev eth1 table 7001',
    'route 0.0.0.0/0 via 10.20.0.1 dev eth1 table 7001',
    'rule 740: from 10.20.0.5/32 lookup 7001',
    'rule 720: fwmark 0x4/0x6e lookup 7001',
    'sysctl net/ipv4/conf/eth1/rp_filter = 2',
    'nft table inet flatpod',
  ]);
});

test('a further NIC has one rule for all blocks that can be written as one, and none is for the first', () => {
  const blocks = ['10.20.0.16/28', '10.20.0.32/28', '10.20.0.48/28', '10.20.0.4/32'].map(parseCidr);
  const of = (deviceIndex: number): string[] =>
    nodePlan(config(), [{ nic: { ...nic(deviceIndex), blocks }, link: 'eth' }], [])
      .filter((object) => object.kind === 'rule' && object.priority === 740)
      .map(describe);
  assert.deepEqual(of(0), []);
  assert.deepEqual(of(1), [
    'rule 740: from 10.20.0.4/31 lookup 7001',
    'rule 740: from 10.20.0.16/28 lookup 7001',
    'rule 740: from 10.20.0.32/27 lookup 7001',
  ]);
});

test('Pods that were made under other numbers are found as well', () => {
  const rules = nodePlan(config(), [], [], { routed: [7000, 6000], underlay: [6064] }).filter((object) => object.kind === 'rule');
  assert.deepEqual(rules.map(describe), [
    'rule 700: all (IPv4) lookup 7000',
    'rule 700: all (IPv4) lookup 6000',
    'rule 730: all (IPv4) lookup 7064',
    'rule 730: all (IPv4) lookup 6064',
  ]);
});

test('the host table is what nft accepts: no NIC, one, three; SNAT on, off, with exclusions', () => {
  using ns = testNetns('table');
  const links = (count: number) => Array.from({ length: count }, (_, i) => ({ nic: nic(i), link: `eth${i}` }));
  const variants = [{}, { snat: { enabled: false } }, { snat: { exclude: ['192.168.0.0/16', '192.168.1.0/24'] } }];
  for (const count of [0, 1, 3]) {
    for (const more of variants) {
      const { text } = hostTable(config(more), links(count), [parseCidr('10.20.0.0/16'), parseCidr('2001:db8::/56')]);
      runNft(ns.netns, `table inet flatpod\ndelete table inet flatpod\ntable inet flatpod {\n${text}\n}\n`, 'host.nft');
      assert.doesNotMatch(text.replaceAll(/#.*/g, ''), /[A-Z]{3}/, 'every word in capitals was put in');
    }
  }
});
