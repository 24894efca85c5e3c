/**
 * Nodes without a cloud: Pods are on macvlan on the nodes' second network, with addresses of a range that the nodes share. Services of each kind, a controller
 * that is killed, a node that dies with addresses that others need.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { eventually } from './eventually.ts';
import type { KubeObject } from './admin.ts';
import { lan } from './bridge-underlay.ts';
import { type Checker, watchAddresses } from './checker.ts';
import { addressesOf, nicsOf, type PodObject } from './checker-views.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { leaderOf, processOn, untilAnotherLeads } from './faults-processes.ts';
import { installFlatpod, untilNodesKnow } from './flatpod.ts';
import { byOtherPlugins } from './other-plugins.ts';
import {
  answersIn,
  hostIn,
  inPod,
  manifest,
  onePod,
  outside,
  podsIn,
  service,
  shellPod,
  untilReady,
  webPod,
  workload,
} from './life-parts.ts';

const NS = 'bare';
const [NODE_PORT, LOCAL_PORT, EXTERNAL_PORT] = [30_381, 30_382, 8381];
/** So many addresses the range has, from .16 on. */
const RANGE = 40;
const range = {
  parent: lan.parent,
  ipv4: { cidr: lan.cidr4, first: '10.20.224.16', last: `10.20.224.${16 + RANGE - 1}`, gateway: lan.router4 },
  ipv6: { cidr: lan.cidr6 },
};
/** In a Service's answers every endpoint is seen, or asked for again. */
const ASKED = 24;

test('nodes without a cloud: Pods on macvlan in a range that the nodes share', async (t) => {
  const cluster = await startCluster({ nodes: 3, lan: true, dns: true, proxy: 'iptables' });
  t.after(() => cluster[Symbol.asyncDispose]());
  const subnet = { range, families: [4, 6], datapath: 'macvlan', default: true, warm: { spare: 1 } };
  await installFlatpod(cluster, { subnets: { lan: subnet }, values: { log: 'debug' } });
  await untilNodesKnow(cluster, 'lan');
  await using checker = watchAddresses(cluster);
  await cluster.kubectl('create', 'namespace', NS);
  await eventually('its service account is there', () => cluster.kubectl('-n', NS, 'get', 'serviceaccount', 'default'), 30);
  await cluster.apply(workloads(cluster));

  await t.test(
    'Pods of every node are on the network, each with an address of the range; the kubelets reach them, and tell the sound from the broken',
    () => standsRight(cluster),
  );
  await t.test('Pods of all nodes, nodes and a machine of that network reach each other in both families', () => reachEachOther(cluster));
  await t.test('Services of each kind lead to Pods of all nodes, from Pods, nodes and outside', () => servicesLead(cluster));
  await t.test('a Pod by the reference plugin macvlan has an address of the same range, and reaches Pods, Services and its host', () =>
    byOtherPlugins(cluster, NS, 'lan'),
  );
  await t.test('agents are killed, then the controller that leads: Pods go on, and others start', () => killed(cluster, checker));
  await t.test('as many Pods run as there are addresses: what nodes hold idle is called in', () => fits(cluster));
  await t.test('a node dies and its Node is deleted: as long as nobody says that it is off, its addresses are nobody else’s', (inner) =>
    dies(inner, cluster),
  );
  checker.check();
  t.diagnostic(`the checker looked ${checker.seen.looks} times and saw ${checker.seen.addresses} addresses of Pods`);
});

function workloads(cluster: Cluster): string {
  const selector = { app: 'web' };
  const port = (number: number, more: object = {}): object => ({ ports: [{ port: number, targetPort: 8080, ...more }] });
  const broken = { readinessProbe: { httpGet: { path: '/hostname', port: 8090 }, periodSeconds: 1 } };
  const sound = { livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 2 } };
  return manifest(
    workload('DaemonSet', NS, 'web', webPod({}, sound)),
    workload('DaemonSet', NS, 'client', shellPod('sleep 100000')),
    onePod(NS, 'broken', webPod({ nodeName: cluster.node(0).name }, broken)),
    workload('Deployment', NS, 'load', shellPod('sleep 100000'), { replicas: 4 }),
    service(NS, 'all', { selector, ...port(80) }),
    service(NS, 'names', { selector, clusterIP: 'None', ...port(8080) }),
    service(NS, 'anywhere', { type: 'NodePort', selector, ...port(80, { nodePort: NODE_PORT }) }),
    service(NS, 'local', { type: 'NodePort', externalTrafficPolicy: 'Local', selector, ...port(80, { nodePort: LOCAL_PORT }) }),
    service(NS, 'external', { selector, externalIPs: [cluster.node(0).address], ...port(EXTERNAL_PORT) }),
  );
}

