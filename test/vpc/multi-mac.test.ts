/** NICs behind which there are several Ethernet addresses: macvlan children with addresses of the NIC, as Pods would have them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNetns, deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { drops, inside, type Machine, reaches, reachesSoon, silent, site, type Site } from './site.ts';

interface Child extends Disposable {
  readonly netns: string;
  readonly mac: string;
}

let made = 0;

/** A macvlan child of the machine's eth0 in a namespace of its own, with these addresses; the gateway is its default route. */
async function childOf(machine: Machine, mode: string, addresses: readonly string[], mac: string): Promise<Child> {
  const name = `fpvm${process.pid % 1000}-${++made}`;
  createNetns(name, () => {});
  const netns = `${NAMED}/${name}`;
  const child = { netns, mac, [Symbol.dispose]: () => deleteNetns(name) };
  const { out } = await inside(machine, `ip link add m${made} link eth0 address ${mac} netns ${name} type macvlan mode ${mode}`);
  const lines = [
    'ip link set lo up; sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0',
    `ip link set m${made} name eth0; ip link set eth0 up`,
    ...addresses.map((address) => `ip addr add ${address}/${address.includes(':') ? '64 nodad' : '24'} dev eth0`),
    'ip route add default via 10.20.0.1; ip -6 route add default via fe80::1:1 dev eth0',
  ];
  const { status, out: more } = await inside(child, lines.join('; '));
  if (out + more !== '' || status !== 0) {
    child[Symbol.dispose]();
    throw new Error(out + more);
  }
  return child;
}

const pods = [
  ['10.20.0.77', '2001:db8:20::77'],
  ['10.20.0.78', '2001:db8:20::78'],
] as const;
const [firstMac, secondMac] = ['02:fd:00:11:22:33', 'aa:bb:cc:dd:ee:01'];

async function assignPods({ vpc }: Site, machine: Machine): Promise<void> {
  const these = pods.flat().map((address) => `${address}/${address.includes(':') ? 128 : 32}`);
  assert.equal((await vpc.call('POST', `/v1/nics/${machine.nic.id}/assign`, { want: { these } })).status, 200);
}

const setMultiMac = async ({ vpc }: Site, machine: Machine, multiMac: boolean): Promise<void> => {
  assert.equal((await vpc.call('PUT', `/v1/nics/${machine.nic.id}/multi-mac`, { multiMac })).status, 204);
};

test('frames with another Ethernet address than the NIC’s are dropped and told, until the NIC is multiMac, and again afterwards', async () => {
  await using net = await site();
  const [one, two] = [await net.launch('n1', net.a), await net.launch('n2', net.a)];
  await assignPods(net, one);
  using child = await childOf(one, 'bridge', pods[0], firstMac);
  for (const address of two.addresses) assert.ok(await silent(child, address), address);
  assert.ok((await drops(net, 'SourceMac')).some(({ nic, address }) => nic === one.nic.id && address === firstMac));
  await setMultiMac(net, one, true);
  for (const address of [...two.addresses, '10.20.0.1']) assert.ok(await reachesSoon(child, address), address);
  await setMultiMac(net, one, false);
  for (const address of two.addresses) assert.ok(await silent(child, address), address);
});

test('behind a multiMac NIC each address is found by its own Ethernet address, from its subnet, from another, and after it has moved', async () => {
  await using net = await site();
  const [one, two, far] = [await net.launch('n1', net.a), await net.launch('n2', net.a), await net.launch('n3', net.b)];
  await assignPods(net, one);
  await setMultiMac(net, one, true);
  {
    using first = await childOf(one, 'bridge', pods[0], firstMac);
    using second = await childOf(one, 'bridge', pods[1], secondMac);
    for (const [child, addresses] of [[first, pods[0]] as const, [second, pods[1]] as const]) {
      for (const to of [...two.addresses, ...far.addresses]) assert.ok(await reaches(child, to), to);
      for (const from of [two, far]) for (const to of addresses) assert.ok(await reaches(from, to), to);
    }
    for (const to of pods[1]) assert.ok(await reaches(first, to), `children of one parent: ${to}`);
  }
  using again = await childOf(one, 'private', pods[0], 'aa:bb:cc:dd:ee:02');
  // The first word it sends says where it is; the others' memory of it needs no change.
  for (const to of two.addresses) assert.ok(await reaches(again, to), to);
  for (const to of pods[0]) assert.ok(await reaches(far, to), to);
  assert.deepEqual(await drops(net, 'SourceMac'), []);
});

test('an announcement alone says where an address is now, over IPv4 and IPv6', async () => {
  await using net = await site();
  const [one, two] = [await net.launch('n1', net.a), await net.launch('n2', net.a)];
  await assignPods(net, one);
  await setMultiMac(net, one, true);
  using child = await childOf(one, 'bridge', pods[0], firstMac);
  assert.ok(await silent(two, pods[0][0]), 'it has said nothing');
  await inside(child, 'sysctl -qw net.ipv4.conf.eth0.arp_notify=1 net.ipv6.conf.eth0.ndisc_notify=1');
  await inside(child, `ip link set eth0 address ${secondMac}`);
  assert.ok(await reachesSoon(two, pods[0][0]));
  assert.ok(await reachesSoon(two, pods[0][1]));
});

test('behind a multiMac NIC addresses are checked all the same: only those of the NIC are sent from, spoken for and delivered', async () => {
  await using net = await site();
  const [one, two] = [await net.launch('n1', net.a), await net.launch('n2', net.a)];
  await assignPods(net, one);
  await setMultiMac(net, one, true);
  using child = await childOf(one, 'bridge', pods[0], firstMac);
  assert.ok(await reaches(child, two.addresses[0] ?? ''));
  await inside(child, 'ip addr add 10.20.0.99/24 dev eth0; ip addr add 2001:db8:20::99/64 dev eth0 nodad');
  assert.ok(await silent(child, two.addresses[0] ?? '', '-I 10.20.0.99'));
  assert.ok((await drops(net, 'SourceAddress')).some(({ nic, address }) => nic === one.nic.id && address === '10.20.0.99'));
  await inside(child, 'ping -c1 -W0.4 -I 10.20.0.99 10.20.0.200; ping -c1 -W0.4 -I 2001:db8:20::99 2001:db8:20::200');
  assert.ok((await drops(net, 'ArpSpoof')).some(({ nic, address }) => nic === one.nic.id && address === '10.20.0.99'));
  assert.ok((await drops(net, 'NdSpoof')).some(({ nic, address }) => nic === one.nic.id && address === '2001:db8:20::99'));
  assert.ok(await silent(two, '10.20.0.99'));
});

test('what is behind a multiMac NIC is found after a restart of the program too', async () => {
  await using net = await site();
  const [one, two] = [await net.launch('n1', net.a), await net.launch('n2', net.a)];
  await assignPods(net, one);
  await setMultiMac(net, one, true);
  using child = await childOf(one, 'bridge', pods[0], firstMac);
  for (const to of two.addresses) assert.ok(await reaches(child, to), to);
  await net.vpc.restart();
  for (const to of pods[0]) assert.ok(await reaches(two, to), to);
});
