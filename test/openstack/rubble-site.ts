/**
 * What somebody has who runs rubble: a real OpenStack with a network for nodes and one for Pods, servers, a Kubernetes API server on one of them (real too;
 * there is no kubelet, whose place cnitool takes), and two nodes whose kernel has ipvlan.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Admin, admin } from '../cluster/admin.ts';
import { startPart } from '../cluster/control-plane.ts';
import { eventually } from '../cluster/eventually.ts';
import { machine } from '../cluster/machine.ts';
import { makePki, type Pki } from '../cluster/pki.ts';
import { rendered } from '../../scripts/helm.ts';
import { neutronFront } from '../../src/vpc/neutron/front.ts';
import type { GuestKernel } from '../guest/kernels.ts';
import { programs } from '../programs.ts';
import { testVpc } from '../vpc/support.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { as, endServer, launch, make, removeNetworks, type Session } from './client.ts';
import { type RubbleNode, rubbleNode } from './rubble-node.ts';

const NAME = `fprub${process.pid % 10_000}`;
const SERVICE_CIDR = '10.96.0.0/16';
const ACCOUNT = { name: 'flatpod-controller', namespace: 'kube-system' } as const;

/** A server of Nova's. */
export interface Server {
  readonly name: string;
  readonly id: string;
  /** Path of the namespace that stands for it. */
  readonly netns: string;
  readonly address: string;
}

/** All of it; it goes with the disposal. */
export interface RubbleSite extends AsyncDisposable {
  /** For files. */
  readonly dir: string;
  readonly bed: OpenStackBed;
  /** Whose network, ports and servers they are: an ordinary member of its project. */
  readonly demo: Session;
  readonly network: string;
  readonly subnet: string;
  readonly gateway: string;
  /** A virtual machine on the Pods' network. */
  readonly vm: Server;
  readonly nodes: readonly [RubbleNode, RubbleNode];
  readonly api: Admin;
  /** For agents: of an account with the rights of the chart's controller, which are an agent's too. */
  readonly kubeconfig: string;
  /** As administrator; its output. @throws Error with what it said. */
  kubectl(...args: readonly string[]): Promise<string>;
}

