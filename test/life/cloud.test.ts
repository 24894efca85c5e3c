/** The cloud fails, lies and runs out; addresses are neither lost nor given twice, and the error says which limit it was. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Container, eventually, type TestLab, testLab, type TestNode } from './lab.ts';

const machine = { subnet: 'a', type: 'v1.small' } as const;
const lab = (pods: string, node = 'cooldown_s: 0, addressWait_s: 1', cidr4 = '10.20.0.0/24'): Promise<TestLab> =>
  testLab({ plan: { subnets: { a: { cidr4 } }, machines: { n1: machine } }, agents: { n1: { subnet: 'a', pods, node } } });

interface CloudNic {
  readonly id: string;
  readonly blocks: readonly string[];
  readonly attachment?: { readonly deviceIndex: number };
}

async function nicsOf(of: TestLab): Promise<CloudNic[]> {
  return (await of.api.call<{ items: CloudNic[] }>('GET', `/v1/nics?instance=${of.node(0).instance}`)).items;
}

/** Seconds for a controller that the cloud has refused: it pauses, the longer the more often that was, and how often that was depends on how fast all else went. */
const AFTER_PAUSES_s = 120;

/** What the cloud has for the node is what the node holds: nothing leaked, nothing imagined. */
async function agree(of: TestLab): Promise<void> {
  await eventually(
    'cloud and node agree',
    async () => {
      const held = (await of.node(0).report()).pools[0]?.held;
      return (await nicsOf(of)).reduce((sum, nic) => sum + nic.blocks.length, 0) === held;
    },
    AFTER_PAUSES_s,
  );
}

/** ADD as soon as the node has an address for it: an ADD that comes before that is refused here after a second. */
async function served(node: TestNode, pod: Container): Promise<string[]> {
  await eventually('an address', async () => ((await node.report()).pools[0]?.free ?? 0) > 0, 60);
  return node.add(pod);
}

/** Refused for that: as soon as the controller has said it, for which an ADD does not wait long here. */
async function refusedFor(node: TestNode, words: RegExp): Promise<void> {
  await eventually('it is refused in these words', async () => assert.match(await refused(node), words), 60);
}

async function refused(node: TestNode): Promise<string> {
  const answer = await node.call('ADD', node.container());
  assert.equal(answer.status, 1, answer.stdout);
  const { code, msg, details } = JSON.parse(answer.stdout) as { code: number; msg: string; details: string };
  assert.equal(code, 11);
  return `${msg} ${details}`;
}

test('a pool of N addresses serves N Pods; the error after that has the numbers and the ceiling', async () => {
  await using l = await lab('warm: {spare: 3}, perNode: {maximum: 3}');
  const node = l.node(0);
  const pods = [node.container(), node.container(), node.container()];
  await eventually('three addresses', async () => (await node.report()).pools[0]?.free === 3, 60);
  const addresses = (await Promise.all(pods.map((pod) => node.add(pod)))).flat();
  assert.equal(new Set(addresses).size, 3);
  await refusedFor(
    node,
    /no address left for container .* in pods \(FP130\) 3 in use, 0 cooling .* 1 wanted, 3 held by this node; growth stopped by the ceiling \(.*3.*perNode\.maximum\)\); raise that ceiling in PodSubnet pods/,
  );
  assert.equal((await node.call('DEL', pods[0] ?? {})).status, 0);
  await node.add(node.container());
});

