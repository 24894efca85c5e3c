/** How the node's readiness gets from the agent to the kubelet: through STATUS from containerd 2 on, through the errors of ADD before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../life/lab.ts';
import { clean, oneAndAnother, releases } from './containerd-lab.ts';
import { startContainerd } from './containerd.ts';
import type { RuntimeLab, RuntimeNode } from './node.ts';

for (const release of releases) {
  test(`containerd ${release}: the network is ready from the configuration list on, which is written when the agent is ready`, async () => {
    await using built = await oneAndAnother();
    const on = built.node(0);
    const containerd = await startContainerd(on, release);
    const before = await containerd.network();
    assert.equal(before.status, false);
    assert.match(before.message, /cni plugin not initialized/);
    await assert.rejects(containerd.run({ name: 'early' }), { details: /cni plugin not initialized/ });
    await ready(on);
    await containerd.configure();
    await containerd.run({ name: 'pod' });
    await clean(on, containerd);
  });
}

test('containerd 2.x: STATUS takes readiness away, with the reason, while the agent is down or has no address; the next question finds it back', async () => {
  await using built = await oneAndAnother();
  const on = built.node(0);
  const containerd = await startContainerd(on, '2.x');
  await containerd.configure();
  await on.node.kill9();
  const down = await containerd.network();
  assert.deepEqual([down.status, down.reason], [false, 'NetworkPluginNotReady']);
  assert.match(down.message, /no Pod can be added: the Flatpod agent of this node does not answer \(FP114\).*start the agent/);
  await on.node.start();
  await ready(on);
  assert.equal((await containerd.network()).status, true);
  await withoutAddress(built, on);
  await eventually('the cloud is heard', async () => {
    const none = await containerd.network();
    assert.equal(none.status, false);
    assert.match(none.message, /no PodSubnet has an address on this node \(FP124\).*vpc did not answer AssignAddresses: InternalError/);
  });
  await built.lab.api.call('DELETE', '/v1/faults');
  await ready(on);
  assert.equal((await containerd.network()).status, true);
  await clean(on, containerd);
});

test('containerd 2.x: a node that is to keep no address ready is ready, and its first Pod brings the first address', async () => {
  await using built = await oneAndAnother('warm: {minimum: 0, spare: 0}');
  const on = built.node(0);
  const containerd = await startContainerd(on, '2.x');
  await containerd.configure();
  assert.equal((await on.node.report()).pools[0]?.held, 0);
  await containerd.run({ name: 'pod' });
  await clean(on, containerd);
});

test('containerd 1.6: it never asks STATUS; while the agent is down or has no address, the error of RunPodSandbox says why', async () => {
  await using built = await oneAndAnother('', 'addressWait_s: 1');
  const on = built.node(0);
  const containerd = await startContainerd(on, '1.6');
  await containerd.configure();
  await on.node.kill9();
  assert.equal((await containerd.network()).status, true);
  const plugin = 'plugin type="flatpod" failed \\(add\\)';
  const down = new RegExp(`${plugin}: the Flatpod agent of this node cannot be reached \\(FP113\\).*start the agent`);
  await assert.rejects(containerd.run({ name: 'pod' }), { details: down });
  await on.node.start();
  await ready(on);
  await withoutAddress(built, on);
  const none = new RegExp(
    `${plugin}: no address left for default/pod in pods \\(FP130\\).*vpc did not answer AssignAddresses: InternalError`,
  );
  // The first tries may come before the cloud's answer is known: then more is on its way, and the kubelet tries again.
  await eventually('the error says what the cloud said', () => assert.rejects(containerd.run({ name: 'pod' }), { details: none }), 60);
  await built.lab.api.call('DELETE', '/v1/faults');
  await ready(on);
  await containerd.run({ name: 'pod' });
  await clean(on, containerd);
});

async function ready(on: RuntimeNode): Promise<void> {
  await eventually('the agent is ready', async () => (await on.node.report()).ready, 60);
}

/** Starts the agent anew with nothing, while the cloud gives nothing. */
async function withoutAddress(built: RuntimeLab, on: RuntimeNode): Promise<void> {
  await on.node.ask('drain');
  await eventually('the agent ended', () => on.node.agent.process.exitCode === 0);
  await built.lab.api.call('POST', '/v1/faults', { call: 'AssignAddresses', effect: { kind: 'error' } });
  await on.node.start();
}
