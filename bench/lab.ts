/** Where the benchmark takes place: an emulated VPC with one machine for each peer, so that "1000 Pods on the node" are its own. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeReport } from '../src/agent/status-report.ts';
import { askAgent } from '../src/cli/ask.ts';
import { vpcApi } from '../src/cli/demo/api.ts';
import { buildLab, type Lab, machineOf } from '../src/cli/demo/lab.ts';
import { doorInto } from '../src/cli/demo/door.ts';
import { killLeftovers, type Running, start } from '../src/cli/demo/processes.ts';
import { createNetns, deleteNetns, NAMED } from '../src/kernel/netns.ts';
import { cleanVpc } from '../src/vpc/clean.ts';

const NAME = 'bench';
/** Pods' namespaces are called so; the VPC's are `bench-NAME`. */
const PODS = 'benchpod-';
const URL_OF = (dir: string): string => `unix:${dir}/vpc.sock`;
/** The access key that EC2's API knows here. */
const KEY = { id: 'BENCH', secret: 'of-the-bench' } as const;
/** What the biggest type of the emulated VPC holds with prefixes (8 NICs, 29 prefixes each), less a margin: no ADD of the benchmark meets a cold pool. */
const WARM = 3600;
/** The first interface does not serve macvlan: its switch port knows one MAC. */
const WARM_MACVLAN = 3000;
/** Longer than any case needs between two uses of one address, short enough for {@link WARM}. */
const COOLDOWN_s = 10;
const POOL_DEADLINE_s = 120;

/** A machine with an agent. */
export interface AgentNode {
  readonly name: string;
  readonly netns: string;
  readonly socket: string;
  readonly agent: Running;
  report(): Promise<NodeReport>;
  /** Starts the agent again, after its end. Resolves when its socket is there. */
  restart(env?: Readonly<Record<string, string>>): Promise<void>;
}

/** How an agent is started. */
export interface AgentOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Of its Pods; absent: routed-veth. */
  readonly datapath?: 'macvlan';
  /** By which API it asks the VPC; absent: by the VPC's own. */
  readonly cloud?: 'aws';
}

/** The lab. Disposing removes processes, namespaces and files. */
export interface BenchLab extends AsyncDisposable {
  readonly dir: string;
  /** Path of the machine's namespace. */
  machine(name: string): string;
  agent(name: string, options?: AgentOptions): Promise<AgentNode>;
  /** Makes namespaces PREFIX0 … for Pods; the prefix of their paths. Those that are there stay. */
  pods(peer: string, count: number): Promise<string>;
  /** The address of the machine's first NIC. */
  address(name: string): string;
}