test('an instance that is full, and a subnet that is full, are named as such', async () => {
  {
    await using l = await lab('warm: {minimum: 6}');
    const node = l.node(0);
    for (let i = 0; i < 6; i++) await served(node, node.container());
    await refusedFor(node, /growth stopped by the instance \(.*larger instance type/);
  }
  await using l = await testLab({
    plan: { subnets: { a: { cidr4: '10.20.0.0/28' } }, machines: { n1: { ...machine, type: 'v1.large' } } },
    agents: { n1: { subnet: 'a', node: 'cooldown_s: 0, addressWait_s: 1' } },
  });
  const node = l.node(0);
  // Of 16 addresses five are the cloud's and one is the node's.
  for (let i = 0; i < 10; i++) await served(node, node.container());
  await refusedFor(node, /growth stopped by the subnet \(.*another PodSubnet|growth stopped by the subnet \(/);
});

test('a freed address rests, also across kill -9, and the error says for how long', async () => {
  await using l = await lab('warm: {spare: 2}, perNode: {maximum: 2}', 'cooldown_s: 600, addressWait_s: 0');
  const node = l.node(0);
  const pods = [node.container(), node.container()];
  await eventually('two addresses', async () => (await node.report()).pools[0]?.free === 2);
  for (const pod of pods) await node.add(pod);
  assert.equal((await node.call('DEL', pods[0] ?? {})).status, 0);
  assert.match(await refused(node), /1 in use, 1 cooling \(next free in (600|5\d\d) s\)/);
  await node.kill9();
  await node.start();
  assert.match(await refused(node), /1 in use, 1 cooling \(next free in (600|5\d\d) s\)/);
});

test('with the VPC API away the agent starts and serves what it has; an ADD beyond that says so; all is well when it is back', async () => {
  await using l = await lab('warm: {minimum: 2, spare: 0}');
  const node = l.node(0);
  await eventually('two addresses', async () => (await node.report()).pools[0]?.free === 2);
  await l.vpc.stop('SIGKILL');
  await node.add(node.container());
  await node.kill9();
  await node.start();
  await node.add(node.container());
  await refusedFor(node, /2 in use.*growth stopped by/);
  await l.restartVpc();
  const late = node.container();
  await eventually('served again', async () => (await node.call('ADD', late)).status === 0, AFTER_PAUSES_s);
  await agree(l);
});

test('answers lost after success, errors, throttling, half a batch, stale reads: nothing leaks, nothing is given twice', async () => {
  await using l = await lab('warm: {spare: 2}', 'cooldown_s: 0, addressWait_s: 10');
  const node = l.node(0);
  const faults = [
    { call: 'AssignAddresses', effect: { kind: 'loseAnswer' } },
    { call: 'AssignAddresses', effect: { kind: 'partial' } },
    { call: 'CreateNic', effect: { kind: 'loseAnswer' } },
    { call: 'AttachNic', effect: { kind: 'loseAnswer' } },
    { call: 'UnassignAddresses', effect: { kind: 'loseRequest' } },
    { call: 'ListNics', effect: { kind: 'throttle' } },
    { call: '*', effect: { kind: 'error' } },
    { call: '*', effect: { kind: 'delay', ms: 300 } },
  ];
  for (const fault of faults) await l.api.call('POST', '/v1/faults', { ...fault, count: 1 });
  await l.api.call('POST', '/v1/faults', { effect: { kind: 'staleReads', ms: 400 } });
  const pods = Array.from({ length: 5 }, () => node.container());
  const addresses: string[] = [];
  for (const pod of pods) {
    // A runtime tries again as a new sandbox; the same one will do here, as a refused ADD leaves nothing.
    await eventually(
      'served in spite of it all',
      async () => {
        const answer = await node.call('ADD', pod);
        if (answer.status === 0) addresses.push((JSON.parse(answer.stdout) as { ips: { address: string }[] }).ips[0]?.address ?? '');
        return answer.status === 0;
      },
      90,
    );
  }
  assert.equal(new Set(addresses).size, 5);
  const { items } = await l.api.call<{ items: { call: string; hits: number }[] }>('GET', '/v1/faults');
  await l.api.call('DELETE', '/v1/faults');
  assert.ok(items.length <= 2, `most faults came to pass: left are ${items.map(({ call }) => call).join(', ')}`);
  for (const pod of pods) assert.equal((await node.call('DEL', pod)).status, 0);
  await agree(l);
});

test('a NIC pulled under its Pods is said, the others go on, and DEL of its Pods works', async () => {
  await using l = await lab('warm: {minimum: 5, spare: 1}');
  const node = l.node(0);
  const pods = Array.from({ length: 4 }, () => node.container());
  const addresses: string[] = [];
  for (const pod of pods) addresses.push(...(await served(node, pod)));
  const second = (await nicsOf(l)).find((nic) => nic.attachment?.deviceIndex === 1);
  assert.ok(second, 'the fourth Pod is on a second NIC');
  await l.api.call('POST', `/v1/nics/${second.id}/detach`);
  await eventually('it is said', () => /was unplugged/.test(node.log()), 30);
  assert.equal(
    await l.seenFrom(pods[0]?.netns ?? '', addresses[1] ?? '', pods[1]?.netns ?? ''),
    addresses[0],
    'Pods of the first NIC go on',
  );
  for (const pod of pods) assert.equal((await node.call('DEL', pod)).status, 0);
  await eventually('no Pod is left', async () => (await node.report()).pods.length === 0);
  const again = node.container();
  await eventually('the node serves', async () => (await node.call('ADD', again)).status === 0, AFTER_PAUSES_s);
});

test('drain gives everything back and ends the agent; it is refused while a Pod is there, and a NIC that will not detach is waited for', async () => {
  await using l = await lab('warm: {minimum: 5}');
  const node = l.node(0);
  await eventually('a second NIC', async () => (await nicsOf(l)).length === 2);
  const pod = node.container();
  await served(node, pod);
  await assert.rejects(node.ask('drain'), /cannot be drained: 1 Pods are attached/);
  assert.equal((await node.call('DEL', pod)).status, 0);
  await l.api.call('POST', '/v1/faults', { call: 'DetachNic', count: 1, effect: { kind: 'detachStuck' } });
  const drained = node.ask('drain');
  await eventually('the drain began', async () => /draining/.test((await node.call('STATUS', {})).stdout));
  assert.match((await node.call('ADD', node.container())).stdout, /draining/, 'ADD is refused meanwhile');
  await l.api.call('DELETE', '/v1/faults');
  await drained;
  await eventually('the agent ended', () => node.agent.process.exitCode === 0);
  assert.deepEqual(
    (await nicsOf(l)).map((nic) => nic.blocks.length),
    [0],
  );
  assert.doesNotMatch(node.ip('rule show'), /proto 114/);
});
