/** The host changes under Pods with a helper: its addresses, what others delete, Pods that vanish. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { askAgent } from '../../src/cli/ask.ts';
import { deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { eventually } from '../life/lab.ts';
import { openLan } from './lan.ts';
import { onLan, type Place } from './wires.ts';

/** Another address of each family for a host, and its old one gone. */
const moveTo = (host: Place, number: number, from: number): void => {
  for (const [family, length] of [
    [4, 24],
    [6, 64],
  ] as const)
    host.sh(
      `ip addr del ${onLan(family, from)}/${length} dev eth0; ip addr add ${onLan(family, number)}/${length} dev eth0; ip -${family} route replace default via ${onLan(family, 254)}`,
    );
};
const gatewayOf = (pod: Place): string => pod.sh('ip route show default').split(' ')[2] ?? '';

test('a Pod reaches a host whose addresses change, by the new ones at once, and CHECK holds', async () => {
  await using lan = await openLan({ hosts: 1, agents: true });
  const host = lan.host(0);
  const pod = await host.add(11);
  moveTo(host, 3, 1);
  await eventually('the Pod knows', () => gatewayOf(pod) === onLan(4, 3));
  await eventually('all of it', async () => (await host.check(pod)) === '');
  for (const family of [4, 6] as const) {
    assert.equal(await lan.seen(pod, onLan(family, 3), host), pod.address(family));
    assert.equal(await lan.seen(host, pod.address(family), pod), onLan(family, 3));
  }
  assert.doesNotMatch(pod.sh('ip route; ip -6 route; ip neigh show dev veth0'), /10\.60\.0\.1 |db8:60::1 /, 'nothing of the old ones');
  host.sh('ip addr add 10.60.0.4/24 dev eth0; ip addr add 198.51.100.7/32 dev eth0');
  await eventually('further addresses are reached by the helper', () => /^10\.60\.0\.4 dev veth0/m.test(pod.sh('ip route')));
  assert.equal(gatewayOf(pod), onLan(4, 3), 'the gateway stays');
  assert.equal(await lan.seen(pod, '10.60.0.4', host), pod.address(4));
  await host.del(pod);
  assert.doesNotMatch(host.sh('ip rule; ip route; nft list tables'), /115|flatpod/);
});

test('a host that had no IPv6 address serves it from when it has one', async () => {
  await using lan = await openLan({ hosts: 1, agents: true });
  const host = lan.host(0);
  host.sh(`ip addr del ${onLan(6, 1)}/64 dev eth0`);
  const pod = await host.add(11);
  assert.match(pod.sh('ip -6 route show default'), /dev eth0/);
  assert.equal(await host.check(pod), '');
  host.sh(`ip addr add ${onLan(6, 1)}/64 dev eth0`);
  await eventually('served', () => /dev veth0/.test(pod.sh('ip -6 route show default')));
  await eventually('reached', async () => (await lan.seen(pod, onLan(6, 1), host)) === pod.address(6));
  assert.equal(await host.check(pod), '');
});

test('a host that learns its routers from themselves goes on to do so, where it did, when it begins to forward IPv6', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  host.sh('ip link add quiet type bridge; sysctl -qw net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.quiet.accept_ra=0');
  await host.add(11);
  const values = host.sh('sysctl -n net.ipv6.conf.all.forwarding net.ipv6.conf.eth0.accept_ra net.ipv6.conf.quiet.accept_ra');
  assert.deepEqual(values.trim().split('\n'), ['1', '2', '0']);
});

test('without an agent CHECK tells of a host that moved, its Pods reach it all the same where that can be, and the next ADD tells them', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  const pod = await host.add(11);
  moveTo(host, 3, 1);
  assert.match(await host.check(pod), /the host's addresses are 10\.60\.0\.3, .*, to the Pod they are 10\.60\.0\.1, /);
  assert.equal(await lan.seen(host, pod.address(4), pod), onLan(4, 3), 'who asks the Pod is answered');
  await host.add(12);
  assert.equal(await host.check(pod), '');
  assert.equal(await lan.seen(pod, onLan(4, 3), host), pod.address(4));
});

test('an address of the host on another interface, within the underlay, is reached too', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  host.sh('ip link add dummy7 type bridge; ip link set dummy7 up; ip addr add 10.60.0.7/32 dev dummy7');
  const pod = await host.add(11);
  assert.equal(await lan.seen(pod, '10.60.0.7', host), pod.address(4));
});

test('what others delete or change on the host is put back by the agent, and its log says what', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  const agent = await host.startAgent();
  const pod = await host.add(11);
  const hostEnd = pod.result.interfaces[1]?.name ?? '';
  for (const damage of [
    `ip rule del iif ${hostEnd} priority 1022`,
    `ip -6 rule del iif ${hostEnd} priority 1023`,
    'ip rule del priority 1021',
    `ip route del 10.60.0.11 dev ${hostEnd}`,
    'ip route flush table 256',
    `ip link set ${hostEnd} down`,
    `ip link del ${hostEnd}`,
    'nft delete table inet flatpod_veth_to_host',
  ]) {
    host.sh(damage);
    await eventually(`put right after ${damage}`, async () => (await host.check(pod)) === '');
  }
  host.sh('nft flush chain inet flatpod_veth_to_host sender');
  await eventually('rules within the table are put back', () =>
    host.sh('nft list table inet flatpod_veth_to_host').includes('jump detour'),
  );
  // In the Pod the kernel tells nobody but the Pod.
  const ask = (question: 'check' | 'repair'): Promise<{ differences: string[] }> => askAgent(join(host.dir, 'cni.sock'), question, 60_000);
  pod.sh('ip rule del priority 513');
  assert.match(String((await ask('check')).differences), /^rule 513: from 169\.254\.111\.1\/32 iif veth0 lookup 7101 in .*: missing$/);
  assert.equal((await ask('repair')).differences.length, 1);
  assert.deepEqual((await ask('check')).differences, []);
  assert.match(agent.log(), /put back rule 1021: fwmark 0x100\/0x100 lookup main in host: removed behind our back \(1 time\)/);
  assert.equal(await lan.seen(pod, onLan(4, 1), host), pod.address(4));
});

test('an agent that starts puts right what went while none ran, and takes away rules of helpers that nobody knows', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  const [pod, gone] = [await host.add(11), await host.add(12)];
  const hostEnd = pod.result.interfaces[1]?.name ?? '';
  moveTo(host, 3, 1);
  host.sh(`ip rule del iif ${hostEnd} priority 1022; ip rule add iif vthp00000000000 priority 1023 lookup main proto 115`);
  deleteNetns(gone.netns.slice(NAMED.length + 1));
  const agent = await host.startAgent();
  await eventually('all is right', async () => (await host.check(pod)) === '');
  await eventually('the stranger is gone', () => !host.sh('ip rule').includes('vthp00000000000'));
  await eventually('it is said', () => /removed rule 1023: iif vthp00000000000 lookup main: it belonged to no helper/.test(agent.log()));
  assert.equal(gatewayOf(pod), onLan(4, 3));
});
