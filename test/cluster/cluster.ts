/**
 * A Kubernetes cluster for tests: etcd, API server, controller manager and scheduler on one machine, kubelet, containerd and kube-proxy on the others, all of
 * them real. Every machine is an instance of the emulated VPC. Nothing leaves the namespaces, and everything ends with this process.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { programs } from '../programs.ts';
import { type Admin, admin } from './admin.ts';
import { bridgeUnderlay, lan as secondNetwork, podBlockOf } from './bridge-underlay.ts';
import { type ControlPlanePlan, type Part, startPart } from './control-plane.ts';
import { dnsManifest } from './dns.ts';
import { type Machine, machine } from './machine.ts';
import { clusterNode, type ClusterNode } from './node.ts';
import { makePki, type Pki } from './pki.ts';
import type { Ended, RunOptions } from './programs-in.ts';
import { type Host, machineNames, type Underlay } from './underlay.ts';
import { POD_CIDR, type VpcPlan, vpcUnderlay, type VpcUnderlay } from './vpc-underlay.ts';
import { takeTurn } from './turn.ts';
import type { ProxyMode, WorkerPlan } from './worker.ts';

const SERVICE_CIDR = '10.96.0.0/16';
const API_SERVICE = '10.96.0.1';
const DNS_SERVICE = '10.96.0.10';
/** What it is told to wait for takes two minutes at most. */
const KUBECTL_s = 130;

/** What kind of cluster. */
export interface ClusterOptions {
  /** Two unless told otherwise. */
  readonly nodes?: number;
  /** nftables unless told otherwise. */
  readonly proxy?: ProxyMode;
  /** `none` on the emulated VPC; `ptp` with host-local on a bridge, which is ready by itself and has no VPC. */
  readonly cni?: 'none' | 'ptp';
  /** A cluster without CNI plugin and cloud: on a bridge, with the second network of bridge-underlay.ts. */
  readonly lan?: boolean;
  /** Whether CoreDNS is applied; it runs as soon as Pods get addresses. */
  readonly dns?: boolean;
  /** Whether the API server writes an audit log (control-plane.ts). */
  readonly audit?: boolean;
  /** What the VPC has beside the cluster's machines. */
  readonly vpc?: VpcPlan;
}

