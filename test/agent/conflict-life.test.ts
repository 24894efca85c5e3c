/** Agents as processes, standalone, over one range on one Ethernet: nothing but the network itself keeps their addresses apart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultPoints } from '../../src/agent/fault-point.ts';
import { macOf, testLan } from '../kernel/lan.ts';
import { eventually } from '../life/lab.ts';
import { agentOn, type Pod } from './range-agent.ts';

test('two nodes that know nothing of each other share a range: no Pod has the address of another, and all reach each other', async () => {
  using lan = testLan(2);
  await using one = agentOn(lan.host(0), 'one', '10.9.0.60');
  await using two = agentOn(lan.host(1), 'two', '10.9.0.60');
  await Promise.all([one.start(), two.start()]);
  const pods: { pod: Pod; address: string }[] = [];
  for (const node of [one, two, one, two]) {
    const pod = node.pod();
    pods.push({ pod, address: await node.add(pod) });
  }
  assert.equal(new Set(pods.map(({ address }) => address)).size, pods.length, JSON.stringify(pods.map(({ address }) => address)));
  for (const { pod, address: own } of pods) for (const { address } of pods) if (address !== own) pod.ns.exec(`ping -c 1 -W 5 ${address}`);
  const [first, second] = pods;
  assert.ok(first && second);
  const report = await two.ip(first.address);
  assert.deepEqual([report.state, report.other], ['taken', { holder: macOf(first.pod.ns), link: 'eth0' }]);
  assert.match(two.running.log(), /in use on the network of eth0 by .*it rests for 600 s/);
});

test('an address that somebody had rests on through a restart of the agent, whoever has it by then', async () => {
  using lan = testLan(2);
  const other = lan.host(1);
  other.ip('addr add 10.9.0.5/24 dev eth0');
  await using node = agentOn(lan.host(0), 'one', '10.9.0.6');
  await node.start();
  const pod = node.pod();
  await eventually('an address', async () => (await node.report()).pools.some(({ free }) => free === 2));
  assert.equal(await node.add(pod), '10.9.0.6');
  other.ip('addr del 10.9.0.5/24 dev eth0');
  const before = await node.ip('10.9.0.5');
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await node.running.stop(signal);
    await node.start();
    assert.deepEqual(await node.ip('10.9.0.5'), before);
    assert.deepEqual(
      (await node.report()).pools.map(({ inUse, cooling, free }) => ({ inUse, cooling, free })),
      [{ inUse: 1, cooling: 1, free: 0 }],
    );
  }
});

test('killed at any step of an ADD that asks the network first, the agent comes back with the right state', async () => {
  using lan = testLan(2);
  lan.host(1).ip('addr add 10.9.0.5/24 dev eth0');
  await using node = agentOn(lan.host(0), 'one', '10.9.0.40', ', cooldown_s: 0');
  for (const point of faultPoints.filter((one) => one.startsWith('add'))) {
    const pod = node.pod();
    await node.start({ FLATPOD_DIE_AT: point });
    await node.call('ADD', pod);
    await eventually(`the agent died at ${point}`, () => node.running.process.signalCode === 'SIGKILL');
    await node.start();
    if (point !== 'add:5 answered') assert.notEqual(await node.add(pod), '10.9.0.5', point);
    assert.equal((await node.report()).pools[0]?.inUse, 1, point);
    assert.equal((await node.call('DEL', pod)).status, 0, point);
    const { pools, pods } = await node.report();
    assert.deepEqual([pools[0]?.inUse, pods.length], [0, 0], point);
    await node.running.stop();
  }
});