async function standsRight(cluster: Cluster): Promise<void> {
  const web = await untilReady(cluster, NS, 'web', 3, 120);
  const clients = await untilReady(cluster, NS, 'client', 3);
  const load = await untilReady(cluster, NS, 'load', 4);
  for (const pod of [...web, ...clients, ...load]) {
    const [four = '', six = ''] = addressesOf(pod);
    const last = Number(/^10\.20\.224\.(\d+)$/.exec(four)?.[1]);
    assert.ok(last >= 16 && last < 16 + RANGE, `${pod.metadata.name} has ${four}`);
    assert.match(six, /^fd00:20:224:/);
  }
  for (const { metadata } of clients) {
    const links = await inPod(cluster, NS, metadata.name, 'ip -d link show eth0; ip -br link');
    assert.match(links, /macvlan mode bridge/);
    assert.match(links, /^node0/m);
  }
  await eventually('the broken one runs, and is not ready', async () => {
    const [broken] = await podsIn(cluster, NS, 'broken');
    assert.equal(broken?.status.phase, 'Running');
    assert.equal(broken.status.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
  });
}

async function reachEachOther(cluster: Cluster): Promise<void> {
  const [web, clients] = [await podsIn(cluster, NS, 'web'), await podsIn(cluster, NS, 'client')];
  for (const client of clients) {
    const own = addressesOf(client);
    const urls = web.flatMap((pod) => addressesOf(pod).map((ip) => `http://${ip.includes(':') ? `[${ip}]` : ip}:8080/clientip`));
    const seen = (await answersIn(cluster, NS, client.metadata.name, urls)).map((one) => hostIn(one).replaceAll(/[[\]]/g, ''));
    assert.deepEqual(
      seen,
      web.flatMap(() => own),
      `${client.metadata.name} is seen as itself by all Pods`,
    );
    // One answer is enough; who answers, or the neighbour that is asked for first, may be held up.
    const to = ['ping', '-c', '3', '-W', '10'];
    await inPod(cluster, NS, client.metadata.name, `${to.join(' ')} ${lan.desk4} && ${to.join(' ')} -6 ${lan.desk6}`);
  }
  for (const pod of web) {
    const [four = '', six = ''] = addressesOf(pod);
    for (const host of [four, `[${six}]`]) {
      const seen = await outside(cluster, `http://${host}:8080/clientip`);
      assert.match(seen, host === four ? /^10\.20\.224\.250:/ : /^\[fd00:20:224::fa\]:/, 'the desk is seen as itself');
    }
    for (const node of cluster.nodes)
      assert.equal((await node.output('curl', '-s', '--max-time', '20', `http://${four}:8080/hostname`)).trim(), pod.metadata.name);
  }
}

async function killed(cluster: Cluster, checker: Checker): Promise<void> {
  for (const node of cluster.nodes) process.kill(processOn(node, 'agent'), 'SIGKILL');
  const leader = await eventually('somebody leads', () => leaderOf(cluster), 60);
  process.kill(leader.pid, 'SIGKILL');
  await scale(cluster, 10);
  await untilAnotherLeads(cluster, leader);
  await untilReady(cluster, NS, 'load', 10, 120);
  await reachEachOther(cluster);
  checker.check();
}

interface NodeNetworkObject extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly reason: string; readonly message: string }[] };
}

/** What the ledger says that each node has, of IPv4. */
async function held(cluster: Cluster): Promise<Map<string, number>> {
  const shares = (await nicsOf(cluster)).map(({ attachment, blocks }) => {
    const sizes = blocks.filter((block) => !block.includes(':')).map((block) => 2 ** (32 - Number(block.split('/')[1])));
    return [attachment?.instance ?? '', sizes.reduce((sum, one) => sum + one, 0)] as const;
  });
  return new Map(shares.filter(([, count]) => count > 0));
}

