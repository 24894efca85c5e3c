/**
 * Plays the kubelet for a Pod of the host's network with one container of our image: what the chart's DaemonSet says, as the CRI has it.
 * Field numbers: k8s.io/cri-api, runtime/v1/api.proto.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { call } from '../../src/cri/call.ts';
import { decodeMessage, integerField, messageField, textField, textIn } from '../../src/cri/wire.ts';
import type { Containerd } from '../runtimes/containerd.ts';
import { exec, type Executed } from '../runtimes/cri.ts';
import type { RuntimeNode } from '../runtimes/node.ts';

const limits = { deadline_ms: 60_000 };
const [POD, NODE] = [0, 2];
/** What the kubelet has hidden or read-only in containers that are not privileged (k8s.io/kubernetes, pkg/securitycontext). */
const masked = ['asound', 'acpi', 'interrupts', 'kcore', 'keys', 'latency_stats', 'timer_list', 'timer_stats', 'sched_debug', 'scsi'].map(
  (name) => `/proc/${name}`,
);
const readOnly = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`);
const [PRIVATE, HOST_TO_CONTAINER] = [0, 1];

/** One container, restricted as the Pod's security context says. */
export interface HostPodWish {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Everything else is dropped. */
  readonly capabilities: readonly string[];
  readonly user?: number;
  /** Folder of the node → place in the container; `follows`: mounts made in it later are seen too. */
  readonly mounts?: readonly { readonly from: string; readonly to: string; readonly follows?: boolean }[];
}

/** It runs, or did. */
export interface HostPod {
  readonly sandbox: string;
  readonly container: string;
  /** stdout and stderr so far, in the CRI's form. */
  log(): string;
  exec(...command: readonly string[]): Promise<Executed>;
  /** SIGTERM, then SIGKILL after `grace_s`. */
  stop(grace_s: number): Promise<void>;
}

/** RunPodSandbox, CreateContainer, StartContainer; never privileged, with a read-only root file system and the runtime's own seccomp profile. */
export async function runHostPod(on: RuntimeNode, { socket }: Containerd, wish: HostPodWish): Promise<HostPod> {
  const logs = join(on.dir, 'pod-logs', wish.name);
  mkdirSync(logs, { recursive: true });
  const sandboxConfig = [
    messageField(1, textField(1, wish.name), textField(2, `uid-${wish.name}`), textField(3, 'kube-system')),
    textField(3, logs),
    messageField(8, textField(1, on.room.cgroup), messageField(2, namespaces(1))),
  ];
  const reply = await call(socket, 'RuntimeService/RunPodSandbox', messageField(1, ...sandboxConfig), limits);
  const sandbox = textIn(decodeMessage(reply), 1);
  const request = Buffer.concat([textField(1, sandbox), messageField(2, ...containerConfig(wish)), messageField(3, ...sandboxConfig)]);
  const container = textIn(decodeMessage(await call(socket, 'RuntimeService/CreateContainer', request, limits)), 1);
  await call(socket, 'RuntimeService/StartContainer', textField(1, container), limits);
  const log = join(logs, 'log');
  return {
    sandbox,
    container,
    log: () => (existsSync(log) ? readFileSync(log, 'utf8') : ''),
    exec: (...command) => exec(socket, container, ...command),
    async stop(grace_s) {
      await call(socket, 'RuntimeService/StopContainer', Buffer.concat([textField(1, container), integerField(2, grace_s)]), limits);
    },
  };
}

function containerConfig({ image, args, env = {}, capabilities, user = 0, mounts = [] }: HostPodWish): Uint8Array[] {
  const security = [
    messageField(1, ...capabilities.map((name) => textField(1, name)), textField(2, 'ALL')),
    namespaces(3),
    messageField(5, integerField(1, user)),
    integerField(7, true),
    integerField(11, true),
    ...[...masked, '/sys/firmware', '/sys/devices/virtual/powercap'].map((path) => textField(13, path)),
    ...readOnly.map((path) => textField(14, path)),
    messageField(15), // RuntimeDefault
  ];
  return [
    messageField(1, textField(1, 'container')),
    messageField(2, textField(1, image)),
    ...args.map((word) => textField(4, word)),
    ...Object.entries(env).map(([name, value]) => messageField(6, textField(1, name), textField(2, value))),
    ...mounts.map(({ from, to, follows = false }) =>
      messageField(7, textField(1, to), textField(2, from), integerField(5, follows ? HOST_TO_CONTAINER : PRIVATE)),
    ),
    textField(11, 'log'),
    messageField(15, messageField(2, ...security)),
  ];
}

function namespaces(field: number): Uint8Array {
  return messageField(field, integerField(1, NODE), integerField(2, POD), integerField(3, POD));
}
