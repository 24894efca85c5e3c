/** Bad input, crashes, disks and clouds that fail: one clear CNI error, nothing leaked, no address twice, and the right state after a restart. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { faultPoints } from '../../src/agent/fault-point.ts';
import { type CniAnswer } from '../../src/cli/demo/cni.ts';
import { deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { goesWrong } from './underlay-faults.ts';
import { type Container, eventually, type TestLab, testLab, type TestNode } from './lab.ts';

const plan = { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a', type: 'v1.large' } } };
const oneNode = (pods: string, node = 'cooldown_s: 0'): Promise<TestLab> => testLab({ plan, agents: { n1: { subnet: 'a', pods, node } } });

/** The CNI error an answer must be: exactly one JSON object. */
function refusal(answer: CniAnswer): { code: number; msg: string; details: string } {
  assert.notEqual(answer.status, 0, `${answer.stdout} should have been refused`);
  const error = JSON.parse(answer.stdout) as { code: number; msg: string; details?: string };
  assert.match(error.msg, /\(FP\d{3}\)$/);
  assert.doesNotMatch(answer.stdout, /at .*\.ts:\d+/, 'no stack');
  return { details: '', ...error };
}

/** Kernel, leases and report agree, and there are exactly these Pods. */
async function whole(node: TestNode, pods: number): Promise<void> {
  const report = await node.report();
  assert.equal(report.pods.length, pods);
  assert.equal(report.pools[0]?.inUse, pods);
  const addresses = report.pods.flatMap((pod) => pod.addresses);
  assert.equal(new Set(addresses).size, addresses.length, 'no address twice');
  assert.deepEqual((await node.ask<{ differences: string[] }>('check')).differences, []);
  const links = node
    .ip('-o link show')
    .split('\n')
    .filter((line) => /: fp[0-9a-f]+@/.test(line));
  assert.equal(links.length, pods, 'one host end a Pod');
  assert.equal(
    node
      .ip('route show table all proto 114')
      .split('\n')
      .filter((line) => / dev fp/.test(line)).length,
    pods,
    'one route to each Pod',
  );
}

test('bad requests get one clear error each, and leave nothing', async () => {
  await using lab = await oneNode('warm: {spare: 4}');
  const node = lab.node(0);
  const pod = node.container();
  const plain = join(node.dir, 'file');
  writeFileSync(plain, 'no namespace');
  const cases: [string, number, Partial<Container>, Parameters<TestNode['call']>[2]][] = [
    ['broken JSON', 6, pod, { config: '{"cniVersion": "1.0.0", ' }],
    ['a list for a configuration', 6, pod, { config: '[]' }],
    ['no name', 7, pod, { config: { name: undefined } }],
    ['a wrong type', 7, pod, { config: { mtu: 'big' } }],
    ['an unknown version', 1, pod, { config: { cniVersion: '9.9.9' } }],
    ['a 31-byte interface name', 4, pod, { env: { CNI_IFNAME: 'x'.repeat(31) } }],
    ['a path as interface name', 4, pod, { env: { CNI_IFNAME: '../eth0' } }],
    ['a path as container id', 4, { ...pod, container: '../../etc' }, {}],
    ['no container id', 4, { netns: pod.netns }, {}],
    ['no namespace', 4, { container: 'c' }, {}],
    ['a namespace that is gone', 8, { container: 'c', netns: `${NAMED}/fpt-gone` }, {}],
    ['a file for a namespace', 8, { container: 'c', netns: plain }, {}],
    ["the host's own namespace", 8, { container: 'c', netns: node.netns }, {}],
    ['an ipam section', 7, pod, { config: { ipam: { type: 'host-local' } } }],
    ['a subnet nobody configured', 7, pod, { config: { subnet: 'other' } }],
    ['an address the node does not hold', 134, pod, { env: { CNI_ARGS: 'IgnoreUnknown=1;IP=10.20.0.250' } }],
    ['10 MiB of stdin', 5, pod, { config: 'x'.repeat(10 << 20) }],
  ];
  for (const [what, code, of, more] of cases) assert.equal(refusal(await node.call('ADD', of, more)).code, code, what);
  assert.equal(
    refusal(await node.call('CHECK', pod, { config: { prevResult: { cniVersion: '1.1.0', ips: [] } } })).code,
    3,
    'CHECK of nothing',
  );
  execFileSync('ip', ['-n', pod.netns.slice(NAMED.length + 1), 'link', 'add', 'eth0', 'type', 'bridge']);
  assert.match(refusal(await node.call('ADD', pod)).msg, /there is a link eth0 in .* already \(FP147\)/);
  await whole(node, 0);
});

