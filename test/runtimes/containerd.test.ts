/** containerd's CRI with runc as the client: what a kubelet would do to a Pod, and what the Pod then can reach. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { openNetns } from '../../src/kernel/netns.ts';
import { listenIn } from '../../src/kernel/sockets.ts';
import { clean, oneAndAnother, releases, serveFiles } from './containerd-lab.ts';
import { startContainerd } from './containerd.ts';
import { exec, podAddresses, runContainer } from './cri.ts';

for (const release of releases) {
  test(`containerd ${release}: the containers of a Pod share its VPC address, and reach another node's Pod and the plain VM`, async () => {
    await using built = await oneAndAnother();
    const [on, other, vm] = [built.node(0), built.lab.node(1), machineOf(built.lab.lab, 'vm')];
    const containerd = await startContainerd(on, release);
    const { socket } = containerd;
    await containerd.configure();
    const pod = await containerd.run({ name: 'pod' });
    const far = other.container();
    const [farAddress = ''] = await other.add(far);
    const [address = ''] = await podAddresses(socket, pod);
    assert.deepEqual((await on.node.report()).pods[0]?.addresses, [address]);
    const [first, second] = [await runContainer(socket, pod, 'first', ['sleep', '1000']), await serveFiles(containerd, pod, '/etc')];
    const servers = [far.netns, vm.netns].map(async (path) => {
      using netns = openNetns(path);
      return listenIn(netns, 8080);
    });
    try {
      await Promise.all(servers);
      for (const to of [farAddress, vm.addresses[0] ?? '']) {
        const pinged = await exec(socket, first, 'ping', '-c', '1', '-W', '20', to);
        assert.equal(pinged.status, 0, `${to}: ${pinged.stdout}${pinged.stderr}`);
        const { stdout } = await exec(socket, second, 'timeout', '20', 'nc', to, '8080');
        assert.equal(stdout, `${address}\n`, 'the other side saw the Pod itself');
      }
    } finally {
      for (const server of servers) (await server).close();
    }
    assert.match((await exec(socket, first, 'wget', '-q', '-O', '-', 'http://127.0.0.1/passwd')).stdout, /^root/, 'one loopback');
    await clean(on, containerd);
  });
}
