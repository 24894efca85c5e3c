/** containerd's CRI with runc as the client: what a kubelet would do to a Pod, and what the Pod then can reach. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { eventually } from '../life/lab.ts';
import { type Containerd, type Release, startContainerd } from './containerd.ts';
import { exec, podAddresses, removePod, runContainer, stopPod } from './cri.ts';
import { type RuntimeLab, runtimeLab, type RuntimeNode } from './node.ts';

const releases: readonly Release[] = ['1.6', '2.x'];

const lab = (): Promise<RuntimeLab> =>
  runtimeLab({
    plan: { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a' }, n2: { subnet: 'a' }, vm: { subnet: 'a' } } },
    plain: ['n2'],
    agents: { n1: { subnet: 'a', node: 'cooldown_s: 0' }, n2: { subnet: 'a' } },
  });

/** Nothing of a Pod is left: not in containerd, in the node, or in the agent. */
async function clean(on: RuntimeNode, containerd: Containerd): Promise<void> {
  await containerd.removeAll();
  await eventually('nothing of a Pod is left', () => {
    assert.deepEqual(on.leftovers(), []);
  });
  assert.deepEqual((await on.node.report()).pods, []);
  assert.deepEqual((await on.node.ask<{ differences: string[] }>('check')).differences, []);
}

for (const release of releases) {
  test(`containerd ${release}: two containers of a Pod share its VPC address and reach another node's Pod and the plain VM`, async () => {
    await using built = await lab();
    const [on, other, vm] = [built.node(0), built.lab.node(1), machineOf(built.lab.lab, 'vm')];
    const containerd = await startContainerd(on, release);
    await containerd.configure();
    const [far, near] = [other.container(), await containerd.run({ name: 'pod' })];
    const [farAddress = ''] = await other.add(far);
    const [address = ''] = await podAddresses(containerd.socket, near);
    assert.match(address, /^10\.20\.0\.\d+$/);
    const first = await runContainer(containerd.socket, near, 'first', ['sleep', '1000']);
    const second = await runContainer(containerd.socket, near, 'second', ['httpd', '-f', '-p', '80', '-h', '/etc']);
    console.log(await exec(containerd.socket, first, 'ping', '-c', '1', '-W', '5', farAddress), second, vm.addresses);
    await stopPod(containerd.socket, near.id);
    await removePod(containerd.socket, near.id);
    await clean(on, containerd);
  });
}
