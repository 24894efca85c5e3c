/**
 * A cluster that was set up for hostnic, on the emulated VPC with QingCloud's API: the controller's term in this process, an API server in memory on the
 * wire, agents as programs on their nodes, Pods through the real executable. Needs root and network namespaces.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { doorInto } from '../../src/cli/demo/door.ts';
import { lead } from '../../src/cli/leading.ts';
import type { CloudNic, SubnetId } from '../../src/cloud/cloud.ts';
import { deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { createLog } from '../../src/log.ts';
import type { Ip } from '../../src/net/address.ts';
import { controllerConfig } from '../../src/store/controller-config.ts';
import { viewFor } from '../../src/store/nic-shares.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { readNodeNetwork } from '../../src/store/kubernetes/stored-node-network.ts';
import { cutByHostnic } from '../controller/hostnic-blocks.ts';
import { type Container, eventually, testNode, type TestNode } from '../life/lab.ts';
import { memoryKube, type MemoryKube } from '../store/memory-kube.ts';
import { type ServedKube, serveKube } from '../store/served-kube.ts';
import { type QingGround, qingGround } from './ground.ts';

const CLUSTER = 'served';
const IPAM = 'hostnic-ipam-config';
const configMaps = { ...resources.configMaps, namespace: 'kube-system' };
/** For what goes by the controller to the agents: two of them, and everything else on the machine, may want its processors. */
export const LIMIT_s = 120;
let beds = 0;

/** A Pod with its address. */
export interface Served extends Container {
  readonly address: string;
}

export interface ServedBed extends AsyncDisposable {
  /** Of the Pods: 10.20.1.0/24, in four blocks. */
  readonly vxnet: SubnetId;
  readonly nodes: readonly TestNode[];
  /** Writes hostnic-ipam-config. */
  ipam(of: Readonly<Record<string, readonly string[]>>): void;
  /** Writes maxNic of hostnic-cfg-cm. */
  maxNic(most: number): void;
  /** Writes these keys of its hostnic-cni, over those that are there; undefined takes one away. */
  cni(keys: Readonly<Record<string, unknown>>): void;
  /** A Pod that the scheduler put there; waits for its address. `mtu`: of the CNI configuration. */
  pod(node: TestNode, namespace: string, mtu?: number): Promise<Served>;
  /** Starts its agent, which was ended, where no API server answers. */
  startAlone(node: TestNode): Promise<void>;
  /** Blocks that the node was granted for the namespace's PodSubnet. */
  held(node: TestNode, namespace: string): Promise<string[]>;
  /** NICs of the node that the controller made, as the cloud has them. */
  nics(node: TestNode): Promise<CloudNic[]>;
  /** What hostnic-ipam-config says: blocks by namespace. */
  written(): Readonly<Record<string, readonly string[]>>;
  readonly ground: QingGround;
  readonly kube: MemoryKube;
  /** What the controller logged. */
  readonly lines: readonly string[];
}

/** hostnic's name of a quarter of the vxnet, by its last octet. */
export const blockOf = (from: number): string => `4100-10-20-1-${from}-26`;

export interface Wishes {
  readonly ipam: (vxnet: SubnetId) => Readonly<Record<string, readonly string[]>>;
  readonly hostNicType?: 'veth' | 'passthrough';
  readonly maxNic?: number;
  /** `subnet-auto-assign: on`. */
  readonly autoAssign?: boolean;
  /** How v-pool is cut: into quarters by hostnic's controller, or by nobody, into blocks of this length. */
  readonly uncut?: number;
  /** Done before the controller starts; what it answers is added to its `spec.cloud`. */
  readonly before?: (site: Beginning) => Promise<object>;
}

/** A cluster of which nothing runs yet. */
export interface Beginning {
  readonly ground: QingGround;
  readonly kube: MemoryKube;
  readonly vxnet: SubnetId;
  readonly nodes: readonly TestNode[];
}

