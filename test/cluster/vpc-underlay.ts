/** The emulated VPC under a cluster: each machine is an instance, whose packets cross the fabric with all its checks. */
import { execFileSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { type VpcApi, vpcApi } from '../../src/cli/demo/api.ts';
import { buildLab, type Lab, type LabPlan, machineOf } from '../../src/cli/demo/lab.ts';
import { type Running, start } from '../../src/cli/demo/processes.ts';
import { deleteNetns } from '../../src/kernel/netns.ts';
import { cleanVpc } from '../../src/vpc/clean.ts';
import { forward } from '../life/forward.ts';
import { eventually } from './eventually.ts';
import { machineNames, type Underlay } from './underlay.ts';

/** All Pod subnets lie in it: what kube-proxy and the controller manager take for the Pods' block. */
export const POD_CIDR = '10.20.128.0/17';

/** What there is beside the cluster's machines. */
export interface VpcPlan {
  /** Further subnets; there are `nodes` (10.20.0.0/24) and `pods` (10.20.128.0/20). Those for Pods lie within POD_CIDR. */
  readonly subnets?: LabPlan['subnets'];
  /** Plain machines of the VPC. */
  readonly machines?: LabPlan['machines'];
  /** Hosts beyond its internet gateway. */
  readonly internet?: LabPlan['internet'];
  /** Of the nodes; its limits are those of the emulated VPC's types. */
  readonly instanceType?: string;
}

/** The VPC, for its user. */
export interface VpcUnderlay extends Underlay {
  readonly api: VpcApi;
  readonly lab: Lab;
  /** URL of its API for programs in the cluster. */
  readonly endpoint: string;
  /** URL of its API for programs beside this one. */
  readonly url: string;
  /** Its program, which may be stopped. */
  readonly program: Running;
  /** Starts the program again. */
  restart(): Promise<void>;
}

const ENDPOINT_PORT = 9100;

/** Starts the VPC and launches its instances. `name` begins the names of its namespaces. */
export async function vpcUnderlay(name: string, dir: string, nodes: number, plan: VpcPlan = {}): Promise<VpcUnderlay> {
  const socket = join(dir, 'vpc.sock');
  const url = `unix:${socket}`;
  const cidrs = ['--cidr', '10.20.0.0/16', '2001:db8:20::/56'];
  const args = ['vpc', '--name', name, '--listen', url, '--state', join(dir, 'vpc'), ...cidrs];
  const startProgram = (): Promise<Running> => start(dir, { name: 'vpc', args, ready: socket });
  const api = vpcApi(url);
  let program = await startProgram();
  let port: AsyncDisposable | undefined;
  const remove = async (): Promise<void> => {
    await port?.[Symbol.asyncDispose]();
    api[Symbol.dispose]();
    // It may take its time to die, and nothing else may keep this process waiting for that.
    program.process.ref();
    await program.stop('SIGKILL');
    cleanVpc(name);
  };
  try {
    const lab = await buildLab(api, labPlan(nodes, plan));
    const { control } = machineNames(nodes);
    const [first = ''] = machineOf(lab, control).addresses;
    // Programs in the cluster cannot reach the socket.
    port = await forward(machineOf(lab, control).netns, ENDPOINT_PORT, socket);
    return {
      api,
      lab,
      url,
      endpoint: `http://${first}:${ENDPOINT_PORT}`,
      get program() {
        return program;
      },
      async restart() {
        program = await startProgram();
      },
      host(host) {
        const { id, netns, addresses } = machineOf(lab, host);
        return { name: host, netns, address: addresses[0] ?? '', providerId: `vpc:///zone-a/${id}` };
      },
      async unplug(host) {
        ip(machineOf(lab, host).netns, 'link', 'set', 'group', 'default', 'down');
      },
      plug: (host) => plug(machineOf(lab, host).netns, machineOf(lab, host).addresses),
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

function labPlan(nodes: number, { subnets, machines, internet, instanceType = 'v1.xlarge' }: VpcPlan): LabPlan {
  const names = machineNames(nodes);
  const ours = Object.fromEntries([names.control, ...names.nodes].map((one) => [one, { subnet: 'nodes', type: instanceType }]));
  return {
    subnets: { nodes: { cidr4: '10.20.0.0/24' }, pods: { cidr4: '10.20.128.0/20' }, ...subnets },
    machines: { ...ours, ...machines },
    ...(internet !== undefined && { internet }),
  };
}

/** A namespace that is deleted is missed by the VPC, which makes the instance's network anew, as it is after a boot. */
async function plug(netns: string, addresses: readonly string[]): Promise<void> {
  deleteNetns(basename(netns));
  await eventually(`${netns} is plugged in again`, () => addresses.every((one) => ip(netns, 'address', 'show', 'up').includes(` ${one}/`)));
}

function ip(netns: string, ...args: readonly string[]): string {
  return execFileSync('ip', ['-n', basename(netns), ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
