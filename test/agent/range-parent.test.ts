/** Faults of the interface that a range stands on, and what passthru means there, without any cloud: one agent and real packets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { macOf, testLan } from '../kernel/lan.ts';
import { eventually } from '../life/lab.ts';
import { agentOn } from './range-agent.ts';

test('macvlan on a range whose interface goes down, is renamed, goes and comes back', async (t) => {
  using lan = testLan(2);
  const [host, other] = [lan.host(0), lan.host(1)];
  other.ip('addr add 10.9.0.200/24 dev eth0');
  await using node = agentOn(host, 'one', '10.9.0.40', ', cooldown_s: 0, addressWait_s: 1');
  await node.start();
  const [pod, next] = [node.pod(), node.pod()];
  const address = await node.add(pod);
  const works = (): void => void other.exec(`ping -c 1 -W 5 ${address}`);
  const whole = async (): Promise<boolean> => (await node.ask<{ differences: string[] }>('check')).differences.length === 0;
  const refused = async (why: RegExp): Promise<void> => assert.match((await node.call('ADD', next)).stdout, why);
  const served = async (): Promise<void> => {
    await eventually('a new Pod is served', () => node.add(next), 30);
    assert.equal((await node.call('DEL', next)).status, 0);
    await eventually('the Pod goes on', () => works());
    assert.ok(await whole());
  };
  works();
  // Whoever asks before the agent has heard of it is told that nobody can be asked.
  const missing =
    /\(FP130\).*growth stopped by the node has no interface eth0; was it unplugged or renamed\?|there is no such interface \(FP291\)/;

  await t.test('down: a new Pod is refused by FP291, as nobody can be asked; up again, all is as it was', async () => {
    host.ip('link set eth0 down');
    await refused(/nobody could be asked on eth0 .*\(FP291\)/);
    host.ip('link set eth0 up');
    await served();
  });

  await t.test(
    'of another name: Pods go on, new ones are refused by what is missing; under its own name again, all is as it was',
    async () => {
      host.exec('ip -batch -', 'link set eth0 down\nlink set eth0 name lan7\nlink set lan7 up\n');
      await refused(missing);
      works();
      host.exec('ip -batch -', 'link set lan7 down\nlink set lan7 name eth0\nlink set eth0 up\n');
      await served();
    },
  );

  await t.test('gone and back: status says so meanwhile, and the Pod gets its link, address and ways again', async () => {
    host.ip('link del eth0');
    await eventually('said', async () => (await node.report()).nics[0]?.place === 'gone');
    await refused(missing);
    lan.lan.ip(`link add p0 type veth peer name eth0 netns ${host.name}`);
    lan.lan.ip('link set p0 up master br0');
    host.ip('link set eth0 up');
    await served();
  });
});

test('a range that says more than its interface takes: FP288 says how much it takes, and nothing is leased', async () => {
  using lan = testLan(1);
  await using node = agentOn(lan.host(0), 'one', '10.9.0.40', '', { range: ', mtu: 9000' });
  await node.start();
  const pod = node.pod();
  const { stdout } = await node.call('ADD', pod);
  assert.match(stdout, /macvlan bridge eth0 of eth0 cannot have packets of 9000 bytes: eth0 takes 1500.*\(FP288\)/);
  const { pods, pools } = await node.report();
  assert.deepEqual([pods.length, pools[0]?.inUse], [0, 0]);
  assert.equal((await node.call('ADD', pod, { mtu: 1500 })).status, 0);
});

test("macvlan passthru on a range: the Pod has the interface's own MAC, and is reached by it", async () => {
  using lan = testLan(2);
  lan.host(1).ip('addr add 10.9.0.200/24 dev eth0');
  await using node = agentOn(lan.host(0), 'one', '10.9.0.40', '', { datapath: 'macvlan\n  mode: passthru' });
  await node.start();
  const pod = node.pod();
  const address = await node.add(pod);
  assert.equal(macOf(pod.ns), macOf(lan.host(0)));
  lan.host(1).exec(`ping -c 1 -W 5 ${address}`);
  assert.deepEqual((await node.ask<{ differences: string[] }>('check')).differences, []);
});
