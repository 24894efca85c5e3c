/** A pool of nodes whose Pods are on macvlan, beside nodes whose Pods are routed: one Deployment over both, Services of each kind, a node that joins the pool. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { eventually } from './eventually.ts';
import { type Checker, watchAddresses } from './checker.ts';
import { addressesOf, type PodObject } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import { applySubnets, untilNodesKnow } from './flatpod.ts';
import {
  answersIn,
  hostIn,
  inPod,
  manifest,
  namespaceFor,
  outside,
  podsIn,
  service,
  shellPod,
  untilReady,
  webPod,
  workload,
} from './life-parts.ts';
import { sharedCluster } from './shared.ts';

const NS = 'pool';
const LABEL = 'pool';
const [NODE_PORT, LOCAL_PORT, EXTERNAL_PORT] = [30_281, 30_282, 8281];
/** In a Service's answers every endpoint is seen, or asked for again. */
const ASKED = 12;

test('a pool of nodes is on macvlan, the others route: one Deployment over both', async (t) => {
  const cluster = await sharedCluster();
  await using checker = watchAddresses(cluster);
  await namespaceFor(t, cluster, NS);
  await makePools(t, cluster);
  await cluster.apply(workloads(cluster));
  await untilReady(cluster, NS, 'web', 4);
  await untilReady(cluster, NS, 'client', 2);

  await t.test('the node decides: macvlan Pods in the pool, routed ones beside it', async () => {
    for (const client of await podsIn(cluster, NS, 'client')) assert.equal(await kindOf(cluster, client), kindOn(cluster, client));
  });
  await t.test('Pods of both reach each other and themselves, under their own addresses, and nodes reach all', () =>
    reachEachOther(cluster),
  );
  await t.test('ClusterIP, a name, a headless Service and an external address lead Pods of both to Pods of both', () =>
    servicesLead(cluster),
  );
  await t.test('node ports lead from outside to Pods of both; Local ones keep the address of the client', () => nodePortsLead(cluster));
  await t.test('a node that joins the pool: its Pods go on as they are, new ones are on macvlan', () => joins(cluster, checker));
  await t.test('when all are deleted nothing is left', async () => {
    await cluster.kubectl('delete', 'all', '--all', '-n', NS, '--wait=false');
    await eventually('all Pods are gone', async () => (await podsIn(cluster, NS)).length === 0, 90);
    for (const node of cluster.nodes)
      await eventually('no service veth is left', async () => !(await node.output('ip', '-br', 'link')).includes('fpn'));
    checker.check();
  });
});

/** Two PodSubnets over one subnet of the VPC: the nodes' labels choose. */
async function makePools(t: TestContext, cluster: Cluster): Promise<void> {
  const pool = cluster.node(1).name;
  const common = { cloudSubnet: cluster.vpc.lab.subnets.get('pods')?.id, namespaces: [NS], warm: { spare: 1 } };
  t.after(async () => {
    await cluster.kubectl('label', 'node', '--all', `${LABEL}-`);
    await cluster.kubectl('delete', 'psn', `${NS}-link`, `${NS}-veth`, '--ignore-not-found');
  });
  await cluster.kubectl('label', 'node', pool, `${LABEL}=macvlan`);
  await applySubnets(cluster, {
    [`${NS}-link`]: { ...common, nodeSelector: { matchLabels: { [LABEL]: 'macvlan' } }, datapath: 'macvlan', useFirstNic: false },
    [`${NS}-veth`]: { ...common, nodeSelector: { matchExpressions: [{ key: LABEL, operator: 'NotIn', values: ['macvlan'] }] } },
  });
  await untilNodesKnow(cluster, `${NS}-link`, [pool]);
  await untilNodesKnow(cluster, `${NS}-veth`, [cluster.node(0).name]);
}

function workloads(cluster: Cluster): string {
  const spread = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { app: 'web' } },
  };
  const selector = { app: 'web' };
  const port = (number: number, more: object = {}): object => ({ ports: [{ port: number, targetPort: 8080, ...more }] });
  return manifest(
    workload('Deployment', NS, 'web', webPod({ topologySpreadConstraints: [spread] }), { replicas: 4 }),
    workload('DaemonSet', NS, 'client', shellPod('sleep 100000')),
    service(NS, 'all', { selector, ...port(80) }),
    service(NS, 'names', { selector, clusterIP: 'None', ...port(8080) }),
    service(NS, 'anywhere', { type: 'NodePort', selector, ...port(80, { nodePort: NODE_PORT }) }),
    service(NS, 'local', { type: 'NodePort', externalTrafficPolicy: 'Local', selector, ...port(80, { nodePort: LOCAL_PORT }) }),
    service(NS, 'external', { selector, externalIPs: [cluster.node(0).address], ...port(EXTERNAL_PORT) }),
  );
}

/** How the Pod is on its network, as it sees it itself. */
async function kindOf(cluster: Cluster, { metadata }: PodObject): Promise<string> {
  const link = await inPod(cluster, NS, metadata.name, 'ip -d link show eth0');
  return /\b(macvlan|veth)\b/.exec(link)?.[1] ?? link;
}