/** Builds it, after removing what a benchmark that was killed left. @throws Error when another one runs. */
export async function benchLab(machines: readonly string[]): Promise<BenchLab> {
  const dir = join(tmpdir(), 'bench-of-flatpod');
  claim(dir);
  const running: Running[] = [];
  const doors: AsyncDisposable[] = [];
  const remove = async (): Promise<void> => {
    for (const one of running.toReversed()) await one.stop('SIGKILL');
    for (const door of doors) await door[Symbol.asyncDispose]();
    clean(dir);
  };
  const ec2 = await freePort();
  const front = ['--ec2', `127.0.0.1:${ec2}`, '--ec2-key', `${KEY.id}:${KEY.secret}`];
  try {
    running.push(
      await start(dir, {
        name: 'vpc',
        args: ['vpc', '--name', NAME, '--listen', URL_OF(dir), '--state', join(dir, 'vpc'), '--cidr', '10.20.0.0/16', ...front],
        ready: join(dir, 'vpc.sock'),
      }),
    );
    using api = vpcApi(URL_OF(dir));
    const lab = await buildLab(api, {
      subnets: { a: { cidr4: '10.20.0.0/17' } },
      machines: Object.fromEntries(machines.map((name) => [name, { subnet: 'a', type: 'v1.xlarge', private: true }])),
    });
    return {
      dir,
      machine: (name) => machineOf(lab, name).netns,
      address: (name) => machineOf(lab, name).addresses[0] ?? '',
      async agent(name, more = {}) {
        if (more.cloud === 'aws') doors.push(await doorInto(machineOf(lab, name).netns, ec2));
        return agentOn({ dir, lab, running, ec2 }, name, more);
      },
      pods: podsFor,
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** One benchmark at a time: two would measure each other. */
function claim(dir: string): void {
  const owner = join(dir, 'owner');
  const pid = existsSync(owner) ? Number(readFileSync(owner, 'utf8')) : 0;
  if (pid > 0 && existsSync(`/proc/${pid}`)) throw new Error(`a benchmark runs already (process ${pid})`);
  killLeftovers(dir);
  clean(dir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(owner, String(process.pid));
}

function clean(dir: string): void {
  if (existsSync(NAMED)) for (const name of readdirSync(NAMED)) if (name.startsWith(PODS)) deleteNetns(name);
  cleanVpc(NAME);
  rmSync(dir, { recursive: true, force: true });
}

/** A port of loopback that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  await once(server.close(), 'close');
  return port;
}

async function podsFor(peer: string, count: number): Promise<string> {
  const there = new Set(existsSync(NAMED) ? readdirSync(NAMED) : []);
  for (let i = 0; i < count; i++) {
    if (!there.has(`${PODS}${peer}-${i}`)) createNetns(`${PODS}${peer}-${i}`);
    // A signal is heard between two namespaces.
    if (i % 50 === 0) await sleep(0);
  }
  return `${NAMED}/${PODS}${peer}-`;
}

interface Inside {
  readonly dir: string;
  readonly lab: Lab;
  readonly running: Running[];
  /** Port of EC2's API on loopback. */
  readonly ec2: number;
}

async function agentOn({ dir, lab, running, ec2 }: Inside, name: string, { env = {}, datapath, cloud }: AgentOptions): Promise<AgentNode> {
  const { id, netns } = machineOf(lab, name);
  const own = join(dir, name);
  const [socket, config] = [join(own, 'cni.sock'), join(own, 'node.yaml')];
  mkdirSync(own, { recursive: true });
  const where =
    cloud === 'aws'
      ? `{type: aws, region: eu-west-1, endpoint: 'http://127.0.0.1:${ec2}', mtu: 1500}`
      : `{type: vpc, endpoint: '${URL_OF(dir)}'}`;
  const keys = cloud === 'aws' ? { AWS_ACCESS_KEY_ID: KEY.id, AWS_SECRET_ACCESS_KEY: KEY.secret } : {};
  writeFileSync(config, configOf(name, id, where, { subnet: lab.subnets.get('a')?.id ?? '', datapath }));
  const launch = async (more: Readonly<Record<string, string>>): Promise<Running> => {
    const one = await start(dir, {
      name,
      args: ['agent', '--config', config],
      netns,
      ready: socket,
      env: { FLATPOD_SOCKET: socket, FLATPOD_STATE: join(own, 'state'), ...keys, ...more },
    });
    running.push(one);
    return one;
  };
  let agent = await launch(env);
  const node: AgentNode = {
    name,
    netns,
    socket,
    get agent() {
      return agent;
    },
    report: () => askAgent<NodeReport>(socket, 'report', 5000),
    async restart(more = {}) {
      agent = await launch(more);
    },
  };
  for (
    const end = performance.now() + POOL_DEADLINE_s * 1000;
    ((await node.report()).pools[0]?.free ?? 0) < warmOf(datapath);
    await sleep(200)
  ) {
    if (performance.now() > end)
      throw new Error(`the pool of ${name} was not full after ${POOL_DEADLINE_s} s: ${agent.log().slice(-2000)}`);
  }
  return node;
}

function warmOf(datapath: AgentOptions['datapath']): number {
  return datapath === 'macvlan' ? WARM_MACVLAN : WARM;
}

function configOf(
  name: string,
  id: string,
  cloud: string,
  { subnet, datapath }: { subnet: string; datapath: AgentOptions['datapath'] | undefined },
): string {
  return `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: ${name}}
spec: {node: ${name}, instance: ${id}, cooldown_s: ${COOLDOWN_s}, cloud: ${cloud}}
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: pods}
spec: {cloudSubnet: ${subnet}, datapath: ${datapath ?? 'routed-veth'}, default: true, unit: prefix, warm: {minimum: ${warmOf(datapath)}}, perNode: {maximum: 4096}}
`;
}
