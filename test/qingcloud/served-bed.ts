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
import { controllerConfig } from '../../src/store/controller-config.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { type Container, eventually, testNode, type TestNode } from '../life/lab.ts';
import { memoryKube, type MemoryKube } from '../store/memory-kube.ts';
import { type ServedKube, serveKube } from '../store/served-kube.ts';
import { type QingGround, qingGround } from './ground.ts';

const CLUSTER = 'served';
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
  /** A Pod that the scheduler put there; waits for its address. */
  pod(node: TestNode, namespace: string): Promise<Served>;
  /** NICs of the node that the controller made, as the cloud has them. */
  nics(node: TestNode): Promise<CloudNic[]>;
  /** What the controller logged. */
  readonly lines: readonly string[];
}

/** hostnic's name of a quarter of the vxnet, by its last octet. */
export const blockOf = (from: number): string => `4100-10-20-1-${from}-26`;

export interface Wishes {
  readonly ipam: (vxnet: SubnetId) => Readonly<Record<string, readonly string[]>>;
  readonly hostNicType?: 'veth' | 'passthrough';
  readonly maxNic?: number;
}

/** With two nodes in a vxnet of their own. */
export async function servedBed({ ipam: first, hostNicType = 'veth', maxNic = 60 }: Wishes): Promise<ServedBed> {
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
  const ipam: ServedBed['ipam'] = (of) => configMap(kube, 'hostnic-ipam-config', { ipam: JSON.stringify(of) });
  ipam(first(vxnet));
  const most = (is: number): void => settings(kube, { vxnet, hostNicType, maxNic: is });
  most(maxNic);
  const lines: string[] = [];
  building.use(await controller(ground, kube, lines));
  const truth = ground.driver();
  await Promise.all(nodes.map((node) => node.start()));
  const owned = building.move();
  let pods = 0;
  return {
    vxnet,
    nodes,
    ipam,
    maxNic: most,
    lines,
    async pod(node, namespace) {
      const [pod, called] = [node.container(), `${namespace}-${++pods}`];
      const path = { ...resources.pods, namespace };
      kube.put(path, { metadata: { name: called, labels: {}, annotations: {} }, spec: { nodeName: node.name, containers: [] } });
      const env = { CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${called}` };
      const address = await eventually(`${called} has an address`, async () => (await node.add(pod, { env }))[0] ?? '', 40);
      return { ...pod, address };
    },
    nics: ({ name: node }) => truth.nics({ tags: { 'flatpod.dev/cluster': CLUSTER, 'flatpod.dev/node': node } }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A term of the controller, by the configuration that it would have in a file. */
async function controller({ endpoint, keys }: QingGround, kube: MemoryKube, lines: string[]): Promise<AsyncDisposable> {
  const cloud = { type: 'qingcloud', zone: 'pek3a', endpoint, credentialsFile: keys };
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
  const yaml = `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: ${name}}
spec: {node: ${name}, cluster: {kubeconfig: ${kubeconfig}}, cooldown_s: 0}
`;
  const node = testNode(lab, { ...machine, name }, dir, yaml);
  building.defer(() => node.kill9());
  return node;
}

function configMap(kube: MemoryKube, name: string, data: Readonly<Record<string, string>>): void {
  kube.put({ ...resources.configMaps, namespace: 'kube-system' }, { metadata: { name }, data });
}

function settings(kube: MemoryKube, { vxnet, hostNicType, maxNic }: { vxnet: SubnetId; hostNicType: string; maxNic: number }): void {
  configMap(kube, 'hostnic-cfg-cm', {
    hostnic: JSON.stringify({ pool: { maxNic, vxNets: [vxnet] } }),
    'hostnic-cni': JSON.stringify({ type: 'hostnic', hostNicType, serviceCIDR: '10.96.0.0/16' }),
  });
  kube.put(resources.vxNetPools, {
    metadata: { name: 'v-pool' },
    spec: { vxnets: [{ name: vxnet }], blockSize: 26 },
    status: { ready: true, pools: [{ name: vxnet, ippool: vxnet, subnets: [0, 64, 128, 192].map(blockOf) }] },
  });
  kube.put(resources.ipPools, { metadata: { name: vxnet }, spec: { type: 'local', cidr: '10.20.1.0/24' } });
}

async function letEverythingIn({ vpc }: QingGround): Promise<void> {
  const [group] = (await vpc.call('GET', '/v1/security-groups?name=default')).body.items;
  const rules = ['ingress', 'egress'].map((direction) => ({ direction, protocol: 'any', cidr: '0.0.0.0/0' }));
  assert.equal((await vpc.call('PUT', `/v1/security-groups/${group.id}/rules`, { rules })).status, 200);
}
