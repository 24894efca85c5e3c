/** veth-to-host behind each of the reference plugins that give an address, and as libcni runs a list. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../cni/executable.ts';
import { programs } from '../programs.ts';
import { root } from '../tidy/files.ts';
import { type Lan, macvlan, openLan, type TestHost, type TestPod } from './lan.ts';
import { onLan } from './wires.ts';

const SERVICE = '10.96.0.10';

/** A Service on that host. */
function serve(host: TestHost, endpoint: string): void {
  const rule = `ip daddr ${SERVICE} tcp dport 80 dnat ip to ${endpoint}:8080`;
  const chain = `chain in { type nat hook prerouting priority dstnat; ${rule}\n }`;
  host.sh('nft -f -', `table inet services { }\ndelete table inet services\ntable inet services {\n ${chain}\n}\n`);
}

/** `isOutside`: the machine is not of the Pod's network, so what a Service leads to it comes from the host. The Pod and the host reach each other, the machine reaches the Pod, and a Service leads from the Pod to the machine and to a Pod beside it. */
async function works(lan: Lan, host: TestHost, pod: TestPod, sibling: TestPod, isOutside = false): Promise<void> {
  assert.equal(await host.check(pod), '');
  const address = pod.address(4);
  assert.equal(await lan.seen(pod, onLan(4, 1), host), address, 'to the host');
  assert.notEqual(await lan.seen(host, address, pod), 'timeout', 'from the host');
  assert.equal(await lan.seen(pod, onLan(4, 100), lan.machine), address, 'to a machine');
  assert.equal(await lan.seen(lan.machine, address, pod), onLan(4, 100), 'from a machine');
  serve(host, onLan(4, 100));
  assert.equal(await lan.seen(pod, SERVICE, lan.machine, 80), isOutside ? onLan(4, 1) : address, 'by a Service to a machine');
  serve(host, sibling.address(4));
  assert.equal(await lan.seen(pod, SERVICE, sibling, 80), address, 'by a Service to a Pod beside it');
}

for (const mode of ['private', 'vepa'] as const)
  test(`macvlan in ${mode} mode: Pods of one host, which it keeps apart, reach each other by a Service`, async () => {
    await using lan = await openLan({ hosts: 1, families: [4], main: { ...macvlan, mode }, agents: true });
    const host = lan.host(0);
    const [pod, sibling] = [await host.add(11), await host.add(12)];
    await works(lan, host, pod, sibling);
    await host.del(pod);
  });

test('host-device: a NIC that was moved into the Pod goes home again', async () => {
  await using lan = await openLan({ hosts: 1, families: [4], agents: true });
  const host = lan.host(0);
  // Two more ports of the host on the network.
  for (const number of [1, 2]) host.sh(`ip link add link eth0 name nic${number} type macvlan mode bridge`);
  const add = async (number: number): Promise<TestPod> => {
    host.list = [{ type: 'host-device', device: `nic${number}` }, ...host.list.slice(1)];
    return host.add(10 + number);
  };
  const [pod, sibling] = [await add(1), await add(2)];
  await works(lan, host, pod, sibling);
  host.list = [{ type: 'host-device', device: 'nic1' }, ...host.list.slice(1)];
  await host.del(pod);
  assert.match(host.sh('ip -br link'), /^nic1/m);
});

test('bridge: the port of the host on the network is a bridge, which is the host to its Pods', async () => {
  await using lan = await openLan({ hosts: 1, families: [4], agents: true, chained: { hostInterface: 'br0' } });
  const host = lan.host(0);
  host.sh('ip link add br0 type bridge; ip link set br0 up; ip addr del 10.60.0.1/24 dev eth0; ip link set eth0 master br0');
  host.sh('ip addr add 10.60.0.1/24 dev br0; ip route add default via 10.60.0.254');
  host.list = [{ type: 'bridge', bridge: 'br0' }, ...host.list.slice(1)];
  const [pod, sibling] = [await host.add(11), await host.add(12)];
  await works(lan, host, pod, sibling);
  await host.del(pod);
  await host.del(sibling);
  assert.doesNotMatch(host.sh('ip rule; ip route; nft list tables'), /115|flatpod/);
});