async function dies(t: TestContext, cluster: Cluster): Promise<void> {
  const node = cluster.node(2);
  const { name } = node;
  const had = (await held(cluster)).get(name) ?? 0;
  assert.ok(had >= 2, `${name} has ${had}`);
  await node.powerOff();
  // What an administrator does who has no hope for it.
  await cluster.kubectl('delete', 'node', name);
  for (const namespace of [NS, 'kube-system']) {
    const pods = await cluster.kubectl('-n', namespace, 'get', 'pods', '-o', 'name', '--field-selector', `spec.nodeName=${name}`);
    if (pods !== '')
      await cluster.kubectl('-n', namespace, 'delete', '--force', '--grace-period=0', '--ignore-not-found', ...pods.trim().split('\n'));
  }
  const running = async (): Promise<number> => (await usedBy(cluster)).size;
  await eventually('all others are used', async () => assert.equal(await running(), RANGE - had), 120);
  await eventually(
    'its NodeNetwork says what to do',
    async () => {
      const { status } = await cluster.admin.ask<NodeNetworkObject>('GET', `/apis/flatpod.dev/v1alpha1/nodenetworks/${name}`);
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      assert.equal(ready?.reason, 'NodeGone');
      assert.match(ready?.message ?? '', new RegExp(`kubectl delete nodenetwork ${name}$`));
    },
    60,
  );
  assert.equal((await held(cluster)).get(name), had, 'what it had is still its own');
  // On a busy machine one that ran on the dead node may have been counted before instead of one that comes later.
  await eventually(
    'the others are used still, and the Pods that wait for more wait on',
    async () => assert.equal(await running(), RANGE - had),
    60,
  );
  t.diagnostic(`${name} took ${had} addresses with it`);
}

/** IPv4 addresses of Pods. */
async function usedBy(cluster: Cluster): Promise<Set<string>> {
  const pods = await cluster.admin.list<PodObject>('/api/v1/pods');
  const own = pods.filter(({ spec }) => spec.hostNetwork !== true).flatMap(addressesOf);
  return new Set(own.filter((address) => !address.includes(':')));
}

async function servicesLead(cluster: Cluster): Promise<void> {
  const web = await podsIn(cluster, NS, 'web');
  const names = web.map(({ metadata }) => metadata.name).toSorted();
  for (const client of await podsIn(cluster, NS, 'client')) {
    const at = client.metadata.name;
    for (const url of [
      'http://all',
      `http://${cluster.node(0).address}:${EXTERNAL_PORT}`,
      `http://${cluster.node(1).address}:${NODE_PORT}`,
    ])
      await eventually(
        `${at} reaches all endpoints by ${url}`,
        async () => {
          const answers = await answersIn(cluster, NS, at, Array<string>(ASKED).fill(`${url}/hostname`));
          assert.deepEqual([...new Set(answers)].toSorted(), names);
        },
        40,
      );
    await eventually(`${at} is told the addresses of all`, async () => {
      const found = await inPod(cluster, NS, at, `dig +short +time=5 names.${NS}.svc.cluster.local`);
      assert.deepEqual(found.split('\n').toSorted(), web.map((pod) => addressesOf(pod)[0] ?? '').toSorted());
    });
  }
  const { spec } = await cluster.admin.ask<{ spec: { clusterIP: string } }>('GET', `/api/v1/namespaces/${NS}/services/all`);
  for (const node of cluster.nodes) {
    const { name, address } = node;
    const [local] = web.filter((pod) => pod.spec.nodeName === name);
    await eventually(`${name} leads to them`, async () => {
      assert.ok(
        names.includes((await node.output('curl', '-s', '--max-time', '3', `http://${spec.clusterIP}/hostname`)).trim()),
        'ClusterIP',
      );
      assert.ok(names.includes(await outside(cluster, `http://${address}:${NODE_PORT}/hostname`)), 'NodePort');
      assert.equal(await outside(cluster, `http://${address}:${LOCAL_PORT}/hostname`), local?.metadata.name);
      assert.equal(hostIn(await outside(cluster, `http://${address}:${LOCAL_PORT}/clientip`)), lan.desk4, 'the client keeps its address');
    });
  }
  const external = `http://${cluster.node(0).address}:${EXTERNAL_PORT}/hostname`;
  await eventually('the external address leads to them', async () => names.includes(await outside(cluster, external)));
}

/** Some Pods too many: those are on no node. */
async function fits(cluster: Cluster): Promise<void> {
  await scale(cluster, RANGE);
  await eventually('every address is used', async () => assert.equal((await usedBy(cluster)).size, RANGE), 120);
  const others = (await podsIn(cluster, NS, 'load')).filter((pod) => addressesOf(pod).length === 0);
  for (const { metadata, spec } of others) assert.equal(spec.nodeName, undefined, metadata.name);
}

async function scale(cluster: Cluster, replicas: number): Promise<void> {
  await cluster.kubectl('-n', NS, 'scale', 'deployment/load', `--replicas=${replicas}`);
}
