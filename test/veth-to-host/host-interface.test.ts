/** hostInterface itself goes, comes back, is called otherwise, has several addresses: Pods on another port of the host, so that they outlive it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../life/lab.ts';
import { proxy } from './kube-proxy.ts';
import { type Lan, macvlan, openLan, type TestHost, type TestPod } from './lan.ts';
import { NODE_PORT, service } from './matrix.ts';
import { onLan, plug, type Place } from './wires.ts';

const families = [4, 6] as const;
const gatewayOf = (pod: Place): string => pod.sh('ip route show default').split(' ')[2] ?? '';

/** A host whose Pods stand on eth1, and one of them. */
async function apart(lan: Lan): Promise<{ readonly host: TestHost; readonly pod: TestPod }> {
  const host = lan.host(0);
  plug(lan.switch, host, 'eth1', [], 101);
  return { host, pod: await host.add(11) };
}
const options = { hosts: 1, main: { ...macvlan, master: 'eth1' } } as const;

/** The Pod and the host at that number reach each other, and a Service leads to a machine and back. */
async function works(lan: Lan, host: TestHost, pod: TestPod, number: number): Promise<void> {
  for (const family of families) {
    const [own, endpoint] = [pod.address(family), onLan(family, 100)];
    proxy(host, 'nftables', { family, service: service[family], nodePort: NODE_PORT, endpoint, pods: onLan(family, 0) });
    assert.equal(await lan.seen(pod, onLan(family, number), host), own, `IPv${family} to the host`);
    assert.match(await lan.seen(host, own, pod), /:|\./, `IPv${family} from the host`);
    assert.equal(await lan.seen(pod, service[family], lan.machine, 80), own, `IPv${family} by a Service`);
  }
}

/** Puts hostInterface back, new: as strict as at first. */
function plugAgain(lan: Lan, host: TestHost, number: number): void {
  plug(lan.switch, host, 'eth0', families, number);
  for (const family of families) host.sh(`ip -${family} route add default via ${onLan(family, 254)}`);
}

for (const number of [1, 3])
  test(`with an agent: hostInterface goes and comes back with ${number === 1 ? 'the same' : 'other'} addresses; meanwhile CHECK names it and an ADD is refused`, async () => {
    await using lan = await openLan({ ...options, agents: true });
    const { host, pod } = await apart(lan);
    await works(lan, host, pod, 1);
    host.sh('ip link del eth0');
    assert.match(await host.check(pod), /this node has no interface eth0/);
    const second = host.container(12);
    const { stdout } = await host.call('ADD', 'macvlan', second);
    const refused = await host.call('ADD', 'veth-to-host', second, { prevResult: JSON.parse(stdout) as object });
    assert.match(refused.stdout, /this node has no interface eth0 \(FP343\)/);
    plugAgain(lan, host, number);
    await eventually('all is right', async () => (await host.check(pod)) === '');
    assert.equal(gatewayOf(pod), onLan(4, number));
    await works(lan, host, pod, number);
    const added = await host.call('ADD', 'veth-to-host', second, { prevResult: JSON.parse(stdout) as object });
    assert.equal(added.status, 0, added.stdout);
    await works(lan, host, second, number);
  });

test('without an agent: hostInterface goes and comes back; CHECK names it, and the next ADD puts right what the others lost', async () => {
  await using lan = await openLan(options);
  const { host, pod } = await apart(lan);
  host.sh('ip link del eth0');
  assert.match(await host.check(pod), /this node has no interface eth0/);
  plugAgain(lan, host, 3);
  assert.match(await host.check(pod), /the host's addresses are 10\.60\.0\.3, /);
  await host.add(12);
  assert.equal(await host.check(pod), '');
  await works(lan, host, pod, 3);
});

for (const agents of [true, false])
  test(`${agents ? 'with' : 'without'} an agent: hostInterface is called otherwise for a while; the Pod reaches the host all the time, and CHECK names it`, async () => {
    await using lan = await openLan({ ...options, agents });
    const { host, pod } = await apart(lan);
    const rename = (from: string, to: string): void => {
      // IPv6 addresses go with a link that goes down, and so do routes.
      host.sh(
        `ip link set ${from} down; ip link set ${from} name ${to}; ip link set ${to} up; ip addr replace ${onLan(6, 1)}/64 dev ${to}`,
      );
      for (const family of families) host.sh(`ip -${family} route replace default via ${onLan(family, 254)}`);
    };
    rename('eth0', 'lan0');
    assert.match(await host.check(pod), /this node has no interface eth0/);
    await works(lan, host, pod, 1);
    rename('lan0', 'eth0');
    await eventually('all is right', async () => (await host.check(pod)) === '');
    await works(lan, host, pod, 1);
    await host.del(pod);
    assert.doesNotMatch(host.sh('ip rule; ip -6 rule; ip route; ip -6 route; nft list tables; ip -br link'), /115|flatpod|vth/);
  });

test('the address that is the Pod’s gateway goes, others stay: the next one is the gateway, and all are reached', async () => {
  await using lan = await openLan({ ...options, agents: true });
  const host = lan.host(0);
  host.sh('ip addr add 10.60.0.5/24 dev eth0; ip addr add 192.0.2.7/32 dev eth0; sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1');
  const { pod } = await apart(lan);
  for (const address of ['10.60.0.1', '10.60.0.5', '192.0.2.7']) assert.equal(await lan.seen(pod, address, host), pod.address(4), address);
  host.sh('ip addr del 10.60.0.1/24 dev eth0; ip route replace default via 10.60.0.254');
  await eventually('another gateway', () => gatewayOf(pod) !== '10.60.0.1');
  await eventually('all is right', async () => (await host.check(pod)) === '');
  for (const address of ['10.60.0.5', '192.0.2.7']) assert.equal(await lan.seen(pod, address, host), pod.address(4), address);
  assert.match(await lan.seen(host, pod.address(4), pod), /^(10\.60\.0\.5|192\.0\.2\.7)$/);
});

test('a family that hostInterface loses is named by CHECK, and what the Pod has stays until it is back', async () => {
  await using lan = await openLan({ ...options, agents: true });
  const { host, pod } = await apart(lan);
  host.sh(`ip addr del ${onLan(6, 1)}/64 dev eth0`);
  assert.match(await host.check(pod), /eth0 of this node has no IPv6 address any more/);
  assert.match(pod.sh('ip -6 route show default'), /dev veth0/);
  host.sh(`ip addr add ${onLan(6, 1)}/64 dev eth0; ip -6 route replace default via ${onLan(6, 254)}`);
  await eventually('all is right', async () => (await host.check(pod)) === '');
  await works(lan, host, pod, 1);
});
