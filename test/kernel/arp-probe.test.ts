/** Asking a real network who has an address: hosts on a bridge, their kernels answering. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceAddresses } from '../../src/kernel/address-announce.ts';
import { findRival, protocolOf } from '../../src/kernel/address-probe.ts';
import { decodeLinkIndex, getLink } from '../../src/kernel/netlink/link.ts';
import { openPacketSocket } from '../../src/kernel/packet-socket.ts';
import { type Ip, parseIp } from '../../src/net/address.ts';
import { parseMac } from '../../src/net/mac.ts';
import { eventually } from '../life/lab.ts';
import { macOf, testLan } from './lan.ts';
import { type TestNetns, testNetns } from './namespace.ts';

const addresses = [parseIp('10.9.0.5'), parseIp('fd00:9::5')] as const;
const lengthOn = (address: Ip): string => (address.includes(':') ? '64 nodad' : '24');

const indexOf = (host: TestNetns, name: string): number => {
  const socket = host.netns.socket();
  try {
    return socket.get(getLink(name), decodeLinkIndex) ?? 0;
  } finally {
    socket.close();
  }
};

/** Sends a frame from a host's eth0. */
function send(host: TestNetns, frame: Uint8Array): void {
  const index = indexOf(host, 'eth0');
  using socket = host.netns.run(() => openPacketSocket(index));
  assert.equal(socket.send(frame), true);
}

/** Sends it again and again until the promise settles: whenever the other side listens, it hears it. */
async function whileAsking<T>(asked: Promise<T>, again: () => void): Promise<T> {
  const timer = setInterval(again, 5);
  try {
    return await asked;
  } finally {
    clearInterval(timer);
  }
}

for (const address of addresses) {
  const net = lengthOn(address);

  test(`${address}: whoever has it is found, by MAC`, async () => {
    using lan = testLan(2);
    const [here, there] = [lan.host(0), lan.host(1)];
    there.ip(`addr add ${address}/${net} dev eth0`);
    assert.deepEqual(await findRival(here.netns, 'eth0', address), { mac: macOf(there), how: 'has' });
  });

  test(`${address}: nobody answers where nobody has it, and others who look for it, or have it on another VLAN, are no rivals`, async () => {
    using lan = testLan(2);
    const [here, there] = [lan.host(0), lan.host(1)];
    there.ip(`addr add ${address.replace(/5$/, '6')}/${net} dev eth0`);
    there.ip('neigh flush all');
    const claim = protocolOf(address).announcement(address, parseMac('02:00:00:00:00:07'));
    const tagged = Buffer.concat([claim.subarray(0, 12), Buffer.from([0x81, 0, 0, 7]), claim.subarray(12)]);
    const looking = Buffer.from(protocolOf(address).probe(address, parseMac('02:00:00:00:00:08')));
    // A sender address that is not the one of nobody.
    looking.set([1], address.includes(':') ? 37 : 31);
    const asked = findRival(here.netns, 'eth0', address);
    assert.equal(await whileAsking(asked, () => [tagged, looking].forEach((frame) => send(there, frame))), undefined);
  });

  test(`${address}: of two who ask at the same time one at most is told that nobody has it`, async () => {
    using lan = testLan(2);
    const hosts = [lan.host(0), lan.host(1)];
    const found = await Promise.all(hosts.map((host) => findRival(host.netns, 'eth0', address)));
    const rivals = found.filter((rival) => rival !== undefined);
    assert.ok(rivals.length > 0);
    for (const { mac, how } of rivals) assert.ok(how === 'wants' && hosts.map((host) => macOf(host)).includes(mac));
  });

  test(`${address}: a host of another make that only announces it is a rival too`, async () => {
    using lan = testLan(2);
    const [here, there] = [lan.host(0), lan.host(1)];
    const mac = parseMac('02:00:00:00:00:07');
    const asked = findRival(here.netns, 'eth0', address);
    assert.deepEqual(await whileAsking(asked, () => send(there, protocolOf(address).announcement(address, mac))), { mac, how: 'has' });
  });

  test(`${address}: a Pod on another host's interface is found, and found from an interface that has children itself`, async () => {
    using lan = testLan(2);
    using pod = testNetns('pod');
    const [here, there] = [lan.host(0), lan.host(1)];
    here.ip('link add m0 up link eth0 type macvlan mode bridge');
    there.ip(`link add m0 link eth0 netns ${pod.name} type macvlan mode bridge`);
    pod.ip('link set m0 up');
    pod.ip(`addr add ${address}/${net} dev m0`);
    assert.deepEqual(await findRival(here.netns, 'eth0', address), { mac: macOf(pod, 'm0'), how: 'has' });
  });

  test(`${address}: what neighbours remember of it is replaced by an announcement from a Pod's own link`, async () => {
    using lan = testLan(2);
    const [here, there] = [lan.host(0), lan.host(1)];
    const [other, family] = [address.replace(/5$/, '6'), address.includes(':') ? '-6' : '-4'];
    there.ip(`addr add ${other}/${net} dev eth0`);
    there.ip(`neigh add ${address} lladdr 02:00:00:00:00:99 nud stale dev eth0`);
    here.ip('link add m0 up link eth0 type macvlan mode bridge');
    here.ip(`addr add ${address}/${net} dev m0`);
    announceAddresses(here.path, 'm0', [address]);
    await eventually('the neighbour has the new MAC', () => there.ip(`${family} neigh show ${address}`).includes(macOf(here, 'm0')));
  });
}

