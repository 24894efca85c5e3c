/** The reference's portmap and bandwidth after us in the list, fed by containerd from hostPort and from the Pod's annotations. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { openNetns } from '../../src/kernel/netns.ts';
import { programs } from '../programs.ts';
import { clean, fetchFrom, oneAndAnother, releases, serveFiles } from './containerd-lab.ts';
import { startContainerd } from './containerd.ts';
import { exec, podAddresses } from './cri.ts';

/**
 * containerd passes "no limit" for the burst, which the kernel is told in ticks of 64 ns, 32 bits of them: what is left of it is a matter of chance, up to
 * 275 s of traffic. Of this rate it is 90 ms, so that a small transfer already feels the limit.
 */
const RATE = '15620k';

for (const release of releases) {
  test(`containerd ${release}: a hostPort of the first NIC reaches a Pod behind the second one from the VM, and is gone with the Pod`, async () => {
    await using built = await oneAndAnother('useFirstNic: false');
    const [on, vm] = [built.node(0), machineOf(built.lab.lab, 'vm')];
    const containerd = await startContainerd(on, release);
    await containerd.configure({ chained: ['portmap'] });
    const pod = await containerd.run({ name: 'web', ports: [{ host: 18_080, container: 80 }] });
    await serveFiles(containerd, pod, '/etc');
    const [address = ''] = await podAddresses(containerd.socket, pod);
    assert.match(String(await fetchFrom(vm.netns, `http://${on.node.address}:18080/passwd`)), /^root/);
    const rules = async (): Promise<string> => (await on.run(['nft', 'list', 'ruleset'])).stdout + (await on.run(['iptables-save'])).stdout;
    assert.match(await rules(), new RegExp(address));
    await clean(on, containerd);
    assert.doesNotMatch(await rules(), new RegExp(`${address}|18080`));
  });

  test(`containerd ${release}: bandwidth annotations limit what our link carries, both ways`, async () => {
    await using built = await oneAndAnother();
    const [on, vm] = [built.node(0), machineOf(built.lab.lab, 'vm')];
    const containerd = await startContainerd(on, release);
    await containerd.configure({ chained: ['bandwidth'] });
    const annotations = { 'kubernetes.io/ingress-bandwidth': RATE, 'kubernetes.io/egress-bandwidth': RATE };
    const pod = await containerd.run({ name: 'slow', annotations });
    const container = await serveFiles(containerd, pod, '/bin');
    const [address = ''] = await podAddresses(containerd.socket, pod);
    const { link } = (await on.node.report()).pods[0] ?? { link: '' };
    const { stdout: qdiscs } = await on.run(['tc', 'qdisc', 'show']);
    assert.match(qdiscs, new RegExp(`tbf \\S+ dev ${link} root refcnt \\d+ rate 15620Kbit`), 'to the Pod');
    assert.match(qdiscs, /tbf \S+ dev bwp\w+ root refcnt \d+ rate 15620Kbit/, 'from the Pod');
    const { size } = statSync(programs.busybox());
    const upload = await timed(async () => (await fetchFrom(vm.netns, `http://${address}/busybox`)).length);
    assert.equal(upload.result, size);
    await using _sender = await sendTo(vm.netns, 8080, size);
    const command = `timeout 20 nc ${vm.addresses[0]} 8080 | busybox wc -c`;
    const download = await timed(async () => Number((await exec(containerd.socket, container, 'sh', '-c', command)).stdout));
    assert.equal(download.result, size);
    // Two megabytes take a second at the limit, and 20 ms without it.
    for (const { took_ms } of [upload, download]) assert.ok(took_ms > 300, `${took_ms} ms`);
    await clean(on, containerd);
    assert.doesNotMatch((await on.run(['tc', 'qdisc', 'show'])).stdout, /tbf/);
  });
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; took_ms: number }> {
  const begun = performance.now();
  return { result: await work(), took_ms: performance.now() - begun };
}

/** In that namespace, sends so many bytes to each client. */
async function sendTo(path: string, port: number, size: number): Promise<AsyncDisposable> {
  using netns = openNetns(path);
  const server = createServer((client) => client.on('error', () => client.destroy()).end(Buffer.alloc(size)));
  netns.run(() => server.listen(port));
  await once(server, 'listening');
  return server;
}