test('the verbs may be repeated, come too early and come at once', async () => {
  await using lab = await oneNode('warm: {spare: 4}');
  const node = lab.node(0);
  const pod = node.container();
  assert.equal((await node.call('DEL', pod)).status, 0, 'DEL without ADD');
  const both = await Promise.all([node.call('ADD', pod), node.call('ADD', pod)]);
  assert.deepEqual(
    both.map((answer) => answer.status).toSorted((a, b) => a - b),
    [0, 1],
    'two ADDs at once: one is served',
  );
  const result = both.find((answer) => answer.status === 0)?.stdout ?? '';
  await eventually('a third ADD is refused', async () => refusal(await node.call('ADD', pod)).code === 122);
  const prevResult = JSON.parse(result) as Record<string, unknown>;
  assert.equal((await node.call('CHECK', pod, { config: { prevResult } })).status, 0, 'CHECK right after ADD');
  await whole(node, 1);
  const other = node.container();
  await node.add(other);
  const valid = [{ containerID: pod.container, ifname: 'eth0' }];
  assert.equal((await node.call('GC', {}, { config: { 'cni.dev/valid-attachments': valid } })).status, 0);
  await whole(node, 1);
  assert.equal((await node.call('GC', {})).status, 0, 'GC that knows nothing takes nothing that lives');
  await whole(node, 1);
  assert.equal((await node.call('STATUS', {})).status, 0);
  deleteNetns(pod.netns.slice(NAMED.length + 1));
  assert.equal(
    (await node.call('DEL', { container: pod.container }, { config: { name: 'renamed' } })).status,
    0,
    'DEL with empty netns and another network name',
  );
  assert.equal((await node.call('DEL', { container: pod.container })).status, 0, 'DEL twice');
  await whole(node, 0);
});

test('200 requests at once are all answered; the socket survives garbage, silence and half-closed clients', async () => {
  await using lab = await oneNode('unit: prefix, warm: {minimum: 80}');
  const node = lab.node(0);
  const clients: Socket[] = [];
  using _clients = { [Symbol.dispose]: () => clients.forEach((client) => client.destroy()) };
  for (const bytes of [Buffer.from('garbage'), Buffer.alloc(4, 255), Buffer.from([5, 0, 0, 0, 1])]) {
    clients.push(connect(node.socket));
    clients
      .at(-1)
      ?.on('error', () => undefined)
      .end(bytes);
  }
  await eventually('80 addresses', async () => ((await node.report()).pools[0]?.free ?? 0) >= 60);
  const pods = Array.from({ length: 60 }, () => node.container());
  // CHECK without prevResult: an answer that only the agent can give, and for which the executable waits as long as for ADD.
  const [added, checked] = await Promise.all([
    Promise.all(pods.map((pod) => node.call('ADD', pod))),
    Promise.all(Array.from({ length: 140 }, (_, i) => node.call('CHECK', { container: `unknown-${i}`, netns: '/run/netns/none' }))),
  ]);
  assert.deepEqual(
    added.filter((answer) => answer.status !== 0).map((answer) => answer.stdout),
    [],
  );
  assert.deepEqual(
    checked.filter((answer) => !/FP119/.test(answer.stdout)).map((answer) => answer.stdout),
    [],
  );
  await whole(node, 60);
  const gone = await Promise.all(pods.map((pod) => node.call('DEL', pod)));
  assert.ok(gone.every((answer) => answer.status === 0));
  await whole(node, 0);
  assert.equal(statSync(node.socket).mode & 0o777, 0o600, "the socket is root's alone");
});

test('killed at every numbered step, the agent comes back with the right state', async () => {
  await using lab = await oneNode('warm: {spare: 4}');
  const node = lab.node(0);
  const bystander = node.container();
  await node.add(bystander);
  await node.stop();
  await node.start({ FLATPOD_DIE_AT: faultPoints[0] });
  for (const [i, point] of faultPoints.entries()) {
    const pod = node.container();
    const isAdd = point.startsWith('add');
    if (!isAdd) await node.add(pod);
    const answer = await node.call(isAdd ? 'ADD' : 'DEL', pod);
    await eventually(`the agent died at ${point}`, () => node.agent.process.signalCode === 'SIGKILL');
    if (isAdd && point !== 'add:5 answered') assert.equal(refusal(answer).code, 11, point);
    else assert.equal(answer.status, 0, `${point}: ${answer.stdout}`);
    // The one that dies next: until then it passes its point once.
    const next = faultPoints[i + 1];
    await node.start(next === undefined ? {} : { FLATPOD_DIE_AT: next, FLATPOD_DIE_ON: '2' });
    const committed = isAdd && Number(point.charAt(4)) >= 3;
    await whole(node, committed ? 2 : 1);
    // What a runtime does next: DEL, then the same container anew; after a DEL, DEL again.
    if (isAdd) {
      if (point !== 'add:5 answered') await node.add(pod);
      await whole(node, 2);
    }
    assert.equal((await node.call('DEL', pod)).status, 0, point);
    await whole(node, 1);
  }
  assert.equal((await node.call('DEL', bystander)).status, 0);
  await whole(node, 0);
});

