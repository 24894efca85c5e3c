/** containerd 2 of a node, and the disk it starts with: the images are unpacked once on this machine, and each node gets the files by hard links. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { runtimeVersion } from '../../src/cri/runtime.ts';
import { containerd2Config } from '../containerd-config.ts';
import { eventually } from '../life/lab.ts';
import { programs } from '../programs.ts';
import { images, writeImages } from './images.ts';
import { hasEnded } from '../../src/cli/demo/processes.ts';

const cache = resolve(import.meta.dirname, '../../.cache/cluster');
const IMPORT_DEADLINE_ms = 120_000;

/** Where it listens on a node. */
export const SOCKET = '/run/containerd/containerd.sock';

/** Its configuration. */
export function containerdConfig(root: string, state: string): string {
  return containerd2Config({
    root,
    state,
    socket: `${state}/containerd.sock`,
    bin: '/opt/cni/bin',
    conf: '/etc/cni/net.d',
    pause: images.pause,
  });
}

let unpacked: Promise<string> | undefined;

/** Makes and unpacks the images unless this machine has them: ten seconds, once. Fills a node's folder for /var/lib/containerd with them. */
export async function fillDisk(folder: string): Promise<void> {
  unpacked ??= unpackedImages();
  const from = await unpacked;
  // Layers and blobs are never written again, so nodes may share them; databases are.
  execFileSync('cp', [sameFileSystem(from, folder) ? '-al' : '-a', `${from}/.`, folder]);
  for (const name of readdirSync(from, { recursive: true, encoding: 'utf8' }).filter((one) => one.endsWith('.db'))) {
    execFileSync('cp', ['--remove-destination', join(from, name), join(folder, name)]);
  }
}

async function unpackedImages(): Promise<string> {
  const ready = join(cache, `images-${contentHash()}`);
  if (!existsSync(ready)) await unpackImages(ready);
  return join(ready, 'containerd');
}

function sameFileSystem(one: string, other: string): boolean {
  return statSync(one).dev === statSync(other).dev;
}

/** What the images are made of, and how. */
function contentHash(): string {
  const hash = createHash('sha256');
  for (const file of ['images.ts', 'oci.ts']) hash.update(readFileSync(join(import.meta.dirname, file)));
  for (const path of [programs.e2e('agnhost'), programs.coredns(), programs.containerd2().daemon]) hash.update(dirname(path));
  return hash.digest('hex').slice(0, 16);
}

/** Another process may do the same at the same time: the first one's work stays. */
async function unpackImages(ready: string): Promise<void> {
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, 'part-'));
  const state = mkdtempSync(join(tmpdir(), `fpe-${process.pid}-unpack-`));
  try {
    const tar = join(state, 'images.tar');
    await writeImages(tar);
    await importHere(join(fresh, 'containerd'), state, tar);
    if (!existsSync(ready)) renameSync(fresh, ready);
    for (const old of readdirSync(cache))
      if (old.startsWith('images-') && old !== basename(ready)) rmSync(join(cache, old), { recursive: true });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(state, { recursive: true, force: true });
  }
}

/** By a containerd in a mount namespace and a process namespace of its own, which runs for as long as it takes. */
async function importHere(root: string, state: string, tar: string): Promise<void> {
  const { daemon, ctr } = programs.containerd2();
  const [config, socket] = [join(state, 'config.toml'), join(state, 'containerd.sock')];
  writeFileSync(config, containerdConfig(root, state));
  const apart = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const child = spawn('unshare', [...apart, daemon, '-c', config, '-l', 'error'], { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    await eventually('containerd answers', () => runtimeVersion(socket), 30);
    const args = ['-a', socket, '-n', 'k8s.io', 'images', 'import', tar];
    await promisify(execFile)(ctr, args, { timeout: IMPORT_DEADLINE_ms, killSignal: 'SIGKILL' });
  } finally {
    child.kill('SIGKILL');
    if (!hasEnded(child)) await once(child, 'exit');
  }
}
