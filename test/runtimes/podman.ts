/** Debian's podman with its CNI backend on a node that has a room: its images, containers and notes below the node's folder. */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programs } from '../programs.ts';
import { images, writeImages } from './image.ts';
import type { Ended, RuntimeNode } from './node.ts';

/** What `podman inspect` tells of one network of a container. */
export interface NetworkSettings {
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly GlobalIPv6Address: string;
  readonly Gateway: string;
  readonly MacAddress: string;
}

/** What these tests look at of `podman inspect`. */
export interface Inspected {
  readonly State: { readonly Running: boolean; readonly Pid: number; readonly ConmonPid: number };
  readonly NetworkSettings: { readonly SandboxKey: string; readonly Networks: Readonly<Record<string, NetworkSettings>> };
}

/** podman on one node. */
export interface Podman {
  /** Makes a network known, or another content of one: plugins in a list. */
  network(name: string, plugins: readonly Readonly<Record<string, unknown>>[], cniVersion?: string): void;
  call(...args: string[]): Promise<Ended>;
  /** One that must succeed; what it printed. */
  ok(...args: string[]): Promise<string>;
  /** `podman run -d` of a container that sleeps. */
  run(name: string, ...options: string[]): Promise<Ended>;
  inspect(name: string): Promise<Inspected>;
  /** Path of a container's network namespace, as it is seen from outside of the room. */
  netns(name: string): Promise<string>;
}

/** Sets podman up, images loaded, no network known. */
export async function podmanOn(on: RuntimeNode): Promise<Podman> {
  const dir = join(on.dir, 'podman');
  mkdirSync(dir);
  const config = join(dir, 'containers.conf');
  writeFileSync(config, configOf(on));
  const places = ['--root', join(dir, 'root'), '--runroot', join(dir, 'run'), '--tmpdir', join(dir, 'tmp')];
  const env = { CONTAINERS_CONF: config, HOME: dir };
  const call = (...args: string[]): Promise<Ended> => on.run([programs.podman(), ...places, ...args], { env });
  const ok = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await call(...args);
    assert.equal(status, 0, `podman ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const inspect = async (name: string): Promise<Inspected> => {
    const [found] = JSON.parse(await ok('container', 'inspect', name)) as Inspected[];
    assert.ok(found);
    return found;
  };
  findsAgent(on);
  const tar = join(dir, 'images.tar');
  writeImages(tar);
  // Whoever pulls keeps notes in /var/lib/containers, wherever the images go: here in a folder that ends with the command.
  const hidden = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /var/lib && exec "$0" "$@"'];
  const source = `oci-archive:${tar}:${images.busybox}`;
  const pulled = await on.run([...hidden, programs.podman(), ...places, 'pull', '-q', source], { env });
  assert.equal(pulled.status, 0, pulled.stderr);
  return {
    network: (name, plugins, cniVersion = '1.0.0') =>
      writeFileSync(join(on.conf, `${name}.conflist`), JSON.stringify({ cniVersion, name, plugins })),
    call,
    ok,
    run: (name, ...options) => call('run', '-d', '--name', name, '--cgroup-parent', on.room.cgroup, ...options, images.busybox),
    inspect,
    netns: async (name) => on.room.mounts.replace(/ns\/mnt$/, 'root') + (await inspect(name)).NetworkSettings.SandboxKey,
  };
}

/**
 * A container's monitor, which starts the cleaning up when it ends, hands on next to nothing of its environment: the executable would look for the
 * agent in the usual place. So it is started by a script that knows better.
 */
function findsAgent({ bin, env }: RuntimeNode): void {
  const [name, real] = [join(bin, 'flatpod'), join(bin, 'flatpod-itself')];
  renameSync(name, real);
  const variables = ['FLATPOD_SOCKET', 'FLATPOD_STATE'].map((variable) => `${variable}='${env[variable]}'`);
  writeFileSync(name, `#!/bin/sh\n${variables.join(' ')} exec '${real}' "$@"\n`, { mode: 0o755 });
}

/** Without CAP_SYS_RESOURCE its usual limits cannot be set. Its locks go into a file: in /dev/shm they would outlive the test. */
function configOf(on: RuntimeNode): string {
  return `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
cgroupns = "host"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
lock_type = "file"
[network]
network_backend = "cni"
cni_plugin_dirs = ["${on.bin}"]
network_config_dir = "${on.conf}"
default_network = "net"
`;
}