test('DEL without an agent succeeds, and its release is honoured at the next start', async () => {
  await using lab = await oneNode('warm: {spare: 2}');
  const node = lab.node(0);
  const pod = node.container();
  await node.add(pod);
  await node.kill9();
  rmSync(node.socket, { force: true });
  assert.equal(refusal(await node.call('ADD', node.container())).code, 11);
  assert.equal(refusal(await node.call('STATUS', {})).code, 50);
  assert.equal((await node.call('VERSION', {})).status, 0);
  assert.deepEqual(await node.call('DEL', pod).then(({ status, stdout }) => ({ status, stdout })), { status: 0, stdout: '' });
  const spool = join(node.dir, 'state/spool');
  assert.equal(readdirSync(spool).length, 1);
  writeFileSync(join(spool, 'forged.del'), 'nonsense');
  const [kept = ''] = readdirSync(spool).filter((name) => name !== 'forged.del');
  const bytes = readFileSync(join(spool, kept));
  await node.start();
  await whole(node, 0);
  assert.deepEqual(readdirSync(spool), ['forged.del.bad'], 'what cannot be read is kept, and stops nothing');
  await node.add(pod);
  await node.stop();
  writeFileSync(join(spool, kept), bytes);
  await node.start();
  await whole(node, 1);
  assert.match(node.log(), /dropped the release of .*over already, or younger/);
});

test('a full disk: ADD says so and leaks nothing, and works again when there is room', async () => {
  await using lab = await oneNode('warm: {spare: 2}');
  const node = lab.node(0);
  await node.stop();
  const state = join(node.dir, 'state');
  rmSync(state, { recursive: true });
  mkdirSync(state);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', state]);
  using _mounted = { [Symbol.dispose]: () => void execFileSync('umount', ['-l', state]) };
  await node.start();
  const filler = join(state, 'filler');
  await eventually('addresses', async () => ((await node.report()).pools[0]?.free ?? 0) >= 2);
  assert.throws(() => writeFileSync(filler, Buffer.alloc(2 << 20)), /ENOSPC/);
  const pod = node.container();
  let refused: CniAnswer | undefined;
  // The write-ahead log may have room for a few more commits.
  for (let i = 0; i < 200 && refused === undefined; i++) {
    const answer = await node.call('ADD', pod);
    if (answer.status !== 0) refused = answer;
    else await node.call('DEL', pod);
  }
  assert.ok(refused, 'the disk was full');
  assert.match(refusal(refused).msg, /state/);
  rmSync(filler);
  await eventually('works again', async () => (await node.call('DEL', pod)).status === 0);
  await node.add(pod);
  await whole(node, 1);
});

test('a database that is damaged is refused with what to do; --rebuild starts anew, and addresses that Pods still have are not given again', async () => {
  await using lab = await testLab({
    plan: { ...plan, machines: { n1: { subnet: 'a', type: 'v1.small' } } },
    agents: { n1: { subnet: 'a', pods: 'warm: {minimum: 5, spare: 0}', node: 'cooldown_s: 0' } },
  });
  const node = lab.node(0);
  const pods = [node.container(), node.container(), node.container(), node.container()];
  const lost: string[] = [];
  for (const pod of pods) lost.push(...(await node.add(pod)));
  await node.kill9();
  const file = join(node.dir, 'state/state.db');
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
  writeFileSync(file, Buffer.alloc(8192, 7));
  await assert.rejects(node.start(), (error: Error & { details: string }) => /state.*FP15\d/.test(error.details));
  await node.start({}, undefined, ['--rebuild']);
  assert.ok(
    readdirSync(join(node.dir, 'state')).some((name) => name.startsWith('state.db.')),
    'the damaged file is kept',
  );
  // The first three addresses are on the first NIC: the new controller takes them for somebody else's. The last is on a NIC that carries our tags.
  await eventually('the Pod without a record counts', async () => (await node.report()).pools[0]?.inUse === 1, 30);
  const others = [...(await node.add(node.container())), ...(await node.add(node.container()))];
  assert.deepEqual(
    others.filter((address) => lost.includes(address)),
    [],
  );
  assert.match(node.log(), new RegExp(`${lost[3]} is in use by a Pod this agent has no record of`));
  for (const pod of pods) {
    assert.equal((await node.call('DEL', pod)).status, 0);
    deleteNetns(pod.netns.slice(NAMED.length + 1));
  }
  await eventually('its address is free again', async () => (await node.report()).pools[0]?.inUse === 2, 30);
  await eventually('its route is gone', () => !node.ip('route show table all proto 114').includes(`${lost[3]} `));
  await whole(node, 2);
});

test('routed-veth: what goes wrong around a Pod is said, and no loss', (t) =>
  goesWrong(t, 'datapath: routed-veth', {
    damages: [
      ['ip link set eth0 down', /link eth0 up.*: it is down/],
      ['ip -4 addr flush dev eth0', /address 10\.20\.1\.\d+\/32 dev eth0 .*: missing/],
      ['ip neigh flush nud permanent dev eth0', /neighbour 169\.254\.1\.1 .*: missing/],
    ],
    pull: ({ node, parent }) => node.ip(`link del ${parent}`),
  }));
