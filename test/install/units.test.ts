/** The systemd units: what they say, that systemd understands them, and that the agent can work with what they leave it. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { launcher } from '../../src/cli/demo/processes.ts';
import type { Step } from '../../src/install/step.ts';
import { uninstall } from '../../src/install/uninstall.ts';
import { unitText } from '../../src/install/units.ts';
import { type Container, eventually, testLab } from '../life/lab.ts';
import { flatpod, folders, installed } from './folders.ts';
import { keptAgent } from './kept-agent.ts';

const facts = {
  launcher,
  node: process.execPath,
  config: '/etc/flatpod/node.yaml',
  socket: '/run/flatpod/cni.sock',
  state: '/var/lib/flatpod',
};
const plan = { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a', type: 'v1.small' } } };

/** What systemd finds wrong with the units in that folder. */
function complaints(folder: string): string {
  const names = readdirSync(folder).map((name) => join(folder, name));
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...names], { encoding: 'utf8' });
  return status === 0 && stderr === '' ? '' : `${status}: ${stderr}`;
}

test('the units name this command, its Node and the places, and nothing is left to fill in', () => {
  const service = unitText('flatpod.service', facts);
  assert.match(
    service,
    new RegExp(
      `^ExecStart=${launcher} agent --config /etc/flatpod/node.yaml --socket /run/flatpod/cni.sock --state /var/lib/flatpod$`,
      'm',
    ),
  );
  assert.match(service, new RegExp(`^Environment="FLATPOD_NODE=${process.execPath}"$`, 'm'));
  assert.match(service, /^StateDirectory=flatpod$/m);
  const socket = unitText('flatpod.socket', facts);
  assert.match(socket, /^ListenStream=\/run\/flatpod\/cni\.sock$/m);
  assert.doesNotMatch(service + socket, /@[A-Z_]+@/);
  // A folder that systemd has no word for is the agent's own business.
  assert.doesNotMatch(unitText('flatpod.service', { ...facts, state: '/srv/state' }), /^StateDirectory=/m);
});

test('systemd finds nothing wrong with the units, also with paths that need quoting', async (t) => {
  if (spawnSync('systemd-analyze', ['--version']).status !== 0) return t.skip('systemd is not installed here');
  using at = folders('loopback');
  const directory = join(at.root, 'units');
  const { steps } = await installed(at, { units: { directory, facts } });
  assert.deepEqual(steps.slice(3, 5), ['written units/flatpod.socket', 'written units/flatpod.service']);
  assert.equal(complaints(directory), '');

  const command = join(at.root, '100% of $HOME');
  mkdirSync(command);
  symlinkSync(launcher, join(command, 'flat pod'));
  const odd = { ...facts, launcher: join(command, 'flat pod'), config: '/etc/"$HOME"\\', socket: '/run/a b%c/s', state: '/var/lib/a b%c' };
  const oddly = join(at.root, 'oddly');
  await installed(at, { units: { directory: oddly, facts: odd } });
  // It looks whether the command is there: so it read the path as it was meant.
  assert.equal(complaints(oddly), '');
  assert.match(readFileSync(join(oddly, 'flatpod.service'), 'utf8'), / --config "\/etc\/\\"\$\$HOME\\"\\\\" /);
  assert.match(readFileSync(join(oddly, 'flatpod.socket'), 'utf8'), /^ListenStream=\/run\/a b%%c\/s$/m);
});

test('units go with uninstall, enabled or not', async () => {
  using at = folders('loopback');
  const units = join(at.root, 'units');
  await installed(at, { units: { directory: units, facts } });
  mkdirSync(join(units, 'multi-user.target.wants'));
  symlinkSync(join(units, 'flatpod.service'), join(units, 'multi-user.target.wants/flatpod.service'));
  const steps: Step[] = [];
  uninstall({ binDir: at.bin, confDir: at.net, units }, (step) => steps.push(step));
  assert.deepEqual(
    steps.slice(4).map(({ done, path }) => `${done} ${path.slice(units.length + 1)}`),
    ['removed flatpod.socket', 'removed flatpod.service', 'removed multi-user.target.wants/flatpod.service'],
  );
  assert.deepEqual(readdirSync(units, { recursive: true }), ['multi-user.target.wants']);
});

test('flatpod install --systemd writes them before it waits for the agent, and says how to start it', async () => {
  using at = folders('loopback');
  const units = join(at.root, 'units');
  const ended = await flatpod(['install', ...at.args, '--systemd', units, '--socket', join(at.root, 'none'), '--wait', '0.1']);
  assert.equal(ended.status, 1);
  assert.match(ended.err, /^systemd learns of the units.*systemctl daemon-reload.*\nwaiting for the agent: no agent answers/);
  assert.deepEqual(readdirSync(units).toSorted(), ['flatpod.service', 'flatpod.socket']);
  assert.deepEqual(at.configs(), []);
});

test('with the capabilities of the unit and no others, the agent serves ADD, CHECK and DEL, also for /proc/PID/ns/net, and puts right what was damaged', async () => {
  const bounding = /^CapabilityBoundingSet=(.*)$/m.exec(unitText('flatpod.service', facts))?.[1] ?? '';
  const set = ['-all', ...bounding.split(' ').map((name) => `+${name.replace('CAP_', '').toLowerCase()}`)].join(',');
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  await using kept = await keptAgent(
    node,
    'setpriv',
    '--bounding-set',
    set,
    '--inh-caps',
    '-all',
    '--no-new-privs',
    'sh',
    '-c',
    'umask 0077; exec "$0" "$@"',
  );
  const held = /^CapEff:\s+(\w+)$/m.exec(readFileSync(`/proc/${kept.pid()}/status`, 'utf8'))?.[1] ?? '';
  assert.equal(BigInt(`0x${held}`).toString(2).replaceAll('0', '').length, bounding.split(' ').length);

  const named = node.container();
  const inside = node.container();
  // A process with all capabilities, as a container's first process may be.
  const pause = spawn('nsenter', [`--net=${inside.netns}`, 'sleep', '300'], { stdio: 'ignore' });
  try {
    const byPid: Container = { container: inside.container, netns: `/proc/${pause.pid}/ns/net` };
    for (const pod of [named, byPid]) {
      const answer = await node.call('ADD', pod);
      assert.equal(answer.status, 0, answer.stdout);
      const config = { prevResult: JSON.parse(answer.stdout) as unknown };
      assert.equal((await node.call('CHECK', pod, { config })).stdout, '');
      const [address = ''] = (await node.report()).pods.flatMap(({ addresses }) => addresses);
      node.ip(`route del ${address} table 7000`);
      await eventually('the route is put back', () => node.ip(`route show ${address} table all proto 114`) !== '');
      assert.deepEqual(await node.ask('check'), { differences: [] });
      assert.equal((await node.call('DEL', pod)).status, 0);
    }
  } finally {
    pause.kill('SIGKILL');
    await new Promise((done) => pause.once('close', done));
  }
  assert.deepEqual((await node.report()).pods, []);
});
