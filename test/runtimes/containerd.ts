/** containerd on a node of the lab, 1.6 or 2.x, with runc and images of ours, spoken to through the CRI. */
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RuntimeCondition, runtimeStatus, runtimeVersion, sandboxes } from '../../src/cri/runtime.ts';
import { containerd1Config, containerd2Config } from '../containerd-config.ts';
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

/** As long as an ADD may take anyway. */
const ANSWER_ms = 110_000;

/** Starts containerd in the node's room, and imports the images. It ends with the room. */
export async function startContainerd(on: RuntimeNode, release: Release): Promise<Containerd> {
  const program = release === '1.6' ? programs.containerd1() : programs.containerd2();
  const [socket, config] = [join(on.dir, 'containerd.sock'), join(on.dir, 'containerd.toml')];
  const cniVersion = release === '1.6' ? '1.0.0' : '1.1.0';
  const plan = { socket, bin: on.bin, conf: on.conf, pause: images.pause };
  writeFileSync(config, release === '1.6' ? containerd1Config(plan) : containerd2Config(plan));
  // Plugins have it from containerd. The executable's own three seconds for STATUS are for a kubelet, which asks again: an agent that is held up still serves.
  const env = { PATH: `${program.shims}:${on.env['PATH']}`, FLATPOD_TIMEOUT_MS: String(ANSWER_ms) };
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
      // It tells its version before it has found its Pods again.
      await eventually(`containerd ${release} answers`, async () => (await runtimeVersion(socket), sandboxes(socket)), 60);
    },
    async configure(more) {
      containerd.writeList(more);
      await eventually('the network is ready', async () => (await containerd.network()).status);
    },
    writeList: (more) => writeFileSync(join(on.conf, '10-flatpod.conflist'), listOf(cniVersion, more)),
    async network() {
      const { conditions } = await runtimeStatus(socket, false, { deadline_ms: 60_000 });
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
