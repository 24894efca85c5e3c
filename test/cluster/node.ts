/** A node of the cluster: its machine, its daemons, and its power switch. */
import { eventually } from './eventually.ts';
import { programs } from '../programs.ts';
import type { Admin, KubeObject } from './admin.ts';
import { SOCKET } from './containerd.ts';
import type { Machine } from './machine.ts';
import type { Ended, RunOptions } from './programs-in.ts';
import type { Underlay } from './underlay.ts';
import { type NodeDaemon, prepareDisk, startDaemon, type WorkerPlan } from './worker.ts';

/** A node. */
export interface ClusterNode {
  readonly name: string;
  readonly address: string;
  /** Path of its network namespace; after a power cut there is another one behind the path. */
  readonly netns: string;
  readonly machine: Machine;
  /** Runs a program in the node's namespaces, to its end. */
  run(command: readonly string[], options?: RunOptions): Promise<Ended>;
  /** Output of a program that must succeed. @throws Error with what it said. */
  output(...command: readonly string[]): Promise<string>;
  /** A path of the node's, as this process reaches it while the node is on. */
  path(inside: string): string;
  /** What a daemon logged. */
  log(name: NodeDaemon): string;
  /** Ends a daemon, with SIGKILL unless told otherwise. Pods go on. */
  kill(name: NodeDaemon, signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again. */
  start(name: NodeDaemon): Promise<void>;
  /** Puts an image from an OCI layout in a tar into its containerd. */
  importImage(tar: string): Promise<void>;
  /** Switches it on for the first time, and starts its daemons. */
  boot(): Promise<void>;
  /** A power cut. Its disk stays, its instance and NICs too. */
  powerOff(): Promise<void>;
  /** Switches it on again and starts its daemons. */
  powerOn(): Promise<void>;
  /** Waits until the API server calls it ready. */
  untilReady(admin: Admin, limit_s?: number): Promise<void>;
}

interface NodeObject extends KubeObject {
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const daemons: readonly NodeDaemon[] = ['containerd', 'kubelet', 'kube-proxy'];

/** The node, switched off. */
export function clusterNode(plan: WorkerPlan, underlay: Underlay): ClusterNode {
  const { machine, host } = plan;
  const start = async (name: NodeDaemon): Promise<void> => void (await startDaemon(plan, name));
  const node: ClusterNode = {
    name: host.name,
    address: host.address,
    netns: host.netns,
    machine,
    run: (command, options) => machine.run(command, options),
    async output(...command) {
      const { status, stdout, stderr } = await machine.run(command);
      if (status !== 0) throw new Error(`${command.join(' ')} on ${host.name}: ${stderr.trim()}`);
      return stdout;
    },
    path: (inside) => machine.path(inside),
    log: (name) => machine.daemon(name).log(),
    kill: (name, signal) => machine.daemon(name).kill(signal),
    start,
    async importImage(tar) {
      await node.output(programs.containerd2().ctr, '-a', SOCKET, '-n', 'k8s.io', 'images', 'import', tar);
    },
    async boot() {
      await machine.powerOn();
      await prepareDisk(plan);
      for (const name of daemons) await start(name);
    },
    async powerOff() {
      await machine.powerOff();
      await underlay.unplug(host.name);
    },
    async powerOn() {
      await underlay.plug(host.name);
      await machine.powerOn();
      for (const name of daemons) await start(name);
    },
    async untilReady(admin, limit_s = 60) {
      const path = `/api/v1/nodes/${host.name}`;
      await eventually(
        `${host.name} is ready`,
        async () => {
          const { status } = await admin.ask<NodeObject>('GET', path);
          return status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
        },
        limit_s,
      );
    },
  };
  return node;
}