test('both families are asked for at the same time', async () => {
  using lan = testLan(2);
  const [here, there] = [lan.host(0), lan.host(1)];
  there.ip('addr add fd00:9::5/64 nodad dev eth0');
  const found = await Promise.all(addresses.map((address) => findRival(here.netns, 'eth0', address)));
  assert.deepEqual(found, [undefined, { mac: macOf(there), how: 'has' }]);
});

const deaf: readonly [what: string, prepare: (host: TestNetns, lan: TestNetns) => void, why: RegExp][] = [
  ['is not there', (host) => host.ip('link set eth0 down name eth9'), /there is no such interface/],
  ['is down', (host) => host.ip('link set eth0 down'), /it is down/],
  ['has no carrier', (_, lan) => lan.ip('link set p0 down'), /it has no carrier/],
];
for (const [what, prepare, why] of deaf)
  test(`nobody is taken for silent on an interface that ${what}: FP291 networkNotAsked`, async () => {
    using lan = testLan(1);
    prepare(lan.host(0), lan.lan);
    for (const address of addresses)
      await assert.rejects(findRival(lan.host(0).netns, 'eth0', address), { kind: 'networkNotAsked', message: why });
  });

test('nobody is taken for silent when the cable is pulled while they are asked: FP291 networkNotAsked', async () => {
  using lan = testLan(1);
  const asked = findRival(lan.host(0).netns, 'eth0', addresses[0]);
  lan.lan.ip('link set p0 down');
  await assert.rejects(asked, { kind: 'networkNotAsked', message: /carrier/ });
});

test('an interface that goes while it is asked is told as gone: FP291 networkNotAsked', async () => {
  using lan = testLan(1);
  const asked = findRival(lan.host(0).netns, 'eth0', addresses[0]);
  lan.lan.ip('link del p0');
  await assert.rejects(asked, { kind: 'networkNotAsked', message: /gone|no such interface|went down/ });
});

test('an agent that may not look at the network says which capability it lacks: FP291 networkNotAsked', () => {
  using lan = testLan(1);
  const probe = new URL('../../src/kernel/address-probe.ts', import.meta.url).href;
  const script = `import { findRival } from '${probe}';
    await findRival(undefined, 'eth0', '10.9.0.5').catch(({ kind, message }) => console.log(kind, message));`;
  const asked = lan.host(0).exec(`setpriv --bounding-set -net_raw --inh-caps -all ${process.execPath} --input-type=module -`, script);
  assert.match(asked, /^networkNotAsked .*: the agent needs CAP_NET_RAW for that$/m);
});

test('a switch that passes on only to members of a group hears who asks that they are one', async () => {
  using lan = testLan(1);
  lan.lan.ip('link set br0 type bridge mcast_snooping 1');
  const asked = findRival(lan.host(0).netns, 'eth0', addresses[1]);
  await eventually('p0 is a member', () => lan.lan.exec('bridge mdb show').includes('port p0 grp ff02::1:ff00:5 '));
  assert.equal(await asked, undefined);
});

test('an address of a family that the interface itself does without is asked for all the same', async () => {
  using lan = testLan(2);
  const [here, there] = [lan.host(0), lan.host(1)];
  here.exec('echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6');
  there.ip('addr add fd00:9::5/64 nodad dev eth0');
  assert.deepEqual(await findRival(here.netns, 'eth0', addresses[1]), { mac: macOf(there), how: 'has' });
});
