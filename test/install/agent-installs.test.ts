/** `flatpod agent --install`: the agent as its own installer, as in a container. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, testLab } from '../life/lab.ts';
import { built, flatpod, folders } from './folders.ts';

const plan = { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a', type: 'v1.small' } } };
const list = '10-flatpod.conflist';

test('an agent that installs puts its executables there at once and the config list when it serves; a later one finds it all right', async () => {
  using at = folders('loopback', 'portmap');
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  await node.stop();
  // What an agent knows of its addresses is in its state: without, it is not ready until the cloud has answered.
  rmSync(join(node.dir, 'state'), { recursive: true });
  await lab.vpc.stop('SIGKILL');
  const args = ['--install', ...at.args, '--chain', 'portmap'];
  await node.start({}, undefined, args);
  await eventually('it says why it waits', () => /the network configuration is written when the agent can serve: /.test(node.log()));
  assert.ok(readFileSync(join(at.bin, 'flatpod')).equals(readFileSync(join(built, 'flatpod'))));
  assert.deepEqual(at.configs(), []);
  await lab.restartVpc();
  await eventually('the list is there', () => existsSync(join(at.net, list)), 30);
  assert.deepEqual(at.configs(), [list]);
  assert.match(readFileSync(join(at.net, list), 'utf8'), /"portmap"/);

  await node.stop();
  rmSync(join(at.bin, 'flatpod-ipam'));
  await node.start({}, undefined, args);
  await eventually('what was missing is there again', () => readdirSync(at.bin).includes('flatpod-ipam'));
  await eventually('the agent is ready', async () => (await node.report()).ready);
  assert.doesNotMatch(node.log().slice(node.log().lastIndexOf('"found ')), /written .*conflist/);
});

test('what stands in the way of installing is said, and the agent serves meanwhile', async () => {
  using at = folders('loopback');
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  await node.stop();
  await node.start({}, undefined, ['--install', ...at.args, '--chain', 'portmap']);
  await eventually('it is said', () => /installing failed.*portmap/.test(node.log()));
  const pod = node.container();
  await node.add(pod);
  assert.deepEqual(at.configs(), []);
  assert.equal((await node.call('DEL', pod)).status, 0);
});

test('an agent that waits to install ends at once when it is told to, and refuses wrong options before it begins', async () => {
  using at = folders('loopback');
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  await node.stop();
  rmSync(join(node.dir, 'state'), { recursive: true });
  await lab.vpc.stop('SIGKILL');
  await node.start({}, undefined, ['--install', ...at.args]);
  await eventually('it waits', () => /network configuration is written when/.test(node.log()));
  await node.stop();
  assert.equal(node.agent.process.signalCode, null, 'it ended by itself');
  assert.match(node.log(), /stopping; Pods keep their network/);
  const ended = await flatpod([
    'agent',
    '--install',
    '--bin-dir',
    'relative',
    '--socket',
    join(at.root, 's'),
    '--state',
    join(at.root, 'state'),
  ]);
  assert.equal(ended.status, 1);
  assert.match(ended.err, /--bin-dir/);
});

test('an agent that installed itself and is drained removes what it installed, and idles until it is ended: its Pod would be started again', async () => {
  using at = folders('loopback');
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  await node.stop();
  await node.start({}, undefined, ['--install', ...at.args]);
  await eventually('the list is there', () => existsSync(join(at.net, list)), 30);
  await node.ask('drain');
  await eventually('nothing of it is there', () => !existsSync(join(at.net, list)) && !existsSync(join(at.bin, 'flatpod')));
  await eventually('it says that it idles', () => /everything is given back.*waiting to be ended/.test(node.log()));
  assert.equal(node.agent.process.exitCode, null, 'it is still there');
  await node.stop();
  assert.equal(node.agent.process.signalCode, null, 'it ended by itself');
});
