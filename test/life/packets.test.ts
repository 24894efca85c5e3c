/** Who reaches whom, as whom: IPv4, IPv6, both; addresses and prefixes; the MTU. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { eventually, testLab } from './lab.ts';
import { everySizeIsRight } from './underlay-mtu.ts';
import { machineOf } from '../../src/cli/demo/lab.ts';

const dual = { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' };

test('dual stack with prefixes: Pods of two nodes, the VM and the node reach each other in both families; only IPv4 is translated', async () => {
  await using lab = await testLab({
    plan: {
      subnets: { a: dual, b: { cidr4: '10.20.1.0/24', cidr6: '2001:db8:20:1::/64' } },
      machines: { n1: { subnet: 'a' }, n2: { subnet: 'b' }, vm: { subnet: 'a' } },
      internet: ['web'],
    },
    agents: { n1: { subnet: 'a', pods: 'families: [4, 6], unit: prefix' }, n2: { subnet: 'b', pods: 'families: [6, 4], unit: prefix' } },
    mtu: 1400,
  });
  const [one, two, vm, web] = [lab.node(0), lab.node(1), machineOf(lab.lab, 'vm'), machineOf(lab.lab, 'web')];
  const [p1, p2, q1] = [one.container(), one.container(), two.container()];
  const [a1, a2, b1] = [await one.add(p1), await one.add(p2), await two.add(q1)];
  assert.equal(b1[0]?.includes(':'), true, 'the order of spec.families is kept');
  const v = (addresses: readonly string[], six: boolean): string => addresses.find((address) => address.includes(':') === six) ?? 'none';
  for (const six of [false, true]) {
    assert.equal(await lab.seenFrom(p1.netns, v(a2, six), p2.netns), v(a1, six), 'same node');
    assert.equal(await lab.seenFrom(p1.netns, v(b1, six), q1.netns), v(a1, six), 'another node');
    assert.equal(await lab.seenFrom(q1.netns, v(a1, six), p1.netns), v(b1, six), 'and back');
    assert.equal(await lab.seenFrom(p1.netns, v(vm.addresses, six), vm.netns), v(a1, six), 'the VM');
    assert.equal(await lab.seenFrom(vm.netns, v(b1, six), q1.netns), v(vm.addresses, six), 'from the VM');
    assert.notEqual(await lab.seenFrom(one.netns, v(a1, six), p1.netns), 'timeout', 'node to its own Pod');
  }
  assert.equal(await lab.seenFrom(p1.netns, web.addresses[0] ?? '', web.netns), one.publicAddress);
  const mtu = execFileSync('ip', ['-j', '-n', p1.netns.slice('/run/netns/'.length), 'link', 'show', 'eth0'], { encoding: 'utf8' });
  assert.match(mtu, /"mtu":1400/);
  for (const [node, pod] of [
    [one, p1],
    [one, p2],
    [two, q1],
  ] as const)
    assert.equal((await node.call('DEL', pod)).status, 0);
  assert.equal((await one.report()).pods.length, 0);
});

test('a subnet with IPv6 alone serves Pods that have nothing else', async () => {
  await using lab = await testLab({
    plan: {
      subnets: { a: { cidr6: '2001:db8:20::/64' } },
      machines: { n1: { subnet: 'a', private: true }, vm: { subnet: 'a', private: true } },
    },
    agents: { n1: { subnet: 'a', pods: 'families: [6]' } },
  });
  const [node, vm] = [lab.node(0), machineOf(lab.lab, 'vm')];
  const pod = node.container();
  const [address = ''] = await node.add(pod);
  assert.equal(await lab.seenFrom(pod.netns, vm.addresses[0] ?? '', vm.netns), address);
  assert.equal(await lab.seenFrom(vm.netns, address, pod.netns), vm.addresses[0]);
});

test('what is removed behind the agent is put back, and the log says what and how often; a restart finds everything', async () => {
  await using lab = await testLab({
    plan: { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a', type: 'v1.small' }, vm: { subnet: 'a' } } },
    agents: { n1: { subnet: 'a', pods: 'warm: {minimum: 5}' } },
  });
  const node = lab.node(0);
  const vm = machineOf(lab.lab, 'vm');
  const pods = [node.container(), node.container(), node.container(), node.container()];
  const addresses: string[] = [];
  for (const pod of pods) addresses.push(...(await node.add(pod)));
  const [first = ''] = addresses;
  const whole = async (): Promise<boolean> => (await node.ask<{ differences: string[] }>('check')).differences.length === 0;
  const { pods: reported } = await node.report();
  const hostEnd = reported.find((pod) => pod.addresses.includes(first))?.link ?? '';
  for (const damage of [
    'rule del priority 700',
    'rule del priority 740',
    `route del ${first} table 7000`,
    `link del ${hostEnd}`,
    `link set ${hostEnd} down`,
    'route flush table 7001',
  ]) {
    node.ip(damage);
    await eventually(`put right after ip ${damage}`, whole);
  }
  node.ip('rule del priority 700');
  await eventually('put right again', whole);
  assert.match(node.log(), /put back rule 700: all \(IPv4\) lookup 7000 in host: removed behind our back \(2 times\)/);
  execFileSync('ip', ['netns', 'exec', node.netns.slice('/run/netns/'.length), 'nft', 'delete', 'table', 'inet', 'flatpod']);
  await eventually('the table is back', whole);
  await node.kill9();
  node.ip('rule del priority 700');
  await node.start();
  assert.ok(await whole());
  for (const [i, pod] of pods.entries()) assert.equal(await lab.seenFrom(vm.netns, addresses[i] ?? '', pod.netns), vm.addresses[0]);
});

test('routed-veth: packets of the full MTU pass on every way, the key mtu is kept, and who sends more is told', () =>
  everySizeIsRight('datapath: routed-veth', ['eth0']));
