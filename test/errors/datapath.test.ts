/** What a PodSubnet's datapath cannot do on a NIC is said with the error made for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podInterface } from '../../src/agent/pod-interface.ts';
import { sayInstead, wayOf } from '../../src/agent/way.ts';
import type { NicId } from '../../src/cloud/cloud.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseMac } from '../../src/net/mac.ts';
import type { GrantedNic } from '../../src/store/node-network.ts';
import { podSubnet, type PodSubnet } from '../../src/store/pod-subnet.ts';
import { config } from './support.ts';

const nic: GrantedNic = {
  id: 'nic-1' as NicId, // the cloud's own word in these tests
  mac: parseMac('02:00:00:00:00:01'),
  deviceIndex: 1,
  mtu: 1500,
  blocks: [],
  reclaiming: [],
};

function subnet(spec: object): PodSubnet {
  return podSubnet.parse({
    apiVersion: 'flatpod.dev/v1alpha1',
    kind: 'PodSubnet',
    metadata: { name: 'a' },
    spec: { cloudSubnet: 's', ...spec },
  });
}

test('macvlan on a NIC of one MAC: FP285 macsRefused names the NIC', () => {
  assert.throws(() => wayOf(subnet({ datapath: 'macvlan' }), nic, () => true), { kind: 'macsRefused', message: /^NIC nic-1 accepts/ });
  assert.deepEqual(
    wayOf(subnet({ datapath: 'macvlan' }), { ...nic, multiMac: true }, () => true),
    { datapath: 'macvlan', mode: 'bridge' },
  );
});

test('a branch datapath on a NIC that is none: FP286 notABranch', () => {
  assert.throws(() => wayOf(subnet({ datapath: 'branch' }), nic, () => true), { kind: 'notABranch', message: /PodSubnet a need$/ });
});

test('a MAC asked for where the cloud knows the Pod by another: FP287 macNotChosen', () => {
  const wish = { container: 'c', ifname: 'eth0', netns: '/run/netns/x', mac: parseMac('02:00:00:00:00:99'), mtu: undefined };
  const around = { numbers: config.config.spec.numbers, viaNode: [] };
  const make = () => podInterface(wish, { datapath: 'nic' }, { nic, link: 'eth1' }, [parseIp('10.0.0.1')], around);
  assert.throws(make, { kind: 'macNotChosen', message: /with datapath nic it is 02:00:00:00:00:01$/ });
});

test('macvlan passthru on the NIC that is the node itself: FP282 parentBusy', () => {
  const passthru = subnet({ datapath: 'macvlan', mode: 'passthru' });
  assert.throws(() => wayOf(passthru, { ...nic, multiMac: true, deviceIndex: 0 }, () => true), {
    kind: 'parentBusy',
    message: /^nic-1, which is the node's own, cannot have macvlan passthru: it is used/,
  });
});

test("of a range, whose NICs are made up, a Pod that shares its parent's MAC is told that of the link", () => {
  const [wish, mac] = [
    { container: 'c', ifname: 'eth0', netns: '/run/netns/x', mac: undefined, mtu: undefined },
    parseMac('02:00:00:00:00:77'),
  ];
  const around = { numbers: config.config.spec.numbers, viaNode: [] };
  const ranged = { nic: { ...nic, parent: 'bond0' }, link: 'bond0', device: { index: 7, mac } };
  for (const way of [
    { datapath: 'macvlan', mode: 'passthru' },
    { datapath: 'ipvlan', mode: 'l2' },
  ] as const)
    assert.equal(podInterface(wish, way, ranged, [parseIp('10.0.0.1')], around).mac, mac);
});

test('a kernel without the datapath: the fallback is said, and without one FP281 what to load', () => {
  const hasNone = (): boolean => false;
  const fallback = subnet({ datapath: 'ipvlan', fallback: 'routed-veth' });
  assert.equal(sayInstead(fallback, hasNone), 'Pods of PodSubnet a get datapath routed-veth here: the kernel of this node has no ipvlan');
  assert.deepEqual(wayOf(fallback, nic, hasNone), { datapath: 'routed-veth' });
  assert.match(
    sayInstead(subnet({ datapath: 'ipvlan' }), hasNone) ?? '',
    /cannot be served here: the kernel of this node has no ipvlan links/,
  );
  assert.match(sayInstead(subnet({ datapath: 'ipvlan', fallback: 'macvlan' }), hasNone) ?? '', /modprobe ipvlan/);
  assert.equal(
    sayInstead(subnet({ datapath: 'ipvlan' }), () => true),
    undefined,
  );
});
