/** By which NIC, and as whom, packets leave: SNAT, exclusions, node ports through every NIC, Services, other programs' marks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { openNetns } from '../../src/kernel/netns.ts';
import { runNft } from '../../src/kernel/nft.ts';
import { listenIn } from '../../src/kernel/sockets.ts';
import { whoAmI } from './asking.ts';
import { type Container, type TestLab, testLab, type TestNode } from './lab.ts';

/** A node with four Pods, the last of them on its second NIC, a VM in another subnet, a host on the internet. */
async function fourPods(node = ''): Promise<{ lab: TestLab; node: TestNode; pods: Container[]; addresses: string[] }> {
  const lab = await testLab({
    plan: {
      subnets: { a: { cidr4: '10.20.0.0/24' }, b: { cidr4: '10.20.1.0/24' } },
      machines: { n1: { subnet: 'a', type: 'v1.small' }, vm: { subnet: 'b' } },
      internet: ['web'],
    },
    agents: { n1: { subnet: 'a', pods: 'warm: {minimum: 5}', node } },
  });
  const one = lab.node(0);
  const pods = Array.from({ length: 4 }, () => one.container());
  const addresses: string[] = [];
  for (const pod of pods) addresses.push(...(await one.add(pod)));
  return { lab, node: one, pods, addresses };
}

async function reach(from: string, to: string, port: number, limit_ms = 2000): Promise<string> {
  using here = openNetns(from);
  return await whoAmI(here, to, port, limit_ms);
}

test('every Pod leaves the VPC under its node, by the first NIC; node ports answer through each NIC; foreign mark bits survive', async () => {
  const { lab, node, pods, addresses } = await fourPods();
  await using _lab = lab;
  const [web, vm] = [machineOf(lab.lab, 'web'), machineOf(lab.lab, 'vm')];
  const second = (await node.report()).nics[1]?.address ?? '';
  using host = openNetns(node.netns);
  runNft(
    host,
    `table inet probe {
  counter marked { }
  chain earlier { type filter hook prerouting priority raw; iifname "fp*" meta mark set 0x4000; }
  chain seen { type filter hook forward priority 0; ip daddr ${web.addresses[0]} meta mark and 0x406e == 0x4002 counter name marked; }
  chain ports { type nat hook prerouting priority dstnat; fib daddr type local tcp dport 30081 dnat ip to ${addresses[0]}:8080;
    fib daddr type local tcp dport 30084 dnat ip to ${addresses[3]}:8080;
    ip daddr 10.96.0.1 tcp dport 80 dnat ip to ${vm.addresses[0]}:8080; }
}`,
    'the probe',
  );
  const servers = [];
  for (const path of [...pods.map((pod) => pod.netns), vm.netns, web.netns]) {
    using netns = openNetns(path);
    servers.push(await listenIn(netns, 8080));
  }
  try {
    for (const pod of pods) assert.equal(await reach(pod.netns, web.addresses[0] ?? '', 8080), node.publicAddress);
    assert.match(
      runNft(host, 'list counter inet probe marked', 'the probe'),
      /packets [1-9]/,
      '0x4000 and the NIC mark stand side by side',
    );
    for (const port of [30081, 30084]) {
      for (const nic of [node.address, second]) assert.equal(await reach(vm.netns, nic, port), vm.addresses[0], `port ${port} by ${nic}`);
      assert.equal(await reach(web.netns, node.publicAddress ?? '', port), web.addresses[0], `port ${port} from the internet`);
    }
    for (const [i, pod] of pods.entries()) assert.equal(await reach(pod.netns, '10.96.0.1', 80), addresses[i], 'a Service, without SNAT');
    for (const [i, pod] of pods.entries())
      assert.equal(await reach(pod.netns, vm.addresses[0] ?? '', 8080), addresses[i], 'inside of the VPC');
    assert.equal(await reach(node.netns, addresses[3] ?? '', 8080), node.address, 'the node reaches its own Pod on the second NIC');
  } finally {
    for (const server of servers) server.close();
  }
});

test('an excluded destination, and SNAT switched off, leave the address alone: the VPC has no public one for it and drops it', async () => {
  for (const setting of ['snat: {exclude: [198.51.100.0/24]}', 'snat: {enabled: false}']) {
    const { lab, pods, addresses } = await fourPods(setting);
    await using _lab = lab;
    const web = machineOf(lab.lab, 'web');
    using there = openNetns(web.netns);
    const server = await listenIn(there, 8080);
    try {
      // That the VPC says what it dropped is the proof; nobody need wait for long.
      for (const pod of [pods[0], pods[3]])
        assert.equal(await reach(pod?.netns ?? '', web.addresses[0] ?? '', 8080, 300), 'timeout', setting);
    } finally {
      server.close();
    }
    const { items } = await lab.api.call<{ items: { reason: string; address?: string }[] }>('GET', '/v1/drops');
    const dropped = items.filter(({ reason }) => reason === 'NoPublicAddress').map(({ address }) => address);
    for (const i of [0, 3]) assert.ok(dropped.includes(addresses[i]), `${addresses[i]} among ${dropped.join(', ')}: ${setting}`);
  }
});
