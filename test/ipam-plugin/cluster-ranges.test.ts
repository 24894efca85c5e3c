/** The reference macvlan plugin with addresses of a PodSubnet: two nodes on one Ethernet, each with its agent, Pods as a runtime makes them. */
import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { faultPoints } from '../../src/agent/fault-point.ts';
import { agentOn, type Pod, type RangeAgent } from '../agent/range-agent.ts';
import { run } from '../cni/executable.ts';
import { testLan } from '../kernel/lan.ts';
import type { TestNetns } from '../kernel/namespace.ts';
import { eventually } from '../life/lab.ts';
import { programs } from '../programs.ts';
import { type Told, toldIn } from './books.ts';

const root = resolve(import.meta.dirname, '../..');
const list = {
  cniVersion: '1.0.0',
  name: 'lan',
  type: 'macvlan',
  master: 'eth0',
  ipam: { type: 'flatpod-ipam', subnet: 'pods' },
};

/** The reference plugin, run on a node. */
async function macvlan(
  node: RangeAgent,
  host: TestNetns,
  verb: 'ADD' | 'DEL' | 'CHECK',
  { container, ns }: Pod,
  more: object = {},
): Promise<Told> {
  const env = {
    ...node.places,
    FLATPOD_HOME: root,
    PATH: process.env['PATH'] ?? '',
    CNI_PATH: `${join(root, 'dist/cni')}:${programs.plugins('debian')}`,
    CNI_COMMAND: verb,
    CNI_CONTAINERID: container,
    CNI_NETNS: ns.path,
    CNI_IFNAME: 'eth0',
  };
  const command = ['netns', 'exec', host.name, join(programs.plugins('debian'), 'macvlan')];
  const ended = await run('ip', env, JSON.stringify({ ...list, ...more }), command);
  return toldIn(ended.status ?? -1, ended.stdout);
}

test('macvlan Pods of two nodes have addresses of one range, none twice, and reach each other; without the agent none is given, and a DEL waits for it', async () => {
  using lan = testLan(2);
  await using one = agentOn(lan.host(0), 'one', '10.9.0.60');
  await using two = agentOn(lan.host(1), 'two', '10.9.0.60');
  const nodes = [
    [one, lan.host(0)],
    [two, lan.host(1)],
  ] as const;
  await Promise.all([one.start(), two.start()]);
  const pods: { pod: Pod; address: string }[] = [];
  for (const [node, host] of [...nodes, ...nodes]) {
    const pod = node.pod();
    const told = await macvlan(node, host, 'ADD', pod);
    assert.equal(told.status, 0, told.stdout);
    assert.equal((await macvlan(node, host, 'CHECK', pod, { prevResult: told.json })).status, 0);
    pods.push({ pod, address: told.addresses[0]?.split('/')[0] ?? '' });
  }
  assert.equal(new Set(pods.map(({ address }) => address)).size, pods.length, JSON.stringify(pods.map(({ address }) => address)));
  for (const { pod, address: own } of pods) for (const { address } of pods) if (address !== own) pod.ns.exec(`ping -c 1 -W 5 ${address}`);

  await one.running.stop('SIGKILL');
  const [first] = pods;
  assert.ok(first);
  assert.equal((await macvlan(one, lan.host(0), 'ADD', one.pod())).fp, 'FP318');
  assert.equal((await macvlan(one, lan.host(0), 'DEL', first.pod)).status, 0);
  await one.start();
  const { pods: left } = await one.report();
  assert.deepEqual(
    left.map(({ container }) => container),
    [pods[2]?.pod.container],
  );
  assert.equal((await one.ip(first.address)).state, 'cooling', 'its lease is over');
});

test('killed at any step of an ADD for another main plugin, the agent comes back with the right state, and the ADD is repeated', async () => {
  using lan = testLan(1);
  const host = lan.host(0);
  await using node = agentOn(host, 'one', '10.9.0.40', ', cooldown_s: 0');
  for (const point of faultPoints.filter((one) => ['add:2', 'add:3', 'add:5'].some((step) => one.startsWith(step)))) {
    const pod = node.pod();
    await node.start({ FLATPOD_DIE_AT: point });
    await macvlan(node, host, 'ADD', pod);
    await eventually(`the agent died at ${point}`, () => node.running.process.signalCode === 'SIGKILL');
    await node.start();
    // After an ADD that failed a runtime says DEL, and then ADD.
    assert.equal((await macvlan(node, host, 'DEL', pod)).status, 0, point);
    const again = await macvlan(node, host, 'ADD', pod);
    assert.equal(again.status, 0, `${point}: ${again.stdout}`);
    assert.equal((await node.report()).pools[0]?.inUse, 1, point);
    assert.equal((await macvlan(node, host, 'DEL', pod)).status, 0, point);
    const { pools, pods } = await node.report();
    assert.deepEqual([pools[0]?.inUse, pods.length], [0, 0], point);
    await node.running.stop();
  }
});
