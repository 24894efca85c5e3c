/** Which link a NIC is, when several have its MAC. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluggedIn } from '../../src/agent/nic-match.ts';
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