test('ptp: the route that the host has to the Pod already gives way to ours', async () => {
  const subnet = '10.61.0.0/24';
  const ipam = (last: number): Record<string, unknown> => ({
    type: 'static',
    addresses: [{ address: `10.61.0.${last}/24`, gateway: '10.61.0.1' }],
    routes: [{ dst: '0.0.0.0/0' }],
  });
  await using lan = await openLan({ hosts: 1, families: [4], agents: true });
  const host = lan.host(0);
  lan.machine.sh(`ip route add ${subnet} via ${onLan(4, 1)}`);
  const add = async (last: number): Promise<TestPod> => {
    host.list = [{ type: 'ptp', ipam: ipam(last) }, ...host.list.slice(1)];
    const pod = await host.add();
    return { ...pod, address: () => `10.61.0.${last}` };
  };
  const [pod, sibling] = [await add(11), await add(12)];
  assert.match(host.sh('ip route show 10.61.0.11'), /^10\.61\.0\.11 dev vthp\w+ proto 115 scope link $/m);
  await works(lan, host, pod, sibling, true);
  await host.del(pod);
  assert.doesNotMatch(host.sh('ip route'), /10\.61\.0\.11/);
});

test('as libcni runs it: cnitool adds, checks and deletes a list with host-local, macvlan, veth-to-host and tuning', async () => {
  await using lan = await openLan({ hosts: 1, families: [4], agents: true });
  const host = lan.host(0);
  const [networks, cache] = [join(host.dir, 'net.d'), join(host.dir, 'cache')];
  for (const folder of [networks, cache]) mkdirSync(folder);
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet: '10.60.0.0/24', rangeStart: '10.60.0.50', gateway: '10.60.0.254' }]],
    routes: [{ dst: '0.0.0.0/0' }],
    dataDir: cache,
  };
  const plugins = [{ ...macvlan, ipam }, host.list[1], { type: 'tuning', sysctl: { 'net.core.somaxconn': '500' }, dataDir: cache }];
  writeFileSync(join(networks, 'office.conflist'), JSON.stringify({ cniVersion: '1.0.0', name: 'office', plugins }));
  const env = {
    PATH: process.env['PATH'] ?? '',
    FLATPOD_SOCKET: join(host.dir, 'cni.sock'),
    CNI_PATH: `${join(root, 'dist/cni')}:${programs.plugins('1.9.1')}`,
    NETCONFPATH: networks,
    CACHE: cache,
  };
  // libcni keeps its results in /var/lib/cni and offers no other place.
  const script = 'mount -t tmpfs none /var/lib && mkdir /var/lib/cni && mount --bind "$CACHE" /var/lib/cni && exec "$0" "$@"';
  const cnitool = async (verb: string, pod: TestPod): Promise<string> => {
    const args = [`--net=${host.netns}`, 'unshare', '-m', 'sh', '-c', script, programs.cnitool(), verb, 'office', pod.netns];
    const { status, stdout, stderr } = await run('nsenter', env, '', args);
    assert.equal(status, 0, `${verb}: ${stdout}${stderr}`);
    return stdout;
  };
  const pod = host.container(50);
  const result = JSON.parse(await cnitool('add', pod)) as { interfaces: { name: string }[]; ips: { address: string }[] };
  assert.deepEqual(
    [result.interfaces.map(({ name }) => name.slice(0, 4)), result.ips.map(({ address }) => address)],
    [['eth0', 'vthp', 'veth'], ['10.60.0.50/24']],
  );
  await cnitool('check', pod);
  assert.equal(await lan.seen(pod, onLan(4, 1), host), pod.address(4));
  await cnitool('del', pod);
  await cnitool('del', pod);
  assert.doesNotMatch(host.sh('ip rule; ip route; nft list tables'), /115|flatpod/);
});
