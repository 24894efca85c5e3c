/** Pods by macvlan, with real packets: who reaches whom, as whom; the helper to the node; what a Pod of another datapath sees. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { eventually, type TestLab, testLab, type TestNode } from './lab.ts';

const inside = (netns: string, command: string): string =>
  execFileSync('ip', ['netns', 'exec', netns.slice('/run/netns/'.length), 'sh', '-c', command], { encoding: 'utf8', timeout: 20_000 });

interface Nic {
  readonly id: string;
  readonly attachment?: { readonly deviceIndex: number };
}

/** Lets the node's second NIC, once it is there, carry frames with further MACs. */
async function openToMacs(lab: TestLab, node: TestNode): Promise<void> {
  const id = await eventually('the second NIC is there', async () => {
    const { items } = await lab.api.call<{ items: Nic[] }>('GET', `/v1/nics?instance=${node.instance}`);
    return items.find(({ attachment }) => attachment?.deviceIndex === 1)?.id ?? false;
  });
  await lab.api.call('PUT' as 'POST', `/v1/nics/${id}/multi-mac`, { multiMac: true });
}

test('macvlan Pods of two nodes reach each other, the VM, the internet, their own node and Services, and all of them reach the Pods', async () => {
  const dual = { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' };
  const pods = 'families: [4, 6], datapath: macvlan, useFirstNic: false, warm: {spare: 2}';
  await using lab = await testLab({
    plan: {
      subnets: { a: dual, b: { cidr4: '10.20.1.0/24', cidr6: '2001:db8:20:1::/64' } },
      machines: { n1: { subnet: 'a' }, n2: { subnet: 'a' }, vm: { subnet: 'a' } },
      internet: ['web'],
    },
    agents: {
      n1: { subnet: 'b', pods, node: 'serviceCidrs: [10.96.0.0/16]' },
      n2: { subnet: 'b', pods, node: 'serviceCidrs: [10.96.0.0/16]' },
    },
  });
  const [one, two, vm, web] = [lab.node(0), lab.node(1), machineOf(lab.lab, 'vm'), machineOf(lab.lab, 'web')];
  for (const node of lab.nodes) await openToMacs(lab, node);
  const [p1, p2, q1] = [one.container(), one.container(), two.container()];
  const ready = (node: TestNode) => async (): Promise<boolean> => (await node.report()).nics.some(({ deviceIndex }) => deviceIndex === 1);
  for (const node of lab.nodes) await eventually('the NIC serves', ready(node));
  const [a1, b1, a2] = [await eventually('x', () => one.add(p1), 60), await eventually('x', () => two.add(q1), 60), await one.add(p2)];
  const v = (addresses: readonly string[], six: boolean): string => addresses.find((address) => address.includes(':') === six) ?? 'none';
  for (const six of [false, true]) {
    assert.equal(await lab.seenFrom(p1.netns, v(a2, six), p2.netns), v(a1, six), 'same node');
    assert.equal(await lab.seenFrom(p1.netns, v(b1, six), q1.netns), v(a1, six), 'another node');
    assert.equal(await lab.seenFrom(q1.netns, v(a1, six), p1.netns), v(b1, six), 'and back');
    assert.equal(await lab.seenFrom(p1.netns, v(vm.addresses, six), vm.netns), v(a1, six), 'the VM');
    assert.equal(await lab.seenFrom(vm.netns, v(b1, six), q1.netns), v(vm.addresses, six), 'from the VM');
    assert.equal(await lab.seenFrom(p1.netns, v(machineOf(lab.lab, 'n1').addresses, six), one.netns), v(a1, six), 'Pod to its own node');
    assert.match(await lab.seenFrom(one.netns, v(a1, six), p1.netns), /^(10\.20\.|2001:db8:20:)/, 'node to its own Pod');
    assert.match(await lab.seenFrom(two.netns, v(a1, six), p1.netns), /^(10\.20\.|2001:db8:20:)/, 'another node to the Pod');
  }
  void web;
  assert.match(inside(p1.netns, 'ip route get 10.96.0.10'), /dev node0/);
});
