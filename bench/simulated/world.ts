/** A simulated cluster: control plane, cloud, Nodes with their heartbeats, agents, and the real controller as a process of its own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeApi } from '../../src/kube/api.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import type { Daemon } from '../../test/cluster/programs-in.ts';
import { type SimulatedAgents, simulatedAgents } from './agents.ts';
import { simulatedCloud, type SimulatedCloud } from './cloud.ts';
import { type ControlPlane, controlPlane } from './control.ts';
import { nodeObject, nodeStatus, RACK } from './node-object.ts';

const bundle = resolve(import.meta.dirname, '../../dist/flatpod.cjs');
/** A /16 has no more for that many nodes of 50 Pods. */
const NODES_PER_SUBNET = 1000;
const MOST_PER_NODE = 50;
/** kubelets report so often when nothing changes (nodeStatusReportFrequency). */
const HEARTBEAT_ms = 300_000;
const AT_ONCE = 40;

/** What kind of world. */
export interface WorldPlan {
  readonly nodes: number;
  readonly podsPerNode: number;
  /** For all files. */
  readonly dir: string;
  /** That this process is in, and its address. */
  readonly netns: string;
  readonly address: string;
  /** How many times the usual pace the controller may call the cloud. */
  readonly pace: number;
}

/** It. */
export interface World extends AsyncDisposable {
  readonly control: ControlPlane;
  readonly cloud: SimulatedCloud;
  readonly agents: SimulatedAgents;
  /** Starts another controller. */
  start(): Promise<Daemon>;
}

/** Makes it; no controller runs yet. */
export async function simulatedWorld(plan: WorldPlan): Promise<World> {
  await using undo = new AsyncDisposableStack();
  mkdirSync(plan.dir, { recursive: true });
  const racks = Array.from({ length: Math.ceil(plan.nodes / NODES_PER_SUBNET) }, (_, i) => `rack-${i}`);
  const names = Array.from({ length: plan.nodes }, (_, i) => `node-${String(i).padStart(5, '0')}`);
  const rackOf = new Map(names.map((name, i) => [name, racks[Math.floor(i / NODES_PER_SUBNET)] ?? '']));
  const socket = join(plan.dir, 'cloud.sock');
  const cloud = await simulatedCloud(
    socket,
    racks.map((rack) => `subnet-${rack}`),
  );
  undo.defer(() => cloud.close());
  for (const name of names) cloud.launch(`i-${name}`);
  const control = undo.use(await controlPlane(plan.dir, plan.netns, plan.address));
  const { apis } = control;
  for (const rack of racks) await apiOf(apis, 0).create(resources.podSubnets, podSubnet(rack), () => undefined);
  await inParallel(names, async (name, i) => {
    const api = apiOf(apis, i);
    await api.create(resources.nodes, nodeObject(name, rackOf.get(name) ?? ''), () => undefined);
    await beat(api, name);
  });
  undo.defer(heartbeats(apis, names));
  const agents = simulatedAgents(apis, names, (node) => rackOf.get(node) ?? '', plan.podsPerNode);
  undo.defer(() => agents.stop());
  const config = join(plan.dir, 'controller.yaml');
  writeFileSync(config, configOf(control.kubeconfig, socket, plan.pace));
  const profile = process.env['BENCH_CPU_PROFILE'];
  const flags = ['--disable-warning=ExperimentalWarning', ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`])];
  const all = undo.move();
  return {
    control,
    cloud,
    agents,
    start: () => control.machine.start('controller', [process.execPath, ...flags, bundle, 'controller', '--config', config]),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function podSubnet(rack: string): object {
  // No more than there is for all: the agents here do not heed what the scheduler is told.
  const perNode = { maximum: MOST_PER_NODE };
  const spec = { cloudSubnet: `subnet-${rack}`, namespaces: [rack], nodeSelector: { matchLabels: { [RACK]: rack } }, perNode };
  return { apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name: rack }, spec };
}

function configOf(kubeconfig: string, socket: string, pace: number): string {
  const cloud = { type: 'vpc', endpoint: `unix:${socket}`, ...(pace !== 1 && { pace }) };
  // JSON is YAML.
  return JSON.stringify({
    apiVersion: 'flatpod.dev/v1alpha1',
    kind: 'ControllerConfig',
    metadata: { name: 'flatpod' },
    spec: { cluster: 'bench', cloud, kubeconfig, tellScheduler: true, log: 'warn' },
  });
}

function apiOf(apis: readonly KubeApi[], i: number): KubeApi {
  const api = apis[i % apis.length];
  if (api === undefined) throw new Error('there is no connection');
  return api;
}

async function beat(api: KubeApi, name: string): Promise<void> {
  const body = { status: nodeStatus(new Date()) };
  await api.patch({ ...resources.nodes, name, subresource: 'status' }, { kind: 'merge', body }, () => undefined, { deadline_ms: 60_000 });
}

/** Each Node in its turn, for ever. Returns the way to end it. */
function heartbeats(apis: readonly KubeApi[], names: readonly string[]): () => Promise<void> {
  const ending = new AbortController();
  const running = (async () => {
    for (let i = 0; !ending.signal.aborted; i = (i + 1) % names.length) {
      const next = sleep(HEARTBEAT_ms / names.length);
      await beat(apiOf(apis, i), names[i] ?? '').catch((error: unknown) => console.error(`a heartbeat: ${String(error)}`));
      await next;
    }
  })();
  return async () => {
    ending.abort();
    await running;
  };
}

/** Does it for all, some at a time. */
export async function inParallel<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) await work(items[i] as T, i); // i is one of its indices
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}