function kindOn(cluster: Cluster, { spec }: PodObject): string {
  return spec.nodeName === cluster.node(1).name ? 'macvlan' : 'veth';
}

async function reachEachOther(cluster: Cluster): Promise<void> {
  const [clients, web] = [await podsIn(cluster, NS, 'client'), await podsIn(cluster, NS, 'web')];
  const urls = web.map((pod) => `http://${addressesOf(pod)[0] ?? ''}:8080`);
  for (const client of clients) {
    const seen = await answersIn(
      cluster,
      NS,
      client.metadata.name,
      urls.map((url) => `${url}/clientip`),
    );
    assert.deepEqual(
      seen.map(hostIn),
      web.flatMap(() => addressesOf(client)),
      `${client.metadata.name} is seen as itself`,
    );
  }
  const [self] = web.filter((pod) => kindOn(cluster, pod) === 'macvlan');
  assert.ok(self);
  const own = await answersIn(cluster, NS, self.metadata.name, [`http://${addressesOf(self)[0] ?? ''}:8080/hostname`]);
  assert.deepEqual(own, [self.metadata.name]);
  for (const node of cluster.nodes)
    for (const [i, url] of urls.entries())
      assert.equal((await node.output('curl', '-s', '--max-time', '20', `${url}/hostname`)).trim(), web[i]?.metadata.name, node.name);
}

async function servicesLead(cluster: Cluster): Promise<void> {
  const web = await podsIn(cluster, NS, 'web');
  const names = web.map(({ metadata }) => metadata.name).toSorted();
  for (const client of await podsIn(cluster, NS, 'client')) {
    for (const url of ['http://all', `http://${cluster.node(0).address}:${EXTERNAL_PORT}`]) {
      const seen = new Set<string>();
      await eventually(
        `${client.metadata.name} reaches all endpoints by ${url}`,
        async () => {
          const answers = await answersIn(cluster, NS, client.metadata.name, Array<string>(ASKED).fill(`${url}/hostname`));
          for (const one of answers) if (one !== '') seen.add(one);
          assert.deepEqual([...seen].toSorted(), names, `answers: ${answers.join(' ')}`);
        },
        30,
      );
    }
    await eventually(`${client.metadata.name} is told the addresses of all`, async () => {
      const found = await inPod(cluster, NS, client.metadata.name, `dig +short +time=5 names.${NS}.svc.cluster.local`);
      assert.deepEqual(found.split('\n').toSorted(), web.flatMap(addressesOf).toSorted());
    });
  }
}

async function nodePortsLead(cluster: Cluster): Promise<void> {
  const [client = ''] = machineOf(cluster.vpc.lab, 'outside').addresses;
  const web = await podsIn(cluster, NS, 'web');
  for (const { name, address } of cluster.nodes) {
    const seen = new Set<string>();
    await eventually(
      `the NodePort of ${name} leads to every Pod`,
      async () => seen.add(await outside(cluster, `http://${address}:${NODE_PORT}/hostname`)).size === web.length,
      40,
    );
    await eventually(
      `the Local NodePort of ${name} keeps the address of the client`,
      async () => assert.equal(hostIn(await outside(cluster, `http://${address}:${LOCAL_PORT}/clientip`)), client),
      20,
    );
    const local = web.filter(({ spec }) => spec.nodeName === name).map(({ metadata }) => metadata.name);
    const at = await outside(cluster, `http://${address}:${LOCAL_PORT}/hostname`);
    assert.ok(local.includes(at), `${at} runs on ${name}`);
  }
}

async function joins(cluster: Cluster, checker: Checker): Promise<void> {
  const joining = cluster.node(0).name;
  const before = await podsIn(cluster, NS);
  await cluster.kubectl('label', 'node', joining, `${LABEL}=macvlan`);
  await untilNodesKnow(cluster, `${NS}-link`);
  const [old] = before.filter(({ spec, metadata }) => spec.nodeName === joining && metadata.labels?.['app'] === 'client');
  assert.ok(old);
  assert.equal(await kindOf(cluster, old), 'veth');
  await cluster.kubectl('-n', NS, 'rollout', 'restart', 'deployment/web');
  const uids = new Set(before.map(({ metadata }) => metadata.uid));
  const web = await eventually(
    'all Pods of the Deployment are new',
    async () => {
      const pods = await untilReady(cluster, NS, 'web', 4, 1);
      assert.ok(pods.every(({ metadata }) => !uids.has(metadata.uid)));
      return pods;
    },
    120,
  );
  const urls = web.map((pod) => `http://${addressesOf(pod)[0] ?? ''}:8080/hostname`);
  for (const pod of web) assert.equal(await kindOf(cluster, pod), 'macvlan', pod.metadata.name);
  for (const client of await podsIn(cluster, NS, 'client'))
    assert.deepEqual(
      await answersIn(cluster, NS, client.metadata.name, urls),
      web.map(({ metadata }) => metadata.name),
      `${client.metadata.name}, of the time before, reaches the new ones`,
    );
  checker.check();
}
