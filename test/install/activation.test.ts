/** The agent behind a socket that outlives it. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { launcher } from '../../src/cli/demo/processes.ts';
import { eventually, testLab } from '../life/lab.ts';
import { keptAgent } from './kept-agent.ts';

const plan = {
  subnets: { a: { cidr4: '10.20.0.0/24' } },
  machines: { n1: { subnet: 'a', type: 'v1.small' }, vm: { subnet: 'a', type: 'v1.small' } },
};

test('an ADD that arrives while the agent is dead waits in the kept socket and is served by the next agent', async () => {
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  await using kept = await keptAgent(node);
  const first = node.container();
  const [before = ''] = await node.add(first);

  kept.hold();
  await kept.end('SIGKILL');
  assert.ok(existsSync(node.socket));
  const second = node.container();
  const adding = node.call('ADD', second);
  await eventually('the ADD waits in the queue', () => queued(node.netns, node.socket) === 1);
  kept.release();
  const answer = await adding;
  assert.equal(answer.status, 0, answer.stdout);
  // The shape of a success.
  const address = (JSON.parse(answer.stdout) as { ips: { address: string }[] }).ips[0]?.address.split('/')[0];
  assert.notEqual(address, before);
  assert.equal(await lab.seenFrom(second.netns, before, first.netns), address);

  // An end in good order leaves the socket too.
  kept.hold();
  await kept.end('SIGTERM');
  assert.ok(existsSync(node.socket));
  const removing = node.call('DEL', second);
  await eventually('the DEL waits in the queue', () => queued(node.netns, node.socket) === 1);
  kept.release();
  assert.equal((await removing).status, 0);
  assert.deepEqual(
    (await node.report()).pods.map(({ container }) => container),
    [first.container],
  );
  assert.equal((await node.call('DEL', first)).status, 0);
});

test('sockets handed to another process are not taken, and more than one is refused (FP129)', async () => {
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  await node.stop();
  assert.equal(existsSync(node.socket), false);
  await node.start({ LISTEN_PID: '1', LISTEN_FDS: '1' });
  assert.equal((await node.report()).node, 'n1');
  await node.stop();
  assert.equal(existsSync(node.socket), false, 'a socket of its own goes with the agent');

  const shell = ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" agent', launcher];
  const env = { ...process.env, FLATPOD_SOCKET: node.socket, FLATPOD_STATE: `${node.dir}/state` };
  const { status, stderr } = spawnSync('nsenter', [`--net=${node.netns}`, ...shell], { env, encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /FP129.*2 sockets instead of one/);
});

/** Connections that wait for the listener on that socket: `Recv-Q` (ss(8)). */
function queued(netns: string, socket: string): number {
  const out = execFileSync('ip', ['netns', 'exec', basename(netns), 'ss', '-xlH', 'src', socket], { encoding: 'utf8' });
  return Number(out.trim().split(/\s+/)[2] ?? 0);
}
