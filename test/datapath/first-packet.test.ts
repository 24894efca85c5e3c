/** The first packets to a Pod that was made this moment find it, in both families: no end of its links waits for duplicate address detection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf } from '../../src/datapath/datapath.ts';
import type { PodInterface } from '../../src/datapath/interface.ts';
import { host, type KernelObject } from '../../src/kernel/state.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseMac } from '../../src/net/mac.ts';
import { type TestNetns, testNetns } from '../kernel/namespace.ts';

function podOn(ns: TestNetns, n: number): PodInterface {
  return {
    datapath: 'routed-veth',
    netns: ns.path,
    ifname: 'eth0',
    mac: parseMac(`02:00:00:00:00:1${n}`),
    hostEnd: `fp${n}`,
    hostMac: parseMac(`02:00:00:00:00:2${n}`),
    mtu: 1500,
    owner: `flatpod:c${n}:eth0`,
    addresses: [parseIp(`10.20.0.${n}`), parseIp(`2001:db8::${n}`)],
    podTable: 7000,
    protocol: 114,
  };
}

test('routed-veth: two Pods that were made this moment reach each other by their first packets, in both families', () => {
  using node = testNetns('node');
  using one = testNetns('one');
  using two = testNetns('two');
  using kernel = openKernel([], node.netns);
  node.exec('sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1');
  const toPods = ([4, 6] as const).map(
    (family): KernelObject => ({ kind: 'rule', where: host, family, priority: 700, table: 7000, protocol: 114 }),
  );
  kernel.apply([...toPods, ...planOf(podOn(one, 1)), ...planOf(podOn(two, 2))]);
  for (const address of ['10.20.0.2', '2001:db8::2']) one.exec(`ping -c 1 -W 5 ${address}`);
  // The kernel would hold the first packet back for two seconds at such an end; whoever waits for less takes it for lost.
  assert.equal(node.ip('-6 addr show tentative'), '');
  assert.match(node.ip('-6 addr show dev fp1'), /fe80::/);
});
