/** Pods by macvlan in the modes that keep them apart, with real packets: what each promises, and what it does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { eventually, testLab } from './lab.ts';
import { addWhenReady, inside, serve } from './underlay.ts';

test('macvlan private and passthru: who is kept apart, who is reached, and by which MAC', async (t) => {
  const families = 'families: [4, 6], useFirstNic: false, warm: {spare: 2}, datapath: macvlan';
  await using lab = await testLab({
    plan: {
      subnets: {
        a: { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' },
        b: { cidr4: '10.20.1.0/24', cidr6: '2001:db8:20:1::/64' },
        c: { cidr4: '10.20.2.0/24', cidr6: '2001:db8:20:2::/64' },
      },
      machines: { n1: { subnet: 'a' }, n2: { subnet: 'a' }, vm: { subnet: 'b' } },
    },
    agents: {
      n1: {
        subnet: 'b',
        pods: `${families}, mode: private`,
        node: 'serviceCidrs: [10.96.0.0/16, "fd00:96::/112"], cooldown_s: 0',
        more: { one: { subnet: 'c', pods: `${families}, mode: passthru` } },
      },
      n2: { subnet: 'b', pods: `${families}, mode: private` },
    },
  });
  const [node, other] = [lab.node(0), lab.node(1)];
  const vm = machineOf(lab.lab, 'vm');
  const [p1, p2, q1, own, second] = [node.container(), node.container(), other.container(), node.container(), node.container()];
  const at = { p1: await addWhenReady(node, p1), p2: await addWhenReady(node, p2), q1: await addWhenReady(other, q1) };
  const one = await addWhenReady(node, own, { subnet: 'one' });
  const whole = async (): Promise<void> => assert.deepEqual((await node.ask<{ differences: string[] }>('check')).differences, []);

  await t.test('private: Pods of one node do not reach each other on the link, but through a Service of their node', async () => {
    for (const [service, ip, address] of [
      ['10.96.0.10', 'ip', at.p2[0] ?? ''],
      ['fd00:96::10', 'ip6', `[${at.p2[1] ?? ''}]`],
    ] as const) {
      const direct = address.replaceAll(/[[\]]/g, '');
      assert.throws(() => inside(p1.netns, `ping -c 1 -W 0.5 ${direct}`), `${direct} is kept apart`);
      serve(node, [{ asked: `${ip} daddr ${service} tcp dport 8080`, endpoint: `${address}:8080` }]);
      assert.ok(at.p1.includes(await lab.seenFrom(p1.netns, service, p2.netns)), `${service} is ${direct}`);
    }
    await whole();
  });

  await t.test('private: Pods reach Pods of other nodes, VMs and their node, and are reached by them', async () => {
    for (const i of [0, 1]) {
      assert.equal(await lab.seenFrom(p1.netns, at.q1[i] ?? '', q1.netns), at.p1[i]);
      assert.equal(await lab.seenFrom(q1.netns, at.p1[i] ?? '', p1.netns), at.q1[i]);
      assert.equal(await lab.seenFrom(vm.netns, at.p1[i] ?? '', p1.netns), vm.addresses[i]);
      assert.match(await lab.seenFrom(node.netns, at.p1[i] ?? '', p1.netns), /^(10\.20|2001:db8)/);
    }
  });

  await t.test(
    'passthru: one Pod has the NIC with its MAC, reaches and is reached; a second one is refused, until the first is gone',
    async () => {
      const { nics } = await node.report();
      const parent = nics.find(({ subnet }) => subnet === 'one');
      assert.ok(parent);
      assert.match(inside(own.netns, 'ip link show eth0'), new RegExp(`link/ether ${parent.mac}`));
      for (const i of [0, 1]) {
        assert.equal(await lab.seenFrom(vm.netns, one[i] ?? '', own.netns), vm.addresses[i]);
        assert.equal(await lab.seenFrom(own.netns, vm.addresses[i] ?? '', vm.netns), one[i]);
        assert.match(await lab.seenFrom(node.netns, one[i] ?? '', own.netns), /^(10\.20|2001:db8)/);
      }
      await whole();
      const refused = await node.call('ADD', second, { config: { subnet: 'one' } });
      assert.match(refused.stdout, new RegExp(`${parent.link} cannot have macvlan passthru eth0 .*used in another way already.*FP282`));
      assert.equal((await node.report()).pods.length, 3);
      assert.equal((await node.call('DEL', own)).status, 0);
      const [again = ''] = await addWhenReady(node, second, { subnet: 'one' });
      await eventually('the next Pod is reached', async () => (await lab.seenFrom(vm.netns, again, second.netns)) === vm.addresses[0]);
    },
  );
});
