/** The flatpod command beside a live agent: status, check, drain; what each prints, and the code it ends with. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { text } from 'node:stream/consumers';
import type { NodeReport } from '../../src/agent/status-report.ts';
import { cni } from '../../src/cli/demo/cni.ts';
import { launcher, start } from '../../src/cli/demo/processes.ts';
import { eventually, patientStatus, testLab } from './lab.ts';

const plan = { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a', type: 'v1.small' } } };

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

test('status shows node, NICs, pool and Pods; check names a difference and ends with 1, --repair puts it right; drain ends the agent', async () => {
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a', pods: 'warm: {minimum: 4, spare: 1}', node: 'cooldown_s: 1' } } });
  const node = lab.node(0);
  const socket = ['--socket', node.socket];
  const pod = node.container();
  const [address = ''] = await node.add(pod, { env: { CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0' } });
  await eventually('the warm minimum', async () => (await node.report()).pools[0]?.held === 4);

  const json = await flatpod('status', '--json', ...socket);
  assert.equal(json.status, 0, json.err);
  // The command prints what the agent answered.
  const report = JSON.parse(json.out) as NodeReport;
  assert.equal(report.ready, true);
  assert.deepEqual(
    report.pods.map((one) => [one.pod, one.addresses, one.alive, one.state]),
    [['shop/web-0', [address], true, 'ready']],
  );
  assert.deepEqual(
    report.pools.map(({ inUse, free, held, cooling }) => ({ inUse, free, held, cooling })),
    [{ inUse: 1, free: 3, held: 4, cooling: 0 }],
  );
  const shown = await flatpod('status', ...socket);
  assert.match(shown.out, new RegExp(`NODE +n1 +ready[^]*DEVICE[^]*IN USE[^]*shop/web-0 +${address} +eth0`));
  assert.ok(!shown.out.includes('\u001b'), 'no colour into a pipe');

  assert.deepEqual(await flatpod('check', ...socket), { status: 0, out: 'The kernel holds what it should.\n', err: '' });
  const [link = ''] = report.pods.map((one) => one.link);
  assert.match(node.ip(`route show ${address} table 7000`), new RegExp(`dev ${link} `));
  execFileSync('ip', ['-n', basename(pod.netns), 'route', 'del', 'default']);
  const wrong = await flatpod('check', ...socket);
  assert.equal(wrong.status, 1);
  assert.match(wrong.out, /^differs +route .*0\.0\.0\.0\/0.*: missing\n$/);
  const repaired = await flatpod('check', '--repair', '--json', ...socket);
  assert.equal(repaired.status, 0, repaired.out);
  const { differences, left } = JSON.parse(repaired.out) as { differences: string[]; left: string[] };
  assert.equal(differences.length, 1);
  assert.deepEqual(left, []);
  assert.equal((await flatpod('check', ...socket)).status, 0);

  const refused = await flatpod('drain', ...socket);
  assert.equal(refused.status, 1);
  assert.match(refused.err, /^flatpod: .*1 Pods are attached/);
  assert.ok(!refused.err.includes('.ts:'), 'no stack');
  assert.equal((await node.call('DEL', pod)).status, 0);
  assert.deepEqual(await flatpod('drain', '--timeout', '50', ...socket), {
    status: 0,
    out: 'drained: nothing of Flatpod is left on this node\n',
    err: '',
  });
  await eventually('the agent ended', () => node.agent.process.exitCode === 0);
  const silent = await flatpod('status', '--json', ...socket);
  assert.equal(silent.status, 1);
  assert.match(silent.out, /^\{"error":\{"code":202,/);
});

test('an agent without a configuration serves, says so, and changes nothing; ADD and STATUS answer FP123', async () => {
  await using lab = await testLab({ plan, agents: {} });
  const machine = lab.lab.machines.get('n1');
  assert.ok(machine);
  const dir = join(lab.url.slice('unix:'.length), '../bare');
  mkdirSync(dir);
  const env = { FLATPOD_SOCKET: join(dir, 'cni.sock'), FLATPOD_STATE: join(dir, 'state') };
  const agent = await start(dir, { name: 'bare', args: ['agent'], netns: machine.netns, ready: env.FLATPOD_SOCKET, env });
  try {
    const config = JSON.stringify({ cniVersion: '1.1.0', name: 'net', type: 'flatpod' });
    const call = async (verb: 'ADD' | 'DEL' | 'STATUS' | 'VERSION'): Promise<{ status: number; stdout: string }> =>
      cni({ verb, config, env: { ...env, ...patientStatus, CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', CNI_NETNS: machine.netns } });
    for (const verb of ['ADD', 'STATUS'] as const) {
      const { status, stdout } = await call(verb);
      assert.equal(status, 1);
      assert.match(stdout, /\(FP123\)/, verb);
    }
    assert.equal((await call('DEL')).status, 0);
    assert.match((await call('VERSION')).stdout, /"supportedVersions":\["0\.1\.0".*"1\.1\.0"\]/);
    const report = await flatpod('status', '--socket', env.FLATPOD_SOCKET);
    assert.equal(report.status, 1);
    assert.match(report.out, /no configuration/);
    assert.match(agent.log(), /no configuration: serving only what needs no cloud/);
    assert.deepEqual(await flatpod('check', '--socket', env.FLATPOD_SOCKET), {
      status: 0,
      out: 'The kernel holds what it should.\n',
      err: '',
    });
  } finally {
    await agent.stop('SIGKILL');
  }
});

test('wrong use ends with 2, and a mistake in the configuration is told with line, field and remedy before anything starts', async () => {
  assert.equal((await flatpod('status', '--nonsense')).status, 2);
  assert.equal((await flatpod('no-such-command')).status, 2);
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  await node.stop();
  await assert.rejects(
    node.start({}, 'apiVersion: flatpod.dev/v1alpha1\nkind: NodeConfig\nmetadata: {name: n1}\nspec: {cooldown_s: soon}\n'),
    (error: Error & { details: string }) => /cooldown_s/.test(error.details),
  );
});
