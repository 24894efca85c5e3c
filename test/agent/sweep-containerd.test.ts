/** The sweep beside real containerd: it reads the list right, and outlives the runtime's absence. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runtimeStatus, runtimeVersion, sandboxes } from '../../src/cri/runtime.ts';
import { eventually, type TestNode } from '../life/lab.ts';
import { type Release, startContainerd } from '../runtimes/containerd.ts';
import { runtimeLab } from '../runtimes/node.ts';

const releases: readonly Release[] = ['1.6', '2.x'];
const forgottenArgs = { CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=forgotten;K8S_POD_UID=u1' };

/** Starts the agent again, with this in its NodeConfig besides: the room's paths are known only once it is there. */
async function restartWith(node: TestNode, spec: string): Promise<void> {
  const yaml = readFileSync(join(node.dir, 'node.yaml'), 'utf8');
  await node.stop();
  await node.start({}, yaml.replace('cooldown_s: 0', `cooldown_s: 0, ${spec}`));
}

for (const release of releases)
  test(`containerd ${release}: its Pods stay, also while it is away; a Pod that it does not know is released when it is back`, async () => {
    await using lab = await runtimeLab({
      plan: { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a' } } },
      agents: { n1: { subnet: 'a', node: 'cooldown_s: 0' } },
    });
    const on = lab.node(0);
    const { node } = on;
    const containerd = await startContainerd(on, release);
    await containerd.configure();
    assert.match((await runtimeVersion(containerd.socket)).version, release === '1.6' ? /^v?1\.6\./ : /^v?2\./);
    const info = (await runtimeStatus(containerd.socket, true)).info;
    assert.match(info.get('lastCNILoadStatus') ?? '', /OK/);
    await restartWith(node, `sweepEvery_s: 1, sweepGrace_s: 1, runtimeSocket: '${containerd.socket}'`);
    const pod = await containerd.run({ name: 'pod' });
    const [listed] = await sandboxes(containerd.socket, pod.id);
    assert.deepEqual([listed?.id, listed?.ready, listed?.name], [pod.id, true, 'pod']);

    await containerd.kill9();
    // A namespace in the room's own /run/netns, which ends with the room.
    assert.equal((await on.run(['ip', 'netns', 'add', 'forgotten'])).status, 0);
    const forgotten = { container: 'forgotten', netns: '/run/netns/forgotten' };
    await node.add(forgotten, { env: forgottenArgs });
    await eventually('the agent says so', () => /no attachment is compared with the runtime's sandboxes until/.test(node.log()));
    const attached = async (): Promise<string[]> => (await node.report()).pods.map(({ container }) => container).toSorted();
    assert.deepEqual(await attached(), [pod.id, forgotten.container].toSorted());

    await containerd.start();
    await eventually('the sweep', async () => (await attached()).length === 1, 30);
    assert.deepEqual(await attached(), [pod.id]);
    assert.match(node.log(), /answers again/);
    await containerd.removeAll();
    assert.deepEqual(await attached(), []);
  });
