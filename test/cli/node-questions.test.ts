/** `flatpod pod` and `flatpod ip` beside a live agent: what stands behind a Pod, and who has an address. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { AddressReport } from '../../src/agent/address-report.ts';
import type { PodReport } from '../../src/agent/pod-report.ts';
import { launcher } from '../../src/cli/demo/processes.ts';
import { eventually, testLab } from '../life/lab.ts';

const plan = { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a', type: 'v1.small' } } };
const named = { env: { CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-1' } };

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** `flatpod ARGS`, to its end. */
async function flatpod(...args: string[]): Promise<Ended> {
  const child = spawn(launcher, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
  const status = new Promise<number | null>((done) => child.once('close', done));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, out, err };
}

test('pod shows the way from the NIC to each kernel object, and says which is missing; ip tells a holder, a rest and who had it before', async () => {
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a', pods: 'exclude: [10.20.0.200]', node: 'cooldown_s: 600' } } });
  const node = lab.node(0);
  const socket = ['--socket', node.socket];
  const podOf = async (asked: string): Promise<PodReport> =>
    // The command prints what the agent answered.
    JSON.parse((await flatpod('pod', asked, '--json', ...socket)).out) as PodReport;
  const ipOf = async (address: string): Promise<AddressReport> =>
    JSON.parse((await flatpod('ip', address, '--json', ...socket)).out) as AddressReport;
  const pod = node.container();
  const [address = ''] = await node.add(pod, named);

  const [whole] = (await podOf('shop/web-0')).attachments;
  assert.ok(whole);
  assert.deepEqual([whole.pod, whole.uid, whole.container, whole.alive, whole.subnet], ['shop/web-0', 'u-1', pod.container, true, 'pods']);
  assert.deepEqual(whole.addresses, [{ address, block: `${address}/32` }]);
  assert.equal(whole.nic.deviceIndex, 0);
  assert.notEqual(whole.nic.link, '');
  assert.deepEqual(
    whole.objects.filter(({ state }) => state !== 'present'),
    [],
  );
  for (const purpose of ['pod', 'interface', 'node'])
    assert.ok(
      whole.objects.some((object) => object.of === purpose),
      purpose,
    );
  for (const other of ['web-0', pod.container]) assert.equal((await podOf(other)).attachments.length, 1, other);
  const shown = await flatpod('pod', 'shop/web-0', ...socket);
  assert.equal(shown.status, 0, shown.err);
  assert.match(
    shown.out,
    new RegExp(`NIC +${whole.nic.id}, device 0[^]*KERNEL OBJECT +FOR[^]*route ${address}/32 .* this Pod +host +present`),
  );

  execFileSync('ip', ['-n', basename(pod.netns), 'route', 'del', 'default']);
  const broken = await flatpod('pod', 'shop/web-0', ...socket);
  assert.equal(broken.status, 1);
  assert.match(broken.out, /^route 0\.0\.0\.0\/0 .* missing$/m);
  assert.deepEqual(await flatpod('pod', 'shop/nobody', ...socket), {
    status: 1,
    out: 'Flatpod has nothing for shop/nobody on n1; flatpod status lists its Pods\n',
    err: '',
  });

  const held = await ipOf(address);
  assert.deepEqual([held.state, held.holder?.pod, held.holder?.container, held.subnet], ['leased', 'shop/web-0', pod.container, 'pods']);
  assert.deepEqual((await ipOf(node.address)).state, 'interface');
  assert.deepEqual((await ipOf('10.20.0.1')).state, 'gateway');
  assert.equal((await node.call('DEL', pod)).status, 0);
  const rests = await ipOf(address);
  assert.equal(rests.state, 'cooling');
  assert.ok((rests.until_ms ?? 0) > Date.now() - 60_000);
  const [before] = rests.former;
  assert.deepEqual([before?.pod, before?.container, before?.subnet], ['shop/web-0', pod.container, 'pods']);
  assert.match((await flatpod('ip', address, ...socket)).out, /rests until[^]*HELD BEFORE BY +NODE[^]*shop\/web-0 +n1 /);

  // Of a short rest alone it can be seen that it ends; what is seen of a rest takes two programs longer than that.
  const yaml = readFileSync(join(node.dir, 'node.yaml'), 'utf8');
  await node.stop();
  await node.start({}, yaml.replace('cooldown_s: 600', 'cooldown_s: 1'));
  const next = node.container();
  const [short = ''] = await node.add(next, named);
  assert.equal((await node.call('DEL', next)).status, 0);
  await eventually('its rest ends', async () => ['free', 'reclaiming', 'returned', 'notHeld'].includes((await ipOf(short)).state), 30);

  const foreign = await flatpod('ip', '192.0.2.1', ...socket);
  assert.deepEqual([foreign.status, foreign.out.split('\n')[0]], [1, "192.0.2.1 is none of node n1's"]);
  const wrong = await flatpod('ip', '10.20.0.256', ...socket);
  assert.equal(wrong.status, 1);
  assert.match(wrong.err, /^flatpod: .*10\.20\.0\.256/);
});

test('a Pod whose namespace is gone hides what was in it, and nothing else', async () => {
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  const pod = node.container();
  await node.add(pod, named);
  execFileSync('ip', ['netns', 'del', basename(pod.netns)]);
  const ended = await flatpod('pod', 'web-0', '--json', '--socket', node.socket);
  assert.equal(ended.status, 1);
  const [gone] = (JSON.parse(ended.out) as PodReport).attachments;
  assert.ok(gone);
  assert.equal(gone.alive, false);
  assert.deepEqual(new Set(gone.objects.filter(({ where }) => where !== 'host').map(({ state }) => state)), new Set(['unknown']));
  assert.ok(gone.objects.every(({ where, state }) => where !== 'host' || state !== 'unknown'));
});

test('wrong use ends with 2, and help shows an example', async () => {
  for (const args of [['pod'], ['ip'], ['ip', '10.0.0.1', '--nonsense']]) assert.equal((await flatpod(...args)).status, 2, args.join(' '));
  for (const name of ['pod', 'ip']) assert.match((await flatpod(name, '--help')).out, new RegExp(`Example:\\n {2}flatpod ${name} `));
});
