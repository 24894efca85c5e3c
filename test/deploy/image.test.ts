/** The OCI image: made anew it is the same, containerd takes it, and the agent in it can do all its work with two capabilities. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { packImage } from '../../scripts/image/layout.ts';
import { tarOf } from '../../scripts/image/tar.ts';
import { eventually } from '../life/lab.ts';
import { programs } from '../programs.ts';
import { clean, oneAndAnother, releases } from '../runtimes/containerd-lab.ts';
import { type Containerd, startContainerd } from '../runtimes/containerd.ts';
import { podAddresses } from '../runtimes/cri.ts';
import type { RuntimeNode } from '../runtimes/node.ts';
import { runHostPod } from './host-pod.ts';

const root = resolve(import.meta.dirname, '../..');

/** What `node scripts/image.ts --json` prints. */
interface Built {
  readonly reference: string;
  readonly digest: string;
  readonly layers: readonly { readonly name: string; readonly bytes: number; readonly unpackedBytes: number }[];
}

/** The image in a folder of its own, which goes with it. */
function builtImage(): Built & Disposable & { readonly tar: string } {
  const directory = mkdtempSync(join(tmpdir(), 'fpt-image-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    const tar = join(directory, 'image.tar');
    const printed = execFileSync(process.execPath, [join(root, 'scripts/image.ts'), '--json', tar], { encoding: 'utf8' });
    // The script's own words.
    return { ...(JSON.parse(printed) as Built), tar, [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}

async function importInto(on: RuntimeNode, containerd: Containerd, tar: string): Promise<void> {
  const { ctr } = containerd.release === '1.6' ? programs.containerd1() : programs.containerd2();
  const { status, stderr } = await on.run([ctr, '-a', containerd.socket, '-n', 'k8s.io', 'images', 'import', tar]);
  assert.equal(status, 0, stderr);
}

test('the same layers make the same image; another byte makes another', () => {
  const facts = { reference: 'flatpod.dev/flatpod:0', architecture: 'amd64', labels: {} };
  const of = (text: string): ReturnType<typeof packImage> =>
    packImage([{ name: 'one', entries: [{ kind: 'file', path: 'a', mode: 0o644, contents: Buffer.from(text) }] }], facts);
  assert.deepEqual(of('x'), of('x'));
  assert.notEqual(of('x').digest, of('y').digest);
});

test("tar reads the archives back: folders, files, links, modes; all of it is root's and of time 0", () => {
  const tar = tarOf([
    { kind: 'folder', path: 'tmp', mode: 0o1777 },
    { kind: 'file', path: 'tmp/file', mode: 0o755, contents: Buffer.alloc(513, 'x') },
    { kind: 'file', path: 'tmp/empty', mode: 0o600, contents: Buffer.alloc(0) },
    { kind: 'link', path: 'run', to: '../elsewhere' },
  ]);
  const { stdout, status } = spawnSync('tar', ['-tv', '--numeric-owner', '--utc', '-f', '-'], { input: tar, encoding: 'utf8' });
  assert.equal(status, 0);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' ').replace(/ 1970-01-01 00:00(:00)?/, ' epoch'));
  assert.deepEqual(lines, [
    'drwxrwxrwt 0/0 0 epoch tmp/',
    '-rwxr-xr-x 0/0 513 epoch tmp/file',
    '-rw------- 0/0 0 epoch tmp/empty',
    'lrwxrwxrwx 0/0 0 epoch run -> ../elsewhere',
  ]);
  assert.throws(() => tarOf([{ kind: 'folder', path: 'x'.repeat(100), mode: 0 }]), RangeError);
});

describe('the image', () => {
  let image: ReturnType<typeof builtImage>;
  before(() => {
    image = builtImage();
  });
  after(() => image[Symbol.dispose]());

  test('three layers, the one that changes with each release below a megabyte; no shell, no program beside ours', () => {
    assert.deepEqual(
      image.layers.map(({ name }) => name),
      ['libraries', 'node', 'flatpod'],
    );
    assert.ok((image.layers.at(-1)?.bytes ?? Infinity) < 1 << 20);
    const layout = join(dirname(image.tar), 'layout');
    const unpacked = join(dirname(image.tar), 'root');
    execFileSync('mkdir', [layout, unpacked]);
    execFileSync('tar', ['-C', layout, '-xf', image.tar]);
    const json = (digest: string): unknown => JSON.parse(readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8'));
    // Our own layout.
    const { layers } = json(image.digest) as { layers: readonly { digest: string }[] };
    const files = layers.flatMap(({ digest }) =>
      execFileSync('tar', ['--zstd', '-tf', join(layout, 'blobs', digest.replace(':', '/'))], { encoding: 'utf8' })
        .trim()
        .split('\n'),
    );
    const executables = files.filter((path) => /(^|\/)s?bin\/[^/]+$/.test(path));
    assert.deepEqual(executables.toSorted(), ['opt/flatpod/bin/flatpod', 'usr/bin/flatpod', 'usr/bin/flatpod-alive', 'usr/bin/node']);
  });

  for (const release of releases) {
    test(`containerd ${release}: the image is imported, and its command runs as somebody without rights`, async () => {
      await using built = await oneAndAnother();
      const on = built.node(0);
      const containerd = await startContainerd(on, release);
      await importInto(on, containerd, image.tar);
      for (const args of [['--help'], ['agent', '--help']]) {
        const pod = await runHostPod(on, containerd, { name: args.join(''), image: image.reference, args, capabilities: [], user: 65532 });
        await eventually('the help is there', () => / stdout F Usage: flatpod /.test(pod.log()), 60);
      }
      await containerd.removeAll();
      // The runtime's own programs end in their own time.
      await eventually('nothing is left', () => assert.deepEqual(on.leftovers(), []), 30);
    });
  }

  test('with NET_ADMIN and SYS_ADMIN alone the agent in the image gives Pods their network, sets parameters, and puts right what was damaged', async () => {
    await using built = await oneAndAnother();
    const on = built.node(0);
    const containerd = await startContainerd(on, '2.x');
    await importInto(on, containerd, image.tar);
    const elsewhere = commandOf(on.node.agent.process.pid ?? 0);
    await on.node.stop();
    const parameter = 'net/ipv4/conf/eth0/rp_filter';
    await on.run(['sh', '-c', `echo 1 >/proc/sys/${parameter}`]);
    // As systemd leaves it: a host's mounts are shared, so that containers can follow them.
    await on.run(['mount', '--make-rshared', '/']);
    const home = dirname(on.node.dir);
    const agent = await runHostPod(on, containerd, {
      name: 'agent',
      image: image.reference,
      args: ['agent', '--config', join(on.node.dir, 'node.yaml'), '--socket', on.node.socket, '--state', join(on.node.dir, 'state')],
      capabilities: ['NET_ADMIN', 'SYS_ADMIN'],
      mounts: [
        { from: home, to: home },
        { from: '/run/netns', to: '/run/netns', follows: true },
      ],
    });
    await eventually('the agent is ready', async () => (await on.node.report()).ready, 60);
    assert.equal((await on.run(['cat', `/proc/sys/${parameter}`])).stdout, '2\n', agent.log());
    await containerd.configure();
    const pod = await containerd.run({ name: 'web' });
    const [address = ''] = await podAddresses(containerd.socket, pod);
    assert.deepEqual(await on.node.ask('check'), { differences: [] });
    on.node.ip(`route del ${address} table 7000`);
    await eventually('the route is put back', () => on.node.ip(`route show ${address} table all proto 114`) !== '');
    const status = await agent.exec('flatpod', 'status', '--socket', on.node.socket);
    assert.match(status.stdout, /default\/web/, status.stderr);

    assert.deepEqual(await agent.exec('flatpod-alive', on.node.socket), { status: 0, stdout: '', stderr: '' });
    const nobody = await agent.exec('flatpod-alive', `${on.node.socket}.none`);
    assert.equal(nobody.status, 1);
    assert.match(nobody.stderr, /no answer from the agent on .*No such file/);

    const inside = processOf(on.node.socket);
    const held = /^CapEff:\s+(\w+)$/m.exec(readFileSync(`/proc/${inside}/status`, 'utf8'))?.[1];
    assert.equal(BigInt(`0x${held}`), (1n << 12n) | (1n << 21n)); // CAP_NET_ADMIN, CAP_SYS_ADMIN (linux/capability.h)
    assert.deepEqual(commandOf(inside), elsewhere, 'the launcher of the image does what bin/flatpod does');
    // Of /proc/sys nothing but net is writable.
    const mounts = readFileSync(`/proc/${inside}/mounts`, 'utf8');
    assert.match(mounts, /^proc \/proc\/sys proc ro,/m);
    assert.match(mounts, /^proc \/proc\/sys\/net proc rw,/m);

    await containerd.removeAll();
    await on.node.start();
    await clean(on, containerd);
  });
});

/** The one process whose arguments name that socket and whose program is Node.js. */
function processOf(socket: string): number {
  const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && argumentsOf(name).some((word) => word === socket));
  assert.equal(found.length, 1, found.join(' '));
  return Number(found[0]);
}

function argumentsOf(pid: string | number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it ended meanwhile
  }
}

/** How an agent was started: the flags of Node.js, and what the environment says about memory and threads. */
function commandOf(pid: number): { flags: string[]; env: string[] } {
  const env = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  return {
    flags: argumentsOf(pid)
      .slice(1)
      .filter((_, i, all) => i < all.findIndex((one) => one.endsWith('.cjs'))),
    env: env.filter((line) => /^(MALLOC_|UV_)/.test(line)).toSorted(),
  };
}