/** Builds it: two minutes on a busy machine. */
export async function rubbleSite(kernel: GuestKernel): Promise<RubbleSite> {
  await using open = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'fp-rubble-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  const bed = open.use(await openStackBed());
  const socket = join(dir, 'vpc.sock');
  const vpc = open.use(await testVpc({ name: NAME, listen: `unix:${socket}`, fabric: true, fronts: [neutronFront('127.0.0.1:0')] }));
  bed.setHook(vpc.frontUrls['neutron']);
  const [root, demo] = [await as(bed, 'admin'), await as(bed, 'demo')];
  const { subnets, servers } = await ownNetworks(root, demo, open);
  const server = (name: string): Server => servers.find((one) => one.name === name) ?? assert.fail(name);
  const control = await controlPlane(server('control'), dir, open);
  const ports = [bed.authUrl, demo.url('network') ?? '', demo.url('compute') ?? ''].map((url) => Number(new URL(url).port));
  const nodeOf = async (name: string): Promise<RubbleNode> => {
    const { id } = server(name);
    await register(control.api, name, id);
    return open.use(await rubbleNode({ ...server(name), apiSocket: socket, ports: [...new Set(ports)], kernel }));
  };
  const nodes = [await nodeOf('node-1'), await nodeOf('node-2')] as const;
  const all = open.move();
  return { dir, bed, demo, ...subnets, vm: server('vm'), nodes, ...control, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Networks of the member's own, and servers on them. */
async function ownNetworks(root: Session, demo: Session, open: AsyncDisposableStack) {
  const made = await root.compute('POST', '/flavors', { flavor: { name: 'node', ram: 64, vcpus: 1, disk: 1 } });
  // Another file on the same OpenStack may have made it.
  assert.ok([200, 409].includes(made.status), JSON.stringify(made.body));
  const networks = { nodes: (await make(demo, 'network', { name: 'nodes' })).id, pods: (await make(demo, 'network', { name: 'pods' })).id };
  const ids: string[] = [];
  open.defer(async () => {
    for (const id of ids) await endServer(demo, id);
    await removeNetworks(demo, Object.values(networks));
  });
  const subnetOf = (network: string, cidr: string, more: object = {}) =>
    make(demo, 'subnet', { network_id: network, ip_version: 4, cidr, enable_dhcp: false, ...more });
  await subnetOf(networks.nodes, '10.40.0.0/24');
  // Neutron gives at random: what rubble's Pods have, and is free for a moment when they move, is in no pool.
  const pools = [{ start: '10.30.0.64', end: '10.30.0.254' }];
  const { id: subnet, gateway_ip: gateway } = await subnetOf(networks.pods, '10.30.0.0/24', { allocation_pools: pools });
  const servers: Server[] = [];
  for (const [name, network] of Object.entries({
    control: networks.nodes,
    'node-1': networks.nodes,
    'node-2': networks.nodes,
    vm: networks.pods,
  })) {
    const port = await make(demo, 'port', { network_id: network, name });
    const id = await launch(demo, name, [port.id]);
    ids.push(id);
    servers.push({ name, id, netns: `/run/netns/${NAME}-${id.slice(0, 8)}`, address: port.fixed_ips[0].ip_address });
  }
  return { servers, subnets: { network: String(networks.pods), subnet: String(subnet), gateway: String(gateway) } };
}

/** etcd and the API server on that server; and what is in every cluster before Flatpod comes. */
async function controlPlane(at: Server, dir: string, open: AsyncDisposableStack) {
  const pki = makePki({ dir: join(dir, 'pki'), api: at.address, service: '10.96.0.1', nodes: [] });
  const on = machine({ name: at.name, netns: at.netns, dir: join(dir, at.name), nameserver: '10.96.0.10' });
  open.defer(() => on.powerOff());
  await on.powerOn();
  const plan = { machine: on, address: at.address, pki, serviceCidr: SERVICE_CIDR, podCidr: '10.30.0.0/24' };
  const api = open.use(admin(at.netns, at.address, pki));
  await startPart(plan, 'etcd');
  await startPart(plan, 'kube-apiserver');
  await eventually('the API server is ready', () => api.text('/readyz'), 90);
  const kubectl = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await on.run([programs.kube('kubectl'), `--kubeconfig=${pki.kubeconfig('admin')}`, ...args]);
    assert.equal(status, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  for (const namespace of ['shop', ACCOUNT.namespace]) {
    await eventually(`namespace ${namespace}`, async () => {
      const there = await api.list('/api/v1/namespaces');
      if (!there.some(({ metadata }) => metadata.name === namespace)) await kubectl('create', 'namespace', namespace);
    });
  }
  // The controller manager would make it; without it no Pod may be created.
  await kubectl('create', 'serviceaccount', 'default', '-n', 'shop');
  return { api, kubectl, kubeconfig: await accountOf(dir, at.address, pki, kubectl) };
}

/** The chart's rights and nothing else of it, and a kubeconfig of the controller's account. */
async function accountOf(dir: string, api: string, pki: Pki, kubectl: RubbleSite['kubectl']): Promise<string> {
  const { name, namespace } = ACCOUNT;
  const [rights, kubeconfig] = [join(dir, 'rights.yaml'), join(dir, 'flatpod.kubeconfig')];
  writeFileSync(rights, rendered({ cluster: 'office', cloud: { type: 'openstack' } }, '--show-only', 'templates/rights.yaml'));
  await kubectl('apply', '-f', rights);
  const token = (await kubectl('create', 'token', name, '-n', namespace, '--duration=8h')).trim();
  const authority = readFileSync(pki.file('ca.crt')).toString('base64');
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'office', cluster: { server: `https://${api}:6443`, 'certificate-authority-data': authority } }],
    users: [{ name, user: { token } }],
    contexts: [{ name: 'office', context: { cluster: 'office', user: name } }],
    'current-context': 'office',
  };
  writeFileSync(kubeconfig, JSON.stringify(content), { mode: 0o600 });
  return kubeconfig;
}

/** As the kubelet and a cloud's controller would. */
async function register(api: Admin, name: string, server: string): Promise<void> {
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { providerID: `openstack:///${server}` } };
  await api.ask('POST', '/api/v1/nodes', node);
  const conditions = [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' }];
  await api.ask('PATCH', `/api/v1/nodes/${name}/status`, { status: { conditions } });
}
