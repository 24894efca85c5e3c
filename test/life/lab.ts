/** A lab for one test file: an emulated VPC with real packets, machines, agents as processes of their own, Pods through the real executable. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeReport } from '../../src/agent/status-report.ts';
import { askAgent } from '../../src/cli/ask.ts';
import { type VpcApi, vpcApi } from '../../src/cli/demo/api.ts';
import { type CniAnswer, cni } from '../../src/cli/demo/cni.ts';
import { buildLab, type Lab, type LabPlan, machineOf } from '../../src/cli/demo/lab.ts';
import { type Running, start } from '../../src/cli/demo/processes.ts';
import { createNetns, deleteNetns, NAMED, openNetns } from '../../src/kernel/netns.ts';
import { listenIn } from '../../src/kernel/sockets.ts';
import { cleanVpc } from '../../src/vpc/clean.ts';
import { whoAmI } from './asking.ts';

const PORT = 8080;
/** An agent that the machine holds up is still one that serves, and a drain gives back one thing after the other. */
const ANSWER_ms = 60_000;
/** The executable's own three seconds are for a kubelet, which asks again: the same holds of a test's STATUS. */
export const patientStatus: Readonly<Record<string, string>> = { FLATPOD_TIMEOUT_MS: '30000' };
/** The same for programs that hand their environment on to every verb, and of which none may be that short. */
export const patientVerbs: Readonly<Record<string, string>> = { FLATPOD_TIMEOUT_MS: '60000' };
let labs = 0;

/** How much longer everything may take than on this machine's own kernel; a guest is told so (test/guest/suite.ts). */
const patience = Number(process.env['FLATPOD_TEST_PATIENCE'] ?? 1);

/**
 * Waits until `probe` holds (no exception, not false), half a minute unless told otherwise; then fails with its last word. What it waits for passes through several
 * processes, and a busy machine may hold up each of them for seconds.
 */
