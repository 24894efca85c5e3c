/** Programs that the tests run beside ours: what scripts/setup-test.sh built, unpacked or installed. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const cache = join(root, '.cache');

/** One containerd: the daemon, its shims' folder (it looks for them on PATH) and its command. */
export interface Containerd {
  readonly version: '1.6' | '2';
  readonly daemon: string;
  readonly ctr: string;
  /** Holds `containerd-shim-runc-v2`. */
  readonly shims: string;
}

/** A set of the reference plugins: the current ones, which speak CNI 1.1.0, or Debian's, which end at 1.0.0. */
export type PluginSet = '1.9.1' | 'debian';

/** Absolute paths, each checked when it is asked for. @throws Error naming what is missing and the command that brings it. */
export const programs = {
  /** Debian's. */
  containerd1: (): Containerd => {
    const bin = join(cache, 'debian/containerd/usr/bin');
    return { version: '1.6', daemon: found(join(bin, 'containerd')), ctr: join(bin, 'ctr'), shims: bin };
  },
  /** The current one. */
  containerd2: (): Containerd => {
    const bin = built('containerd');
    return { version: '2', daemon: found(join(bin, 'containerd')), ctr: join(bin, 'ctr'), shims: bin };
  },
  runc: (): string => onPath('runc'),
  podman: (): string => onPath('podman'),
  conmon: (): string => onPath('conmon'),
  cnitool: (): string => found(join(built('cni'), 'cnitool')),
  /** The folder of a set, for CNI_PATH. */
  plugins: (set: PluginSet): string => found(set === 'debian' ? '/usr/lib/cni' : built('cni')),
  /** A program of Kubernetes, of etcd, or what Kubernetes' own tests consist of. */
  kube: (name: 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kube-proxy' | 'kubelet' | 'kubectl'): string =>
    found(join(built('kube'), name), bringsE2e),
  etcd: (): string => found(join(built('etcd'), 'etcd'), bringsE2e),
  coredns: (): string => found(join(built('coredns'), 'coredns'), bringsE2e),
  e2e: (name: 'e2e.test' | 'ginkgo' | 'agnhost' | 'localhost.crt' | 'localhost.key'): string =>
    found(join(built('e2e', 'kube'), name), bringsE2e),
  /** The test suite of a reference main plugin. */
  conformance: (plugin: string): string => found(join(built('conformance'), `${plugin}.test`), 'make conformance'),
  /** QingCloud's own client, driven by lines of JSON: test/go/qingcloud. */
  qingcloudClient: (): string => found(join(built('qingcloud'), 'client'), 'scripts/setup-qingcloud.sh'),
  /** The Python that has QingCloud's other client. */
  qingcloudPython: (): string => found(join(cache, 'qingcloud-python/bin/python'), 'scripts/setup-qingcloud.sh'),
  /** One static binary. */
  busybox: (): string => found(join(cache, 'debian/busybox-static/bin/busybox')),
  /** The same linked with the C library, which resolves names as other programs do. */
  busyboxWithLibraries: (): string => found(join(cache, 'debian/busybox/bin/busybox'), bringsE2e),
  /** One of this machine's, for images. */
  tool: (name: string): string => onPath(name),
} as const;

const bringsE2e = 'make e2e, or scripts/setup-e2e.sh alone';

/** The folder of a Go module's programs, named after its pins, and our own source beside them, as the script does. */
function built(name: string, module = name): string {
  const folder = join(root, 'test/go', module);
  const own = readdirSync(folder).filter((file) => file.endsWith('.go'));
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum', ...own.toSorted()]) hash.update(readFileSync(join(folder, file)));
  return join(cache, 'bin', `${name}-${hash.digest('hex').slice(0, 16)}`);
}

function onPath(name: string): string {
  const folders = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin', ...(process.env['PATH'] ?? '').split(':')];
  const folder = folders.find((one) => one !== '' && existsSync(join(one, name)));
  return found(join(folder ?? '/usr/bin', name));
}

function found(path: string, brings = 'make test, or scripts/setup-test.sh alone'): string {
  if (!existsSync(path)) throw new Error(`${path} is missing: run ${brings}`);
  return path;
}
