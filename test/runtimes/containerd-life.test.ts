/** A Pod's life through containerd while containerd, the agent, or the configuration it was made with go away under it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { sandboxes } from '../../src/cri/runtime.ts';
import { eventually } from '../life/lab.ts';
import { clean, fetchFrom, noteCalls, oneAndAnother, releases, serveFiles } from './containerd-lab.ts';
import { startContainerd } from './containerd.ts';
import { podAddresses, removePod, stopPod } from './cri.ts';

for (const release of releases) {
  test(`containerd ${release}: killed and started again, containerd and the agent find the Pod, which noticed nothing`, async () => {
    await using built = await oneAndAnother();
    const [on, vm] = [built.node(0), machineOf(built.lab.lab, 'vm')];
    const containerd = await startContainerd(on, release);
    await containerd.configure();
    const pod = await containerd.run({ name: 'web' });
    await serveFiles(containerd, pod, '/etc');
    const [address = ''] = await podAddresses(containerd.socket, pod);
    const serves = async (when: string): Promise<void> =>
      assert.match(String(await fetchFrom(vm.netns, `http://${address}/passwd`)), /^root/, when);
    await containerd.kill9();
    await serves('without containerd');
    await containerd.start();
    assert.deepEqual(
      (await sandboxes(containerd.socket)).map(({ id, ready }) => ({ id, ready })),
      [{ id: pod.id, ready: true }],
    );
    await on.node.kill9();
    await serves('without the agent');
    await on.node.start();
    await serves('with a new agent');
    const { pods } = await on.node.report();
    assert.deepEqual(
      pods.map(({ container, addresses, alive }) => ({ container, addresses, alive })),
      [{ container: pod.id, addresses: [address], alive: true }],
    );
    await on.node.kill9();
    await containerd.kill9();
    await containerd.start();
    await stopPod(containerd.socket, pod.id);
    await removePod(containerd.socket, pod.id);
    await on.node.start();
    await clean(on, containerd);
  });

  test(`containerd ${release}: StopPodSandbox and RemovePodSandbox are one DEL with the namespace and more without; all succeed`, async () => {
    await using built = await oneAndAnother();
    const on = built.node(0);
    const containerd = await startContainerd(on, release);
    const calls = noteCalls(on);
    await containerd.configure();
    const pod = await containerd.run({ name: 'pod' });
    await stopPod(containerd.socket, pod.id);
    await stopPod(containerd.socket, pod.id);
    await removePod(containerd.socket, pod.id);
    const [added = '', ...deleted] = calls();
    assert.match(added, /^ADD \/var\/run\/netns\/cni-[-0-9a-f]+$/);
    assert.deepEqual(deleted, [added.replace('ADD', 'DEL'), 'DEL -', 'DEL -']);
    await clean(on, containerd);
  });

  test(`containerd ${release}: a list that was renamed since the ADD takes the Pod away all the same`, async () => {
    await using built = await oneAndAnother();
    const on = built.node(0);
    const containerd = await startContainerd(on, release);
    await containerd.configure({ name: 'before' });
    const pod = await containerd.run({ name: 'pod' });
    containerd.writeList({ name: 'after' });
    await eventually('the new list is loaded', async () => (await containerd.loaded()).includes('"after"'));
    await stopPod(containerd.socket, pod.id);
    assert.deepEqual((await on.node.report()).pods, []);
    await removePod(containerd.socket, pod.id);
    await clean(on, containerd);
  });

  test(`containerd ${release}: a Pod that it has forgotten is swept, although its namespace lives`, async () => {
    const sweeping = 'sweepEvery_s: 1, sweepGrace_s: 1, runtimeSocket: /run/containerd/containerd.sock';
    await using built = await oneAndAnother('', sweeping);
    const on = built.node(0);
    const containerd = await startContainerd(on, release);
    await containerd.configure();
    await containerd.run({ name: 'forgotten' });
    await containerd.kill9();
    await containerd.start('new-disk');
    await containerd.configure();
    await eventually('the sweep releases it', async () => (await on.node.report()).pods.length === 0, 30);
    assert.match(on.node.log(), /the container runtime has no such sandbox/);
    await containerd.kill9();
    await containerd.start();
    const { id = '' } = (await sandboxes(containerd.socket))[0] ?? {};
    await stopPod(containerd.socket, id);
    await clean(on, containerd);
  });

  test(`containerd ${release}: killed in mid-ADD, the address is held until the sandbox is stopped`, async () => {
    await using built = await oneAndAnother('warm: {spare: 0}', 'addressWait_s: 60');
    const on = built.node(0);
    const containerd = await startContainerd(on, release);
    await containerd.configure();
    await built.lab.api.call('POST', '/v1/faults', { call: 'AssignAddresses', effect: { kind: 'error' } });
    const kubelet = new AbortController();
    const added = assert.rejects(containerd.run({ name: 'pod' }, kubelet.signal), /no container runtime answers/);
    await eventually('the ADD waits', async () => ((await on.node.report()).pools[0]?.waiting ?? 0) > 0);
    await containerd.kill9();
    kubelet.abort();
    await added;
    await built.lab.api.call('DELETE', '/v1/faults');
    const inUse = async (): Promise<string[]> => (await on.node.report()).pods.map(({ container }) => container);
    await eventually('the ADD that nobody waits for is done', async () => (await inUse()).length === 1, 60);
    await containerd.start();
    const [id = ''] = await inUse();
    assert.deepEqual(
      (await sandboxes(containerd.socket)).map((one) => ({ id: one.id, ready: one.ready })),
      [{ id, ready: false }],
    );
    await stopPod(containerd.socket, id);
    assert.deepEqual(await inUse(), []);
    await clean(on, containerd);
  });
}
