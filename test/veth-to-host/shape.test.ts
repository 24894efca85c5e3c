/** What people look for in `ip route` and `ip rule` after reading about veth-to-host, on both sides; and the size of packets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLan } from './lan.ts';
import type { Place } from './wires.ts';

const lines = (place: Place, command: string): string[] =>
  place
    .sh(command)
    .trim()
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '));

for (const agents of [true, false])
  test(`${agents ? 'with' : 'without'} an agent: the published shape is there, of both families`, async () => {
    await using lan = await openLan({ hosts: 1, agents });
    const host = lan.host(0);
    const pod = await host.add(11);
    const end = pod.result.interfaces[1]?.name ?? '';
    assert.deepEqual(lines(pod, 'ip route'), [
      'default via 10.60.0.1 dev veth0 proto 115 src 10.60.0.11',
      '10.60.0.0/24 dev eth0 proto kernel scope link src 10.60.0.11',
      '10.60.0.1 dev veth0 proto 115 scope link src 10.60.0.11',
    ]);
    assert.doesNotMatch(pod.sh('ip -4 addr show dev veth0; ip -6 addr show dev veth0 scope global'), /inet/, 'the helper has no address');
    const six = pod.sh('ip -6 route');
    assert.match(six, /^default via 2001:db8:60::1 dev veth0 proto 115 src 2001:db8:60::11 metric 1024/m);
    assert.match(six, /^2001:db8:60::1 dev veth0 proto 115 src 2001:db8:60::11/m);
    assert.match(six, /^2001:db8:60::\/64 dev eth0/m);
    for (const [family, address] of [
      [4, '10.60.0.11'],
      [6, '2001:db8:60::11'],
    ] as const) {
      assert.match(host.sh(`ip -${family} route`), new RegExp(`^${address} dev ${end} proto 115 `, 'm'));
      assert.ok(lines(host, `ip -${family} rule`).includes(`1024: from all iif ${end} lookup 256 proto 115`), host.sh('ip rule'));
      assert.match(host.sh(`ip -${family} route show table 256`), new RegExp(`^default via ${address} dev ${end} `));
    }
  });

test('both ends of the helper have the MTU of hostInterface, of the main interface where that is smaller, or the one that is asked for; the result says which', async () => {
  await using lan = await openLan({ hosts: 1, families: [4] });
  const host = lan.host(0);
  host.sh('ip link set eth0 mtu 1420');
  const mtuOf = (place: Place, link: string): string => /mtu (\d+)/.exec(place.sh(`ip link show ${link}`))?.[1] ?? '';
  for (const [mtu, wanted] of [
    [undefined, '1420'],
    [0, '1420'],
    [900, '900'],
    [1500, '1500'],
  ] as const) {
    host.list = host.list.map((plugin) => (plugin['type'] === 'veth-to-host' ? { ...plugin, mtu } : plugin));
    const pod = await host.add(11);
    const [, near, far] = pod.result.interfaces as readonly { name: string; mtu?: number }[];
    assert.deepEqual([mtuOf(host, near?.name ?? ''), mtuOf(pod, 'veth0')], [wanted, wanted]);
    assert.deepEqual([near?.mtu, far?.mtu], [Number(wanted), Number(wanted)]);
    await host.del(pod);
  }
});
