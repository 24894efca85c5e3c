/** The images that Pods of the cluster run: made from this machine's programs, under the names that Kubernetes' own tests ask for too. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { programs } from '../programs.ts';
import { type Image, writeOci } from './oci.ts';

/** Names for tests of ours. */
export const images = {
  /** Does nothing, and ends when it is told to. */
  pause: 'localhost/pause:1',
  busybox: 'localhost/busybox:1',
  /** Kubernetes' own test program, with a shell, ip, ping, dig, curl and the like beside it. */
  agnhost: 'localhost/agnhost:1',
  coredns: 'localhost/coredns:1',
} as const;

/** Process 1 of a container: a shell that heeds signals and reaps. */
const pauseScript = `#!/bin/sh
trap 'exit 0' TERM INT
while :; do
  sleep 1000000 &
  wait $!
done
`;

/** Writes all of them into one tar. */
export async function writeImages(tar: string): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), `fpe-${process.pid}-images-`));
  try {
    const at = (name: string): string => join(dir, name);
    makeBase(at('base'));
    mkdirSync(at('pause'));
    writeFileSync(join(at('pause'), 'pause'), pauseScript, { mode: 0o755 });
    makeAgnhost(at('agnhost'));
    mkdirSync(join(at('coredns'), 'tmp'), { recursive: true });
    copyFileSync(programs.coredns(), join(at('coredns'), 'coredns'));
    mkdirSync(at('work'));
    const known = namesInTests();
    const all: Image[] = [
      { names: [images.pause, ...known('pause')], layers: [at('base'), at('pause')], entrypoint: ['/pause'] },
      { names: [images.busybox, ...known('busybox')], layers: [at('base')], entrypoint: [], command: ['sh'] },
      {
        names: [images.agnhost, ...known('agnhost'), ...known('glibc-dns-testing')],
        layers: [at('base'), at('agnhost')],
        entrypoint: ['/agnhost'],
        command: ['pause'],
      },
      { names: [images.coredns], layers: [at('coredns')], entrypoint: ['/coredns'] },
    ];
    await writeOci(tar, all, at('work'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The exact names under which Kubernetes' tests of this version ask for an image. */
function namesInTests(): (image: string) => string[] {
  const list = execFileSync(programs.e2e('e2e.test'), ['--list-images'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return (image) => list.split('\n').filter((line) => line.includes(`/${image}:`));
}

/** A root with busybox for every word, and the C library, so that names resolve as they do elsewhere. */
function makeBase(root: string): void {
  const folders = ['etc', 'tmp', 'proc', 'sys', 'dev', 'run', 'root', 'home', 'var', 'usr/bin', 'usr/lib', 'usr/lib64'];
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
  symlinkSync('usr/bin', join(root, 'sbin'));
  symlinkSync('bin', join(root, 'usr/sbin'));
  symlinkSync('../run', join(root, 'var/run'));
  const busybox = programs.busyboxWithLibraries();
  copyFileSync(busybox, join(root, 'usr/bin/busybox'));
  addLibraries(root, busybox);
  const words = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const word of words) if (word !== 'busybox') symlinkSync('busybox', join(root, 'usr/bin', word));
  const users = ['root:x:0:0::/root:/bin/sh', 'user-defined-in-image:x:1000:1000::/home:/bin/sh', 'nobody:x:65534:65534::/:/bin/false'];
  const groups = ['root:x:0:', 'user-defined-in-image:x:1000:', 'group-defined-in-image:x:50000:user-defined-in-image', 'nobody:x:65534:'];
  writeFileSync(join(root, 'etc/passwd'), `${users.join('\n')}\n`);
  writeFileSync(join(root, 'etc/group'), `${groups.join('\n')}\n`);
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
}

/** What lies above the base in the image of Kubernetes' tests: they call these programs by name. */
function makeAgnhost(root: string): void {
  for (const folder of ['usr/bin', 'uploads']) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(programs.e2e('agnhost'), join(root, 'agnhost'));
  symlinkSync('agnhost', join(root, 'agnhost-2'));
  for (const file of ['localhost.crt', 'localhost.key'] as const) copyFileSync(programs.e2e(file), join(root, file));
  for (const name of ['bash', 'curl', 'ip', 'ping', 'dig', 'host', 'nslookup', 'nc', 'iperf', 'getent', 'ss']) {
    const real = realpathSync(programs.tool(name));
    // Some look at the name they are called by.
    copyFileSync(real, join(root, 'usr/bin', name));
    chmodSync(join(root, 'usr/bin', name), 0o755);
    addLibraries(root, real);
  }
}

/** Copies the shared libraries a program is linked with to where its loader looks. */
function addLibraries(root: string, program: string): void {
  const linked = execFileSync('ldd', [program], { encoding: 'utf8' });
  for (const [path] of linked.matchAll(/\/\S+\.so\S*/g)) {
    // The root has everything below /usr, as Debian has.
    const target = join(root, path.startsWith('/usr/') ? path : `/usr${path}`);
    mkdirSync(dirname(target), { recursive: true });
    if (!existsSync(target)) copyFileSync(path, target);
  }
}