/** A cluster that runs. Disposing removes processes, namespaces, cgroups and files, whatever happened. */
export interface Cluster extends AsyncDisposable {
  /** Begins the names of its namespaces and cgroups. */
  readonly name: string;
  /** Its files: `NODE/log/DAEMON`, `NODE/disk`. */
  readonly dir: string;
  /** The machine of the control plane: whoever is to reach the API server runs here. */
  readonly control: Machine;
  readonly nodes: readonly ClusterNode[];
  /** @throws Error when there is none of that number, from 0. */
  node(index: number): ClusterNode;
  /** @throws Error in a cluster on a bridge. */
  readonly vpc: VpcUnderlay;
  /** Whether there is none. */
  readonly isOnBridge: boolean;
  /** A machine's place in the network under the cluster. @throws Error when there is none of that name. */
  host(name: string): Host;
  /** The administrator's requests and watches. */
  readonly admin: Admin;
  /** Where the API server listens, at port 6443. */
  readonly apiAddress: string;
  /** The administrator's kubeconfig, good in the network of every machine. */
  readonly kubeconfig: string;
  /** kubectl as administrator; its output. @throws Error with what it said when it fails. */
  kubectl(...args: readonly string[]): Promise<string>;
  /** The same, however it ends. */
  tryKubectl(args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** Server-side apply of manifests: a file's path, or the text itself. */
  apply(manifests: string): Promise<void>;
  /** Puts an image from an OCI layout in a tar onto every node. */
  importImage(tar: string): Promise<void>;
  /** Ends a part of the control plane, with SIGKILL unless told otherwise. */
  kill(part: Part, signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again; the API server answers when this returns. */
  start(part: Part): Promise<void>;
}

let clusters = 0;

/** Starts one: all nodes are registered when this returns, and ready if they have a CNI plugin. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const name = `fpe${process.pid}x${++clusters}`;
  const dir = mkdtempSync(join(tmpdir(), `fpe-${process.pid}-`));
  await using undo = new AsyncDisposableStack();
  undo.use(await takeTurn());
  undo.defer(() => rmSync(dir, { recursive: true, force: true }));
  const names = machineNames(options.nodes ?? 2);
  const { lan = false } = options;
  const vpc = options.cni === 'ptp' || lan ? undefined : await vpcUnderlay(name, dir, names.nodes.length, options.vpc);
  const underlay = undo.use(vpc ?? (await bridgeUnderlay(name, names.nodes.length, lan)));
  const hosts = names.nodes.map((one) => underlay.host(one));
  const at = underlay.host(names.control);
  const pki = makePki({ dir: join(dir, 'pki'), api: at.address, service: API_SERVICE, nodes: hosts });
  const machineAt = ({ name: one, netns }: Host): Machine => {
    const made = machine({ name: one, netns, dir: join(dir, one), nameserver: DNS_SERVICE });
    undo.defer(() => made.powerOff());
    return made;
  };
  const control = machineAt(at);
  await control.powerOn();
  const { audit = false } = options;
  const podCidr = lan ? secondNetwork.pods4 : POD_CIDR;
  const plan: ControlPlanePlan = { machine: control, address: at.address, pki, serviceCidr: SERVICE_CIDR, podCidr, audit };
  const api = undo.use(admin(at.netns, at.address, pki));
  const nodes = hosts.map((host, i) => clusterNode(workerPlan(host, machineAt(host), i, pki, podCidr, options), underlay));
  // Disks are filled while the API server comes up; kubelets try until it answers.
  await Promise.all([startControlPlane(plan, api), ...nodes.map((node) => node.boot())]);
  const cluster = clusterOf({ name, dir, control, nodes, pki, plan, api, underlay, vpc });
  if (options.dns === true) await cluster.apply(dnsManifest(DNS_SERVICE));
  await untilThere(api, nodes, options.cni === 'ptp');
  const all = undo.move();
  return Object.assign(cluster, { [Symbol.asyncDispose]: () => all.disposeAsync() });
}

function workerPlan(host: Host, on: Machine, index: number, pki: Pki, podCidr: string, options: ClusterOptions): WorkerPlan {
  const { proxy = 'nftables', cni } = options;
  const plan = { machine: on, host, pki, clusterDns: DNS_SERVICE, podCidr, proxy };
  return cni === 'ptp' ? { ...plan, cniConfig: ptpConfig(podBlockOf(index + 1)) } : plan;
}

async function startControlPlane(plan: ControlPlanePlan, api: Admin): Promise<void> {
  await startPart(plan, 'etcd');
  await startPart(plan, 'kube-apiserver');
  await untilAnswers(plan.machine, api);
  await startPart(plan, 'kube-controller-manager');
  await startPart(plan, 'kube-scheduler');
}

/** Whatever else failed meanwhile has switched the machine off. */
async function untilAnswers(control: Machine, api: Admin): Promise<void> {
  await eventually('the API server is ready', async () => !control.isOn || (await api.text('/readyz')) !== '', 90);
}

/** Pods are refused before their namespace has its ServiceAccount. */
async function untilThere(api: Admin, nodes: readonly ClusterNode[], isReady: boolean): Promise<void> {
  await eventually('the nodes are registered', async () => (await api.list('/api/v1/nodes')).length === nodes.length, 90);
  await eventually('Pods may be created', () => api.ask('GET', '/api/v1/namespaces/default/serviceaccounts/default'), 60);
  if (isReady) for (const node of nodes) await node.untilReady(api);
}

type Parts = Pick<Cluster, 'name' | 'dir' | 'control' | 'nodes'> & {
  readonly pki: Pki;
  readonly plan: ControlPlanePlan;
  readonly api: Admin;
  readonly underlay: Underlay;
  readonly vpc: (Underlay & VpcUnderlay) | undefined;
};

function clusterOf({ name, dir, control, nodes, pki, plan, api, underlay, vpc }: Parts): Omit<Cluster, typeof Symbol.asyncDispose> {
  const kubeconfig = pki.kubeconfig('admin');
  const cluster: Omit<Cluster, typeof Symbol.asyncDispose> = {
    name,
    dir,
    control,
    nodes,
    kubeconfig,
    apiAddress: plan.address,
    admin: api,
    node(index) {
      const node = nodes[index];
      if (node === undefined) throw new Error(`the cluster has no node ${index}`);
      return node;
    },
    get vpc() {
      if (vpc === undefined) throw new Error('this cluster is on a bridge');
      return vpc;
    },
    isOnBridge: vpc === undefined,
    host: (host) => underlay.host(host),
    tryKubectl: (args, run) =>
      control.run([programs.kube('kubectl'), `--kubeconfig=${kubeconfig}`, ...args], { limit_s: KUBECTL_s, ...run }),
    async kubectl(...args) {
      const { status, stdout, stderr } = await cluster.tryKubectl(args);
      if (status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr.trim()}`);
      return stdout;
    },
    async apply(manifests) {
      const isText = manifests.includes('\n');
      const file = isText ? join(dir, 'apply.yaml') : manifests;
      if (isText) writeFileSync(file, manifests);
      await cluster.kubectl('apply', '--server-side', '--force-conflicts', '-f', file);
    },
    async importImage(tar) {
      await Promise.all(nodes.map((node) => node.importImage(tar)));
    },
    kill: (part, signal) => control.daemon(part).kill(signal),
    async start(part) {
      await startPart(plan, part);
      if (part === 'kube-apiserver') await untilAnswers(control, api);
    },
  };
  return cluster;
}

/** What the reference plugins make of it: a cable to each Pod, addresses from the node's block. */
function ptpConfig(subnet: string): string {
  const ipam = { type: 'host-local', ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] };
  const plugins = [
    { type: 'ptp', mtu: 1500, ipMasq: false, ipam },
    { type: 'portmap', backend: 'nftables', capabilities: { portMappings: true } },
  ];
  return JSON.stringify({ cniVersion: '1.1.0', name: 'ptp', plugins });
}
