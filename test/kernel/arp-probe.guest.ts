/** Asking a network who has an address where the parent has ipvlan children, or is a VLAN: on a kernel that has these. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceAddresses } from '../../src/kernel/address-announce.ts';
import { findRival } from '../../src/kernel/address-probe.ts';
import { parseIp } from '../../src/net/address.ts';
import { eventually } from '../life/lab.ts';
import { macOf, testLan } from './lan.ts';
import { testNetns } from './namespace.ts';

const addresses = [
  { address: '10.9.0.5', neighbour: '10.9.0.6', length: '24', family: '-4' },
  { address: 'fd00:9::5', neighbour: 'fd00:9::6', length: '64 nodad', family: '-6' },
] as const;

test("an ipvlan Pod is found by its parent's MAC, from a parent that has such Pods itself, and heard when it announces", async () => {
  using lan = testLan(2);
  using pod = testNetns('pod');
  using other = testNetns('pod');
  const [here, there] = [lan.host(0), lan.host(1)];
  here.ip(`link add i0 link eth0 netns ${other.name} type ipvlan mode l2`);
  there.ip(`link add i0 link eth0 netns ${pod.name} type ipvlan mode l2`);
  for (const ns of [other, pod]) ns.ip('link set i0 up');
  for (const { address, neighbour, length, family } of addresses) {
    const asked = parseIp(address);
    other.ip(`addr add ${neighbour}/${length} dev i0`);
    assert.equal(await findRival(here.netns, 'eth0', asked), undefined);
    pod.ip(`addr add ${address}/${length} dev i0`);
    assert.deepEqual(await findRival(here.netns, 'eth0', asked), { mac: macOf(there), how: 'has' });
    other.ip(`neigh add ${address} lladdr 02:00:00:00:00:99 nud stale dev i0`);
    announceAddresses(pod.path, 'i0', [asked]);
    const shown = (): string => other.ip(`${family} neigh show ${address}`);
    await eventually('the neighbour has the new MAC', () => shown().includes(macOf(there)));
  }
});

test('on a VLAN its own hosts are asked, and not those of the network that carries it', async () => {
  using lan = testLan(2);
  const [here, there] = [lan.host(0), lan.host(1)];
  for (const host of [here, there]) host.ip('link add link eth0 name eth0.7 up type vlan id 7');
  there.exec('echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore');
  for (const { address, length } of addresses) {
    const asked = parseIp(address);
    there.ip(`addr add ${address}/${length} dev eth0.7`);
    assert.deepEqual(await findRival(here.netns, 'eth0.7', asked), { mac: macOf(there, 'eth0.7'), how: 'has' });
    assert.equal(await findRival(here.netns, 'eth0', asked), undefined);
  }
});