/** With two nodes in a vxnet of their own. */
export async function servedBed(wishes: Wishes): Promise<ServedBed> {
  const { ipam: first, hostNicType = 'veth', maxNic = 60, autoAssign = false, uncut } = wishes;
  await using building = new AsyncDisposableStack();
  const name = `fpqs${process.pid % 1000}-${++beds}`;
  const dir = mkdtempSync(join(tmpdir(), 'fpqs-'));
  building.defer(() => rmSync(dir, { recursive: true, force: true }));
  building.defer(() => {
    for (const netns of readdirSync(NAMED)) if (netns.startsWith(`${name}xp-`)) deleteNetns(netns);
  });
  const ground = building.use(await qingGround({}, { fabric: true, name }));
  await letEverythingIn(ground);
  const [own, vxnet] = [await ground.subnet('10.20.0.0/24', 'nodes'), await ground.subnet('10.20.1.0/24', 'pods')];
  const kube = memoryKube();
  const served = building.use(await serveKube(kube));
  const nodes: TestNode[] = [];
  for (const node of ['n1', 'n2']) {
    await ground.launch(node, own);
    nodes.push(await nodeOf({ ground, kube, served, dir, building, lab: `${name}x` }, node));
  }
  for (const namespace of ['kube-system', 'shop', 'db', 'web']) kube.put(resources.namespaces, { metadata: { name: namespace } });
  const ipam: ServedBed['ipam'] = (of) =>
    configMap(kube, IPAM, { 'subnet-auto-assign': autoAssign ? 'on' : 'off', ipam: JSON.stringify(of) });
  ipam(first(vxnet));
  const maxNicIs = (most: number): void => daemonSettings(kube, vxnet, most);
  maxNicIs(maxNic);
  let keys: Readonly<Record<string, unknown>> = { type: 'hostnic', hostNicType, serviceCIDR: '10.96.0.0/16' };
  const cni: ServedBed['cni'] = (more) => {
    keys = { ...keys, ...more };
    configMap(kube, 'hostnic-cfg-cm', { 'hostnic-cni': JSON.stringify(keys) });
  };
  cni({});
  if (uncut === undefined) cutPool(kube, vxnet);
  else kube.put(resources.vxNetPools, { metadata: { name: 'v-pool' }, spec: { vxnets: [{ name: vxnet }], blockSize: uncut } });
  const more = await wishes.before?.({ ground, kube, vxnet, nodes });
  const lines: string[] = [];
  building.use(await controller(ground, kube, lines, more));
  const truth = ground.driver();
  await Promise.all(nodes.map((node) => node.start()));
  const owned = building.move();
  let pods = 0;
  return {
    vxnet,
    nodes,
    ipam,
    maxNic: maxNicIs,
    cni,
    written: () => JSON.parse(asText(kube.stored({ ...configMaps, name: IPAM }))),
    ground,
    kube,
    lines,
    async pod(node, namespace, mtu) {
      const [pod, called] = [node.container(), `${namespace}-${++pods}`];
      const path = { ...resources.pods, namespace };
      kube.put(path, { metadata: { name: called, labels: {}, annotations: {} }, spec: { nodeName: node.name, containers: [] } });
      const env = { CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${called}` };
      const address = await eventually(
        `${called} has an address`,
        async () => (await node.add(pod, { env, config: { mtu } }))[0] ?? '',
        LIMIT_s,
      );
      return { ...pod, address };
    },
    async held({ name: node }, namespace) {
      const { status } = await kube.get({ ...resources.nodeNetworks, name: node }, readNodeNetwork);
      return (status?.nics ?? []).flatMap((nic) => viewFor(nic, `${vxnet}-${namespace}`).blocks);
    },
    async startAlone(node) {
      const alone = join(dir, 'kubeconfig-of-nobody');
      writeFileSync(alone, served.kubeconfig.replaceAll(`:${served.port}`, ':9'));
      await node.start({}, nodeConfig(node.name, alone));
    },
    nics: ({ name: node }) => truth.nics({ tags: { 'flatpod.dev/cluster': CLUSTER, 'flatpod.dev/node': node } }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A term of the controller, by the configuration that it would have in a file. */
async function controller({ endpoint, keys }: QingGround, kube: MemoryKube, lines: string[], more: object = {}): Promise<AsyncDisposable> {
  const cloud = { type: 'qingcloud', zone: 'pek3a', endpoint, credentialsFile: keys, ...more };
  const { spec: config } = controllerConfig.parse({
    apiVersion: 'flatpod.dev/v1alpha1',
    kind: 'ControllerConfig',
    metadata: { name: 'controller' },
    spec: { cluster: CLUSTER, cloud, hostnic: {} },
  });
  const over = new AbortController();
  const serving = Promise.withResolvers<void>();
  const term = lead({
    api: kube,
    config,
    candidate: 'test',
    term: 1,
    holdsFor_ms: () => 60_000,
    outrank: (later) => serving.reject(new Error(`term ${later} was there before`)),
    over: over.signal,
    serves: serving.resolve,
    log: createLog('test', 'info', (line) => lines.push(line)),
  });
  await Promise.race([serving.promise, term]);
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await term;
    },
  };
}

interface Room {
  readonly ground: QingGround;
  readonly kube: MemoryKube;
  readonly served: ServedKube;
  readonly dir: string;
  readonly lab: string;
  readonly building: AsyncDisposableStack;
}

/** As its Node says, with hostnic's annotation; the API server is reached on the node's loopback. */
async function nodeOf({ ground, kube, served, dir, lab, building }: Room, name: string): Promise<TestNode> {
  const { body } = await ground.vpc.call('GET', `/v1/instances?name=${name}`);
  const [machine] = body.items;
  const annotations = { 'node.beta.kubernetes.io/instance-id': `i-${String(machine.id).slice(-8)}` };
  const status = { conditions: [{ type: 'Ready', status: 'True' }] };
  kube.put(resources.nodes, { metadata: { name, labels: {}, annotations }, spec: {}, status });
  const kubeconfig = join(dir, 'kubeconfig');
  writeFileSync(kubeconfig, served.kubeconfig);
  building.use(await doorInto(machine.netns, served.port));
  const node = testNode(lab, { ...machine, name }, dir, nodeConfig(name, kubeconfig));
  building.defer(() => node.kill9());
  return node;
}

function nodeConfig(name: string, kubeconfig: string): string {
  return `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: ${name}}
spec: {node: ${name}, cluster: {kubeconfig: ${kubeconfig}}, cooldown_s: 0}
`;
}

function asText(stored: unknown): string {
  return (stored as { data: { ipam: string } }).data.ipam; // which ipam() wrote first
}

function configMap(kube: MemoryKube, name: string, data: Readonly<Record<string, string>>): void {
  kube.put(configMaps, { metadata: { name }, data });
}

function daemonSettings(kube: MemoryKube, vxnet: SubnetId, maxNic: number): void {
  configMap(kube, 'hostnic-cfg-cm', { hostnic: JSON.stringify({ pool: { maxNic, vxNets: [vxnet] } }) });
}

/** As hostnic's controller cuts it: four blocks, of which it keeps the first addresses and a tail of 12 from Pods. */
function cutPool(kube: MemoryKube, vxnet: SubnetId): void {
  const { pool, blocks } = cutByHostnic({ cidr: '10.20.1.0/24', range: ['10.20.1.2' as Ip, '10.20.1.242' as Ip], length: 26 });
  kube.put(resources.vxNetPools, {
    metadata: { name: 'v-pool' },
    spec: { vxnets: [{ name: vxnet }], blockSize: 26 },
    status: { ready: true, pools: [{ name: vxnet, ippool: vxnet, subnets: blocks.map(({ metadata }) => metadata.name) }] },
  });
  kube.put(resources.ipPools, { metadata: { name: vxnet }, spec: pool });
  for (const block of blocks) kube.put(resources.ipamBlocks, block);
}

async function letEverythingIn({ vpc }: QingGround): Promise<void> {
  const [group] = (await vpc.call('GET', '/v1/security-groups?name=default')).body.items;
  const rules = ['ingress', 'egress'].map((direction) => ({ direction, protocol: 'any', cidr: '0.0.0.0/0' }));
  assert.equal((await vpc.call('PUT', `/v1/security-groups/${group.id}/rules`, { rules })).status, 200);
}
