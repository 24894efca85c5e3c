/** Several interfaces in one Pod, of several datapaths, out of one list or of several: each answers where it was asked, one leads everywhere else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { type CallOptions, type Container, eventually, type TestLab, testLab, type TestNode } from './lab.ts';
import { inside } from './underlay.ts';

interface Made {
  readonly interfaces: readonly { readonly name: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly address: string; readonly interface: number }[];
}

async function lab3(): Promise<TestLab> {
  const families = 'families: [4, 6], warm: {spare: 1}';
  return await testLab({
    plan: {
      subnets: {
        a: { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' },
        b: { cidr4: '10.20.1.0/24', cidr6: '2001:db8:20:1::/64' },
        c: { cidr4: '10.20.2.0/24', cidr6: '2001:db8:20:2::/64' },
      },
      machines: { n1: { subnet: 'a' }, vm: { subnet: 'a' }, near: { subnet: 'b' } },
    },
    agents: {
      n1: {
        subnet: 'a',
        pods: families,
        node: 'cooldown_s: 0',
        more: {
          lan: { subnet: 'b', pods: `${families}, datapath: macvlan, useFirstNic: false` },
          own: { subnet: 'c', pods: `${families}, datapath: nic` },
        },
      },
    },
  });
}

/** ADD as soon as the node has what it takes. */
async function made(node: TestNode, pod: Container, options: CallOptions): Promise<Made> {
  return await eventually(
    'the interface is made',
    async () => {
      const answer = await node.call('ADD', pod, options);
      assert.equal(answer.status, 0, answer.stdout);
      return JSON.parse(answer.stdout) as Made;
    },
    40,
  );
}

const addressesOf = ({ ips }: Made): string[] => ips.map(({ address }) => address.split('/')[0] ?? '');

/** Whoever asks one of the addresses is answered from it, by the interface that has it. */
async function answersFromEach(lab: TestLab, pod: Container, addresses: readonly string[]): Promise<void> {
  for (const name of ['vm', 'near'])
    for (const address of addresses) {
      const machine = machineOf(lab.lab, name);
      const own = machine.addresses.find((one) => one.includes(':') === address.includes(':')) ?? '';
      assert.equal(await lab.seenFrom(machine.netns, address, pod.netns), own, `${name} asks ${address}`);
    }
  for (const address of addresses)
    assert.ok((await lab.seenFrom(machineOf(lab.lab, 'n1').netns, address, pod.netns)).match(/^[\d.]+$|:/), `the node asks ${address}`);
}

test('several networks through the runtime: routed-veth, macvlan and a NIC in one Pod; each address answers, and each goes without the others', async () => {
  await using lab = await lab3();
  const node = lab.node(0);
  const pod = node.container();
  const networks = [
    { ifname: 'eth0', name: 'net', subnet: 'pods' },
    { ifname: 'net1', name: 'lan', subnet: 'lan' },
    { ifname: 'net2', name: 'own', subnet: 'own' },
  ];
  const call = ({ ifname, name, subnet }: (typeof networks)[number], more: object = {}): CallOptions => ({
    config: { name, subnet, ...more },
    env: { CNI_IFNAME: ifname },
  });
  const results: Made[] = [];
  for (const network of networks) results.push(await made(node, pod, call(network)));
  const [first, second, third] = results.map(addressesOf);
  assert.ok(first && second && third);
  assert.match(inside(pod.netns, 'ip route get 203.0.113.9'), / dev eth0 /, 'the first leads everywhere else');
  await answersFromEach(lab, pod, results.flatMap(addressesOf));
  for (const [i, network] of networks.entries()) {
    const answer = await node.call('CHECK', pod, call(network, { prevResult: results[i] }));
    assert.equal(answer.status, 0, answer.stdout);
  }
  assert.deepEqual((await node.ask<{ differences: string[] }>('check')).differences, []);
  const [eth0, net1, net2] = networks;
  assert.ok(eth0 && net1 && net2);
  assert.equal((await node.call('DEL', pod, call(eth0))).status, 0);
  await answersFromEach(lab, pod, [...second, ...third]);
  assert.equal((await node.call('DEL', pod, call(net2))).status, 0);
  await answersFromEach(lab, pod, second);
  assert.equal((await node.call('DEL', pod, call(net1))).status, 0);
  assert.doesNotMatch(inside(pod.netns, 'ip -br link'), /eth0|net\d|node\d/);
});

test('several networks in one list, whose plugins are all called with one CNI_IFNAME: the second names its interface; GC and DEL find both', async () => {
  await using lab = await lab3();
  const node = lab.node(0);
  const pod = node.container();
  const first = await made(node, pod, { config: { subnet: 'pods' } });
  const both = await made(node, pod, { config: { subnet: 'lan', interface: 'net1', prevResult: first } });
  assert.deepEqual(
    both.interfaces.filter(({ sandbox }) => sandbox !== undefined).map(({ name }) => name),
    ['eth0', 'net1', 'node1'],
  );
  assert.equal(both.ips.length, 4);
  await answersFromEach(lab, pod, addressesOf(both));
  for (const config of [{ subnet: 'pods' }, { subnet: 'lan', interface: 'net1' }])
    assert.equal((await node.call('CHECK', pod, { config: { ...config, prevResult: both } })).status, 0);
  const valid = [{ containerID: pod.container, ifname: 'eth0' }];
  assert.equal((await node.call('GC', {}, { config: { 'cni.dev/valid-attachments': valid } })).status, 0);
  await answersFromEach(lab, pod, addressesOf(both));
  // A runtime goes through the list backwards, and may have lost the result.
  assert.equal((await node.call('DEL', pod, { config: { subnet: 'lan', interface: 'net1' } })).status, 0);
  await answersFromEach(lab, pod, addressesOf(first));
  assert.equal((await node.call('DEL', pod, { config: { subnet: 'pods' } })).status, 0);
  assert.equal((await node.report()).pods.length, 0);
});