export async function eventually<T>(what: string, probe: () => T | false | Promise<T | false>, limit_s = 30): Promise<T> {
  const end = performance.now() + limit_s * patience * 1000;
  for (;;) {
    try {
      const found = await probe();
      if (found !== false) return found;
      assert.ok(performance.now() < end, `${what}: not within ${limit_s * patience} s`);
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await sleep(25);
  }
}

/** A namespace that stands for a container. */
export interface Container {
  readonly container: string;
  readonly netns: string;
}

/** A node: its machine and the agent on it. */
export interface TestNode {
  readonly name: string;
  readonly netns: string;
  readonly address: string;
  readonly publicAddress: string | undefined;
  readonly instance: string;
  readonly dir: string;
  readonly socket: string;
  /** Starts the agent; `env` may name a fault point. */
  start(env?: Readonly<Record<string, string>>, yaml?: string, args?: readonly string[]): Promise<void>;
  kill9(): Promise<void>;
  stop(): Promise<void>;
  readonly agent: Running;
  log(): string;
  report(): Promise<NodeReport>;
  ask<T>(question: 'check' | 'repair' | 'drain'): Promise<T>;
  container(): Container;
  call(verb: 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION', of: Partial<Container>, more?: CallOptions): Promise<CniAnswer>;
  /** ADD that must succeed; the addresses. */
  add(of: Container, more?: CallOptions): Promise<string[]>;
  ip(args: string): string;
}

export interface CallOptions {
  readonly config?: Readonly<Record<string, unknown>> | string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface TestLab extends AsyncDisposable {
  readonly api: VpcApi;
  readonly url: string;
  readonly lab: Lab;
  readonly nodes: readonly TestNode[];
  node(index: number): TestNode;
  vpc: Running;
  /** Starts the VPC's program again. */
  restartVpc(): Promise<void>;
  /** Asks for the own address from `from` at `to`, port 8080 unless said: what the other side, which listens on 8080, saw; or the error's text. */
  seenFrom(fromNetns: string, to: string, toNetns: string, port?: number): Promise<string>;
}

/** `more`: further PodSubnets by name, for networks that name them. */
export interface AgentPlan {
  readonly subnet: string;
  readonly node?: string;
  readonly pods?: string;
  readonly more?: Readonly<Record<string, { readonly subnet: string; readonly pods: string }>>;
}

export interface TestLabOptions {
  readonly plan: LabPlan;
  /** Machines that get an agent, with the subnet its Pods use, more of its NodeConfig's spec, and its PodSubnet's. */
  readonly agents: Readonly<Record<string, AgentPlan>>;
  readonly mtu?: number;
  /** Asked before a machine's agent starts for the first time, with a folder of the machine's own: path of the mount namespace that its agents run in. */
  readonly mounts?: (machine: string, netns: string, dir: string) => Promise<string | undefined>;
}

/** Builds it all. Disposing removes processes, namespaces and files, whatever happened. */
export async function testLab(options: TestLabOptions): Promise<TestLab> {
  const name = `fpt${process.pid}x${++labs}`;
  const dir = mkdtempSync(join(tmpdir(), 'fpt-'));
  const url = `unix:${dir}/vpc.sock`;
  const mtu = options.mtu === undefined ? [] : ['--mtu', String(options.mtu)];
  const cidrs = ['--cidr', '10.20.0.0/16', '2001:db8:20::/56'];
  const startVpc = (): Promise<Running> =>
    start(dir, {
      name: 'vpc',
      args: ['vpc', '--name', name, '--listen', url, '--state', join(dir, 'vpc'), ...cidrs, ...mtu],
      ready: `${dir}/vpc.sock`,
    });
  const api = vpcApi(url);
  const nodes: TestNode[] = [];
  const remove = async (): Promise<void> => {
    for (const node of nodes) await node.kill9();
    api[Symbol.dispose]();
    await test.vpc.stop('SIGKILL');
    for (const ns of readdirSync(NAMED)) if (ns.startsWith(`${name}p-`)) deleteNetns(ns);
    cleanVpc(name);
    rmSync(dir, { recursive: true, force: true });
  };
  const test = { vpc: await startVpc() };
  try {
    const lab = await buildLab(api, options.plan);
    for (const [machine, { subnet, node = '', pods = '', more = {} }] of Object.entries(options.agents)) {
      const { id } = machineOf(lab, machine);
      const others = Object.entries(more).map(([as, other]) => podSubnetText(as, lab.subnets.get(other.subnet)?.id ?? '', other.pods));
      const yaml = [configOf({ machine, id, url, subnet: lab.subnets.get(subnet)?.id ?? '', node, pods }), ...others].join('---\n');
      const { netns } = machineOf(lab, machine);
      const mounts = await options.mounts?.(machine, netns, join(dir, machine));
      nodes.push(testNode(name, machineOf(lab, machine), dir, yaml, mounts));
    }
    await Promise.all(nodes.map((node) => node.start()));
    return {
      api,
      url,
      lab,
      nodes,
      get vpc() {
        return test.vpc;
      },
      node(index) {
        const node = nodes[index];
        assert.ok(node, `node ${index}`);
        return node;
      },
      async restartVpc() {
        test.vpc = await startVpc();
      },
      seenFrom,
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** See {@link TestLab}. */
export async function seenFrom(fromNetns: string, to: string, toNetns: string, port = PORT): Promise<string> {
  using there = openNetns(toNetns, true);
  using here = openNetns(fromNetns, true);
  const server = await listenIn(there, PORT);
  try {
    return await whoAmI(here, to, port, 3000 * patience);
  } finally {
    server.close();
  }
}

function configOf(c: { machine: string; id: string; url: string; subnet: string; node: string; pods: string }): string {
  return `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: ${c.machine}}
spec: {node: ${c.machine}, instance: ${c.id}, cloud: {type: vpc, endpoint: '${c.url}'}${c.node === '' ? '' : `, ${c.node}`}}
---
${podSubnetText('pods', c.subnet, `default: true${c.pods === '' ? '' : `, ${c.pods}`}`)}`;
}

function podSubnetText(name: string, cloudSubnet: string, spec: string): string {
  return `apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: ${name}}
spec: {cloudSubnet: ${cloudSubnet}, ${spec}}
`;
}

/** A node of a lab of that name that is yet to be started; `root`: where its folder is. */
export function testNode(lab: string, machine: ReturnType<typeof machineOf>, root: string, yaml: string, mounts?: string): TestNode {
  const dir = join(root, machine.name);
  const [socket, config] = [join(dir, 'cni.sock'), join(dir, 'node.yaml')];
  const own = { FLATPOD_SOCKET: socket, FLATPOD_STATE: join(dir, 'state') };
  let agent: Running | undefined;
  let made = 0;
  const node: TestNode = {
    name: machine.name,
    netns: machine.netns,
    address: machine.addresses[0] ?? '',
    publicAddress: machine.publicAddress,
    instance: machine.id,
    dir,
    socket,
    get agent() {
      assert.ok(agent, 'the agent was never started');
      return agent;
    },
    async start(env = {}, other = yaml, more = []) {
      mkdirSync(dir, { recursive: true });
      writeFileSync(config, other);
      const args = ['agent', '--config', config, ...more];
      const room = { netns: machine.netns, ...(mounts !== undefined && { mounts }) };
      agent = await start(root, { name: machine.name, args, ...room, ready: socket, env: { ...own, ...env } });
    },
    kill9: async () => agent?.stop('SIGKILL'),
    stop: async () => agent?.stop(),
    log: () => node.agent.log(),
    report: () => askAgent<NodeReport>(socket, 'report', ANSWER_ms),
    ask: (question) => askAgent(socket, question, ANSWER_ms),
    container() {
      const container = `${machine.name}-${++made}`;
      // Not `${lab}-…`: of such names the VPC takes away the ones that stand for no namespace yet.
      return { container, netns: createNetns(`${lab}p-${container}`) };
    },
    call(verb, { container = '', netns = '' }, { config: more = {}, env = {} } = {}) {
      const text = typeof more === 'string' ? more : JSON.stringify({ cniVersion: '1.1.0', name: 'net', type: 'flatpod', ...more });
      const places = { ...own, CNI_CONTAINERID: container, CNI_NETNS: netns, CNI_IFNAME: 'eth0' };
      return cni({ verb, env: { ...places, ...(verb === 'STATUS' && patientStatus), ...env }, config: text });
    },
    async add(of, more) {
      const answer = await node.call('ADD', of, more);
      assert.equal(answer.status, 0, answer.stdout + answer.stderr);
      const result = JSON.parse(answer.stdout) as { ips: { address: string }[] };
      return result.ips.map(({ address }) => address.split('/')[0] ?? address);
    },
    ip: (args) =>
      execFileSync('ip', ['-n', machine.netns.slice(NAMED.length + 1), ...args.split(' ')], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
  };
  return node;
}
