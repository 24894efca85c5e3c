/** Pods behind a NIC that has just come: their first packets get through; a second interface of one is whole, and neither takes the other's way out along when it goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { testLab } from './lab.ts';
import { inside } from './underlay.ts';

test('a container behind a NIC that came for it, in both families', async (t) => {
  await using lab = await testLab({
    plan: { subnets: { a: { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' } }, machines: { n1: { subnet: 'a' }, vm: { subnet: 'a' } } },
    agents: { n1: { subnet: 'a', pods: 'families: [4, 6], useFirstNic: false', node: 'cooldown_s: 0, addressWait_s: 60' } },
  });
  const node = lab.node(0);
  const pod = node.container();
  const add = async (ifname: string): Promise<unknown> => {
    const answer = await node.call('ADD', pod, { env: { CNI_IFNAME: ifname } });
    assert.equal(answer.status, 0, answer.stdout);
    return JSON.parse(answer.stdout);
  };
  const check = async (ifname: string, prevResult: unknown): Promise<void> => {
    const answer = await node.call('CHECK', pod, { config: { prevResult }, env: { CNI_IFNAME: ifname } });
    assert.equal(answer.status, 0, `${ifname}: ${answer.stdout}`);
  };
  const first = await add('eth0');
  await t.test('its first packets get through: no link on their way waits for duplicate address detection', () => {
    for (const address of machineOf(lab.lab, 'vm').addresses) inside(pod.netns, `ping -c 1 -W 5 ${address}`);
    // Whoever is not as patient as this would have lost the first IPv6 packet, which the kernel holds back for two seconds where such an address is.
    assert.doesNotMatch(node.ip('-6 addr show tentative'), /: (eth1|fp)/);
    assert.match(node.ip('-6 addr show dev eth1'), /fe80::/);
  });
  await t.test('a second interface leaves the first one as it is, when it comes and when it goes', async () => {
    const second = await add('net1');
    await check('eth0', first);
    await check('net1', second);
    assert.equal((await node.call('DEL', pod, { env: { CNI_IFNAME: 'eth0' } })).status, 0);
    await check('net1', second);
    const again = await add('eth0');
    assert.equal((await node.call('DEL', pod, { env: { CNI_IFNAME: 'net1' } })).status, 0);
    await check('eth0', again);
    assert.deepEqual((await node.ask<{ differences: string[] }>('check')).differences, []);
  });
});
