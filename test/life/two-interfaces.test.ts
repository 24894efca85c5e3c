/** A container with two interfaces: each is whole, and neither takes the other's way out along when it goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testLab } from './lab.ts';

test('a second interface of a container leaves the first one as it is, when it comes and when it goes, in both families', async () => {
  await using lab = await testLab({
    plan: { subnets: { a: { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' } }, machines: { n1: { subnet: 'a' } } },
    agents: { n1: { subnet: 'a', pods: 'families: [4, 6]', node: 'cooldown_s: 0' } },
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
  const [first, second] = [await add('eth0'), await add('net1')];
  await check('eth0', first);
  await check('net1', second);
  assert.equal((await node.call('DEL', pod, { env: { CNI_IFNAME: 'eth0' } })).status, 0);
  await check('net1', second);
  const again = await add('eth0');
  assert.equal((await node.call('DEL', pod, { env: { CNI_IFNAME: 'net1' } })).status, 0);
  await check('eth0', again);
  assert.deepEqual((await node.ask<{ differences: string[] }>('check')).differences, []);
});
