/** containerd on a node of the lab, 1.6 or 2.x, with runc and images of ours, spoken to through the CRI. */
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RuntimeCondition, runtimeStatus, runtimeVersion, sandboxes } from '../../src/cri/runtime.ts';
import { eventually } from '../life/lab.ts';
import { type Containerd as Programs, programs } from '../programs.ts';
import { containerCount, type Pod, type PodWish, removePod, runPod, stopPod } from './cri.ts';
import { images, writeImages } from './image.ts';
import type { Daemon, RuntimeNode } from './node.ts';

/** Which of the two; tests name it in their titles. */
export type Release = '1.6' | '2.x';

/** containerd that runs, or did. */
export interface Containerd {
  readonly release: Release;
  readonly socket: string;
  /** Newest CNI version it understands; 2.x asks STATUS from 1.1.0 on. */
  readonly cniVersion: '1.0.0' | '1.1.0';
  log(): string;
  /** SIGKILL; its Pods go on. */
  kill9(): Promise<void>;
  /** Starts it, again or for the first time, and waits until it answers. `disk`: name of the folder of what it knows; with another one it knows nothing. */
  start(disk?: string): Promise<void>;
  /** Writes the configuration list in place, which it notices, and waits until the network is ready. */
  configure(more?: ListWish): Promise<void>;
  /** Writes the file, and waits for nothing. */
  writeList(more?: ListWish): void;
  network(): Promise<RuntimeCondition>;
  /** What it has loaded from the configuration folder, in its own JSON. */
  loaded(): Promise<string>;
  /** RunPodSandbox in the room's cgroup. */
  run(wish: Omit<PodWish, 'cgroup'>, signal?: AbortSignal): Promise<Pod>;
  /** StopPodSandbox and RemovePodSandbox of every sandbox there is. */
  removeAll(): Promise<void>;
}

/** What the configuration list is to hold. */
export interface ListWish {
  /** Of the network; `flatpod` when not told. */
  readonly name?: string;
  /** Reference plugins after ours. */
  readonly chained?: readonly ('portmap' | 'bandwidth')[];
}

/** Starts containerd in the node's room, and imports the images. It ends with the room. */
export async function startContainerd(on: RuntimeNode, release: Release): Promise<Containerd> {
  const program = release === '1.6' ? programs.containerd1() : programs.containerd2();
  const [socket, config] = [join(on.dir, 'containerd.sock'), join(on.dir, 'containerd.toml')];
  const cniVersion = release === '1.6' ? '1.0.0' : '1.1.0';
  writeFileSync(config, release === '1.6' ? config1(on, socket) : config2(on, socket));
  const env = { PATH: `${program.shims}:${on.env['PATH']}` };
  let daemon: Daemon | undefined;
  const containerd: Containerd = {
    release,
    socket,
    cniVersion,
    log: () => daemon?.log() ?? '',
    kill9: async () => daemon?.kill(),
    async start(disk = 'disk') {
      const memory = ['--root', join(on.dir, disk, 'root'), '--state', join(on.dir, disk, 'state')];
      daemon = on.daemon('containerd', [program.daemon, '-c', config, '-l', 'info', ...memory], env);
      await eventually(`containerd ${release} answers`, () => runtimeVersion(socket), 30);
    },
    async configure(more) {
      containerd.writeList(more);
      await eventually('the network is ready', async () => (await containerd.network()).status);
    },
    writeList: (more) => writeFileSync(join(on.conf, '10-flatpod.conflist'), listOf(cniVersion, more)),
    async network() {
      const { conditions } = await runtimeStatus(socket, false);
      const found = conditions.find(({ type }) => type === 'NetworkReady');
      if (found === undefined) throw new Error('containerd says nothing about NetworkReady');
      return found;
    },
    loaded: async () => (await runtimeStatus(socket, true)).info.get('cniconfig') ?? '',
    run: (wish, signal) => runPod(socket, { ...wish, cgroup: on.room.cgroup }, signal),
    async removeAll() {
      for (const { id } of await sandboxes(socket)) {
        await stopPod(socket, id);
        await removePod(socket, id);
      }
      await eventually('no container is left', async () => (await containerCount(socket)) === 0);
    },
  };
  // Where everybody expects it; its own path is in the node's folder so that its shims can be told from another's.
  symlinkSync(socket, join(on.dir, 'run-containerd/containerd.sock'));
  await containerd.start();
  await importImages(on, program, socket);
  return containerd;
}

async function importImages(on: RuntimeNode, program: Programs, socket: string): Promise<void> {
  const tar = join(on.dir, 'images.tar');
  writeImages(tar);
  const { status, stderr } = await on.run([program.ctr, '-a', socket, '-n', 'k8s.io', 'images', 'import', tar]);
  if (status !== 0) throw new Error(`ctr images import: ${stderr}`);
}

/** The list, as an administrator would write it. */
function listOf(cniVersion: string, { name = 'flatpod', chained = [] }: ListWish = {}): string {
  const capabilities = { portmap: 'portMappings', bandwidth: 'bandwidth' };
  const others = chained.map((type) => ({ type, capabilities: { [capabilities[type]]: true } }));
  const ours = { type: 'flatpod', capabilities: { 'io.kubernetes.cri.pod-annotations': true } };
  return JSON.stringify({ cniVersion, name, plugins: [ours, ...others] }, undefined, 2);
}

const runcOptions = (): string => `SystemdCgroup = false
        BinaryName = "${programs.runc()}"`;

/** Without CAP_SYS_RESOURCE every start fails unless oom_score_adj is restricted; snapshotters and NRI that are not used are left out. */
function config1(on: RuntimeNode, socket: string): string {
  return `version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.opt"]
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${images.pause}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  disable_tcp_service = true
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        ${runcOptions()}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${on.bin}"
    conf_dir = "${on.conf}"
    max_conf_num = 1
`;
}

function config2(on: RuntimeNode, socket: string): string {
  return `version = 3
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", "io.containerd.nri.v1.nri"]
[grpc]
  address = "${socket}"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${images.pause}"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        ${runcOptions()}
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${on.bin}"]
    conf_dir = "${on.conf}"
    max_conf_num = 1
[plugins."io.containerd.grpc.v1.cri"]
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
`;
}
