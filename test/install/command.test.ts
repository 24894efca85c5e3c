/** `flatpod install` as it is typed: what it waits for, prints and refuses. */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Step } from '../../src/install/step.ts';
import { eventually, testLab } from '../life/lab.ts';
import { flatpod, folders } from './folders.ts';

const plan = { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a', type: 'v1.small' } } };

test('while the agent is not ready the config list is not written: a runtime would call the node ready (FP214)', async () => {
  using at = folders('loopback');
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  const args = ['install', ...at.args, '--socket', node.socket];
  await node.stop();
  const late = await flatpod([...args, '--wait', '0.5']);
  assert.equal(late.status, 1);
  assert.match(
    late.err,
    /^waiting for the agent: no agent answers.*\nflatpod: the config list was not written: .* within 0\.5 s \(FP214\): no agent answers/,
  );
  assert.match(late.out, /^DONE +FILE +NOTE\nwritten +\S+\/flatpod\nwritten +\S+\/flatpod-ipam\nwritten +\S+\/veth-to-host\n/);
  assert.deepEqual(at.configs(), []);
  const object = await flatpod([...args, '--wait', '0', '--json']);
  // The object of a failure, like that of every command.
  assert.equal((JSON.parse(object.out) as { error: { code: number } }).error.code, 214);

  const waiting = flatpod([...args, '--json']);
  await node.start();
  const done = await waiting;
  assert.equal(done.status, 0, done.err);
  // The command's own object.
  const { steps, notes } = JSON.parse(done.out) as { steps: Step[]; notes: string[] };
  assert.deepEqual(
    steps.map((step) => step.done),
    ['unchanged', 'unchanged', 'unchanged', 'written'],
  );
  assert.deepEqual(notes, [
    'hostPorts and bandwidth annotations have no effect without --chain portmap,bandwidth',
    `the container runtime must run with FLATPOD_SOCKET=${node.socket} in its environment`,
  ]);
  await eventually('the list is there', () => at.configs().length === 1);
});

test('--no-wait writes the config list at once', async () => {
  using at = folders('loopback');
  const done = await flatpod(['install', ...at.args, '--no-wait', '--socket', join(at.root, 'none')]);
  assert.equal(done.status, 0, done.err);
  assert.equal(done.err, '');
  assert.deepEqual(at.configs(), ['10-flatpod.conflist']);
});

test('options that cannot be meant are refused before anything is written (FP204)', async () => {
  using at = folders('loopback', 'portmap');
  for (const wrong of [
    ['--bin-dir', 'bin'],
    ['--conf-dir', ''],
    ['--systemd', 'units'],
    ['--runtime-socket', 'unix:///run/x.sock'],
    ['--config', '/etc/a\nb'],
    ['--network', '-x'],
    ['--network', 'a/b'],
    ['--chain', 'portmap,portmap'],
    ['--chain', '../portmap'],
    ['--chain', 'flatpod'],
    ['--chain', ''],
    ['--cni-version', '1.2.0'],
    ['--wait', 'long'],
    ['--wait', '-1'],
  ]) {
    const { status, err } = await flatpod(['install', ...at.args, '--no-wait', ...wrong]);
    assert.equal(status, 1, wrong.join(' '));
    assert.match(err, /FP204/, wrong.join(' '));
  }
  assert.equal((await flatpod(['install', '--no-such'])).status, 2);
  assert.deepEqual(readdirSync(at.bin).toSorted(), ['loopback', 'portmap']);
  assert.deepEqual(at.configs(), []);
});

test('a plugin of the chain that is no program is refused like one that is missing', async () => {
  using at = folders('loopback', 'portmap');
  chmodSync(join(at.bin, 'portmap'), 0o644);
  const { status, err } = await flatpod(['install', ...at.args, '--no-wait', '--chain', 'portmap']);
  assert.equal(status, 1);
  assert.match(err, /the plugin portmap is not in .*, or cannot be executed \(FP211\)/);
});
