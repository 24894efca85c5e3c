/** An emulated VPC behind EC2's front, with machines that the AWS plugin worked on before, and Flatpod's agents on them as processes. Needs root and network namespaces. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeReport } from '../../src/agent/status-report.ts';
import { askAgent } from '../../src/cli/ask.ts';
import { type CniAnswer, cni } from '../../src/cli/demo/cni.ts';
import { doorInto } from '../../src/cli/demo/door.ts';
import { launcher, type Running, start } from '../../src/cli/demo/processes.ts';
import { createNetns, deleteNetns, openNetns } from '../../src/kernel/netns.ts';
import { listenIn } from '../../src/kernel/sockets.ts';
import { type Ec2Bed, ec2Bed, key } from '../ec2/bed.ts';
import { whoAmI } from '../life/asking.ts';
import { withSubnet } from '../vpc/support.ts';
import { amongOwn } from './own-names.ts';

const PORT = 8080;
const ANSWER_ms = 20_000;
let scenes = 0;

/** A network namespace with a shell. */
export interface Place {
  readonly netns: string;
  /** What the line prints. @throws AssertionError with its stderr when it fails. */
  readonly sh: (line: string) => string;
}

/** A namespace that stands for a container. */
export interface Container extends Place {
  readonly id: string;
}

/** A machine of the VPC. */
export interface Machine extends Place {
  readonly instance: string;
  /** Of its first interface. */
  readonly address: string;
  readonly publicAddress: string;
}

/** One with an agent, once it is started. */
export interface AgentNode {
  readonly machine: Machine;
  readonly dir: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  log(): string;
  report(): Promise<NodeReport>;
  /** A command of flatpod on this node. */
  flatpod(...args: string[]): { readonly status: number; readonly stdout: string; readonly stderr: string };
  call(verb: 'ADD' | 'DEL' | 'CHECK', of: Container, config?: object): Promise<CniAnswer>;
  /** ADD that must succeed; the address. */
  add(of: Container): Promise<string>;
}

/** All of it. */
export interface Scene extends AsyncDisposable {
  readonly name: string;
  readonly bed: Ec2Bed;
  readonly subnet: string;
  launch(name: string): Promise<Machine>;
  /** A host beyond the internet gateway. */
  internet(): Promise<Place & { readonly address: string }>;
  node(machine: Machine, spec?: string): Promise<AgentNode>;
  container(): Container;
  /** TCP from one namespace to that address, where `there` listens: what it saw as the sender, or the error. */
  seen(from: Place, to: string, there: Place, port?: number): Promise<string>;
}

/** Runs a shell line inside of a namespace. */
export function placeAt(netns: string): Place {
  return {
    netns,
    sh(line) {
      const { status, stdout, stderr } = spawnSync('nsenter', [`--net=${netns}`, 'sh', '-ec', line], {
        encoding: 'utf8',
        timeout: ANSWER_ms,
      });
      assert.equal(status, 0, `${line}: ${stderr}`);
      return stdout;
    },
  };
}

/** An empty VPC with one subnet, 10.20.0.0/24. */
export async function scene(): Promise<Scene> {
  const name = `fpt${process.pid}-${++scenes}`;
  await using open = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'fpt-takeover-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  const bed = open.use(await ec2Bed({}, { fabric: true, name }));
  const subnet = await withSubnet(bed.vpc);
  let containers = 0;
  const rest = open.move();
  const launched = async (body: object): Promise<Machine> => {
    const made = await bed.vpc.call('POST', '/v1/instances', body);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const { id, netns, addresses = [], publicAddress = '' } = made.body;
    return { ...placeAt(netns), instance: id, address: addresses[0] ?? '', publicAddress };
  };
  return {
    name,
    bed,
    subnet,
    launch: (called) => launched({ name: called, type: 't3.small', subnet, publicAddress: true }),
    internet: () => launched({ name: 'web', kind: 'internet' }),
    async node(machine, spec = '') {
      rest.use(await doorInto(machine.netns, Number(new URL(bed.url).port)));
      const node = agentNode(machine, join(dir, machine.instance), configOf(bed, subnet, machine, spec));
      rest.defer(() => node.kill());
      return node;
    },
    container() {
      const id = `${name}c${++containers}`;
      const netns = createNetns(id);
      rest.defer(() => deleteNetns(id));
      return { id, ...placeAt(netns) };
    },
    seen,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

async function seen(from: Place, to: string, there: Place, port = PORT): Promise<string> {
  using source = openNetns(from.netns, true);
  using target = openNetns(there.netns, true);
  const server = await listenIn(target, PORT);
  try {
    return await whoAmI(source, to, port, 3000);
  } finally {
    server.close();
  }
}

function configOf({ url }: Ec2Bed, subnet: string, { instance }: Machine, spec: string): string {
  return `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: ${instance}}
spec:
  node: ${instance}
  instance: ${instance}
  cloud: {type: aws, region: eu-west-1, endpoint: '${url}', mtu: 1500}
  ${spec}
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: pods}
spec: {cloudSubnet: ${subnet}, default: true, families: [4], warm: {minimum: 1, spare: 0}}
`;
}

function agentNode(machine: Machine, dir: string, yaml: string): AgentNode {
  mkdirSync(dir, { recursive: true });
  const [socket, state, config] = [join(dir, 'cni.sock'), join(dir, 'state'), join(dir, 'node.yaml')];
  writeFileSync(config, yaml);
  const env = { FLATPOD_SOCKET: socket, FLATPOD_STATE: state, AWS_ACCESS_KEY_ID: key.id, AWS_SECRET_ACCESS_KEY: key.secret };
  let agent: Running | undefined;
  const node: AgentNode = {
    machine,
    dir,
    async start() {
      agent = await start(dir, { name: 'agent', args: ['agent', '--config', config], netns: machine.netns, ready: socket, env });
    },
    kill: async () => agent?.stop('SIGKILL'),
    log: () => agent?.log() ?? '',
    report: () => askAgent(socket, 'report', ANSWER_ms),
    flatpod(...args) {
      const line = [`--net=${machine.netns}`, launcher, ...amongOwn(dir, args)];
      const { status, stdout, stderr } = spawnSync('nsenter', line, { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 60_000 });
      return { status: status ?? -1, stdout, stderr };
    },
    call: (verb, { id, netns }, other = {}) =>
      cni({
        verb,
        env: { ...env, CNI_CONTAINERID: id, CNI_NETNS: netns, CNI_IFNAME: 'eth0' },
        config: JSON.stringify({ cniVersion: '1.0.0', name: 'flatpod', type: 'flatpod', ...other }),
      }),
    async add(of) {
      const { status, stdout, stderr } = await node.call('ADD', of);
      assert.equal(status, 0, stdout + stderr + node.log());
      const { ips } = JSON.parse(stdout) as { ips: { address: string }[] };
      return ips[0]?.address.split('/')[0] ?? '';
    },
  };
  return node;
}
