/** Which link a NIC is, when several have its MAC. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOfNic, pluggedIn } from '../../src/agent/nic-match.ts';
import type { NicId } from '../../src/cloud/cloud.ts';
import type { Link } from '../../src/kernel/netlink/link.ts';
import { parseMac } from '../../src/net/mac.ts';

const mac = parseMac('02:00:00:00:00:01');
const nic = { id: 'nic-1' as NicId, mac, deviceIndex: 1, mtu: 1500, blocks: [], reclaiming: [] }; // the cloud's own word in this test

function link(index: number, name: string, more: Partial<Link> = {}): Link {
  return { index, name, mac, mtu: 1500, up: true, kind: undefined, alias: undefined, master: undefined, peer: undefined, ...more };
}

const cases: readonly (readonly [promise: string, links: readonly Link[], found: string | undefined])[] = [
  ['a VLAN on a NIC is not the NIC', [link(2, 'eth1'), link(9, 'eth1.5', { kind: 'vlan', peer: 2 })], 'eth1'],
  ['nor is it when the kernel lists it first', [link(9, 'eth1.5', { kind: 'vlan', peer: 2 }), link(2, 'eth1')], 'eth1'],
  ['a virtual function is behind the device that stands for it', [link(2, 'eth1'), link(3, 'enP1', { master: 2 })], 'eth1'],
  ['the members of a bond are behind it', [link(2, 'eth1', { master: 7 }), link(7, 'bond0', { kind: 'bond' })], 'bond0'],
  ['a NIC in a bridge is the NIC', [link(2, 'eth1', { master: 7 }), link(7, 'br0', { kind: 'bridge' })], 'eth1'],
  ['a host end of ours never is', [link(2, 'fp0123', { kind: 'veth', alias: 'flatpod:c1:eth0' })], undefined],
  ['a NIC may have any name', [link(2, 'fp0')], 'fp0'],
];

for (const [promise, links, found] of cases) {
  test(promise, () => {
    const [named] = pluggedIn({ links: () => [...links] }, [nic]);
    assert.equal(named?.link, found);
  });
}

test('a NIC of a range is the interface of that name, whichever MAC it has', () => {
  const ofRange = { ...nic, parent: 'bond0.17' };
  const links = [link(2, 'eth1'), link(9, 'bond0.17', { mac: parseMac('02:00:00:00:00:99') })];
  assert.equal(pluggedIn({ links: () => links }, [ofRange])[0]?.link, 'bond0.17');
  assert.deepEqual(pluggedIn({ links: () => links.slice(0, 1) }, [ofRange]), [], 'none of that name');
});

test('a device that got another MAC is still the NIC it was; one that came in its place is not', () => {
  const before = pluggedIn({ links: () => [link(2, 'eth1')] }, [nic]);
  const other = { mac: parseMac('02:00:00:00:00:99') };
  const find = (links: readonly Link[]): string[] =>
    pluggedIn({ links: () => [...links] }, [nic], new Map(), before).map((one) => one.link);
  assert.deepEqual(find([link(2, 'lan7', other)]), ['lan7']);
  assert.deepEqual(find([link(2, 'eth1', other), link(3, 'eth2')]), ['eth2'], 'who has the MAC is the NIC');
  assert.deepEqual(find([link(3, 'eth1', other)]), []);
});

test('a change of an interface is one of a NIC by its MAC, or by the name that its range gives', () => {
  assert.equal(isOfNic(link(2, 'eth1'), [nic]), true);
  assert.equal(isOfNic(link(2, 'eth1'), [{ ...nic, parent: 'bond0.17' }]), false);
  assert.equal(isOfNic(link(2, 'bond0.17'), [{ ...nic, parent: 'bond0.17' }]), true);
  const seen = [{ nic: { ...nic, parent: 'bond0.17' }, link: 'bond0.17', device: { index: 2, mac } }];
  assert.equal(isOfNic(link(2, 'lan7'), [{ ...nic, parent: 'bond0.17' }], seen), true, 'or because it was one');
});
