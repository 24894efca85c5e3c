/** A Pod with two main interfaces, each from a list of its own with a helper of its own, as a runtime with several networks gives them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../life/lab.ts';
import { type Lan, macvlan, openLan, type Result, type TestHost, type TestPod } from './lan.ts';
import { onLan, plug } from './wires.ts';

/** The second network, on the same wires: the host's port for it, and the addresses there. */
const second = { master: 'eth1', hostAddress: '10.61.0.1', machine: '10.61.0.100', pod: '10.61.0.11' } as const;
const lists = {
  eth0: [{ ...macvlan }, { type: 'veth-to-host', hostInterface: 'eth0', containerInterface: 'veth0' }],
  net1: [
    {
      ...macvlan,
      master: 'eth1',
      name: 'store',
      ipam: { type: 'static', addresses: [{ address: `${second.pod}/24` }], routes: [{ dst: '10.62.0.0/16', gw: '10.61.0.254' }] },
    },
    { type: 'veth-to-host', name: 'store', hostInterface: 'eth1', containerInterface: 'veth1' },
  ],
} as const;
type Name = keyof typeof lists;

/** All of one list, for an interface of that name. */
async function list(host: TestHost, pod: TestPod, name: Name, verb: 'ADD' | 'DEL', prevResult?: Result): Promise<Result | undefined> {
  let result = prevResult;
  for (const plugin of verb === 'ADD' ? lists[name] : lists[name].toReversed()) {
    const { status, stdout } = await host.call(
      verb,
      plugin.type,
      pod,
      { ...plugin, ...(result && { prevResult: result }) },
      { CNI_IFNAME: name },
    );
    assert.equal(status, 0, `${verb} ${name}: ${stdout}`);
    if (verb === 'ADD') result = JSON.parse(stdout) as Result;
  }
  return result;
}

async function checked(host: TestHost, pod: TestPod, name: Name, prevResult: Result | undefined): Promise<string> {
  const { stdout } = await host.call('CHECK', 'veth-to-host', pod, { ...lists[name][1], prevResult }, { CNI_IFNAME: name });
  return stdout === '' ? '' : (JSON.parse(stdout) as { details: string }).details;
}

async function twoNetworks(lan: Lan): Promise<TestHost> {
  const host = lan.host(0);
  plug(lan.switch, host, 'eth1', [], 101);
  host.sh(`ip addr add ${second.hostAddress}/24 dev eth1`);
  lan.machine.sh(`ip addr add ${second.machine}/24 dev eth0; sysctl -qw net.ipv4.conf.eth0.rp_filter=2`);
  return host;
}

for (const agents of [true, false])
  test(`${agents ? 'with' : 'without'} an agent: two lists on one Pod, each whole, also once the other is gone, whichever goes first`, async () => {
    await using lan = await openLan({ hosts: 1, families: [4], agents });
    const host = await twoNetworks(lan);
    const reached = async (pod: TestPod, name: Name): Promise<void> => {
      const [own, to, machine] =
        name === 'eth0' ? [pod.address(4), onLan(4, 1), onLan(4, 100)] : [second.pod, second.hostAddress, second.machine];
      assert.equal(await lan.seen(pod, machine, lan.machine), own, `${name}: to a machine`);
      assert.equal(await lan.seen(lan.machine, own, pod), machine, `${name}: from a machine`);
      assert.match(await lan.seen(pod, to, host), /\./, `${name}: to the host`);
      assert.match(await lan.seen(host, own, pod), /\./, `${name}: from the host`);
    };
    for (const first of ['eth0', 'net1'] as const) {
      const pod = host.container(11);
      const other = first === 'eth0' ? 'net1' : 'eth0';
      const results = { eth0: await list(host, pod, 'eth0', 'ADD'), net1: await list(host, pod, 'net1', 'ADD') };
      for (const name of ['eth0', 'net1'] as const) {
        assert.equal(await checked(host, pod, name, results[name]), '', name);
        await reached(pod, name);
      }
      await list(host, pod, first, 'DEL', results[first]);
      await eventually(`${other} is whole`, async () => (await checked(host, pod, other, results[other])) === '');
      await reached(pod, other);
      await list(host, pod, other, 'DEL', results[other]);
      assert.doesNotMatch(host.sh('ip rule; ip route; nft list tables; ip -br link'), /115|flatpod|vth/);
      assert.doesNotMatch(pod.sh('ip rule; ip route; nft list tables; ip -br link'), /115|flatpod|veth/);
    }
  });
