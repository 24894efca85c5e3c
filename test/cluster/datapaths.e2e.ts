/** Pods of every datapath that this machine's kernel has, in one cluster, on the same nodes: Deployments, Services of each kind, probes, names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { eventually } from './eventually.ts';
import { watchAddresses } from './checker.ts';
import { addressesOf, type PodObject } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import { applySubnets, untilNodesKnow } from './flatpod.ts';
import {
  answersIn,
  hostIn,
  inPod,
  manifest,
  namespaceFor,
  onePod,
  outside,
  podsIn,
  service,
  shellPod,
  untilReady,
  webPod,
  workload,
} from './life-parts.ts';
import { sharedCluster } from './shared.ts';

/** Both endpoints are seen in so many answers, or they are asked for again. */
const ASKED = 8;
const datapaths = { 'by-veth': 'routed-veth', 'by-macvlan': 'macvlan', 'by-nic': 'nic' } as const;
type Namespace = keyof typeof datapaths;
const ports: Record<Namespace, { readonly node: number; readonly local: number }> = {
  'by-veth': { node: 30_181, local: 30_191 },
  'by-macvlan': { node: 30_182, local: 30_192 },
  'by-nic': { node: 30_183, local: 30_193 },
};
const namespaces = Object.keys(datapaths) as Namespace[]; // the keys of the object above and no others

test('a Deployment through each datapath, reached by Services of each kind from Pods of all datapaths, nodes and machines outside', async (t) => {
  const cluster = await sharedCluster();
  await using checker = watchAddresses(cluster);
  const cloudSubnet = cluster.vpc.lab.subnets.get('pods')?.id;
  for (const ns of namespaces) {
    await namespaceFor(t, cluster, ns);
    t.after(() => cluster.kubectl('delete', 'psn', ns, '--ignore-not-found'));
    await applySubnets(cluster, {
      [ns]: { cloudSubnet, namespaces: [ns], datapath: datapaths[ns], useFirstNic: false, warm: { spare: 1 }, perNode: { maximum: 16 } },
    });
    await untilNodesKnow(cluster, ns);
    await cluster.apply(workloadsIn(cluster, ns));
  }
  for (const ns of namespaces) {
    await untilReady(cluster, ns, 'web', 2);
    await untilReady(cluster, ns, 'client', 2);
  }
  for (const ns of namespaces) {
    await t.test(`${datapaths[ns]}: Pods stand where their datapath puts them`, () => standsRight(cluster, ns));
    await t.test(`${datapaths[ns]}: a ClusterIP and a name lead Pods of every datapath and nodes to every endpoint`, () =>
      clusterIpLeads(cluster, ns),
    );
    await t.test(`${datapaths[ns]}: a NodePort answers on every node, and one that is Local keeps the client's address`, () =>
      nodePortAnswers(cluster, ns),
    );
    await t.test(`${datapaths[ns]}: Pods reach each other under their own addresses`, () => podsReachPods(cluster, ns));
  }
  await t.test('a rolling update goes through on each', async () => {
    for (const ns of namespaces) await cluster.kubectl('-n', ns, 'rollout', 'restart', 'deployment/web');
    for (const ns of namespaces) await cluster.kubectl('-n', ns, 'rollout', 'status', 'deployment/web', '--timeout=120s');
  });
  await t.test('when all are deleted nothing is left', async () => {
    for (const ns of namespaces) await cluster.kubectl('delete', 'all', '--all', '-n', ns, '--wait=false');
    for (const ns of namespaces) await eventually('all Pods are gone', async () => (await podsIn(cluster, ns)).length === 0, 120);
    for (const node of cluster.nodes)
      await eventually('no service veth is left', async () => !(await node.output('ip', '-br', 'link')).includes('fpn'));
    checker.check();
  });
});

/** Two Pods that answer, one a node; a client on each node; a Service of each kind. */
function workloadsIn(cluster: Cluster, ns: Namespace): string {
  const affinity = {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app: 'web' } }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  };
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
  const selector = { app: 'web' };
  const port = (more: object = {}): object => ({ ports: [{ port: 80, targetPort: 8080, ...more }] });
  const clients = cluster.nodes.map(({ name }) => ({
    ...onePod(ns, `client-${name}`, shellPod('sleep 100000', { nodeName: name })),
    metadata: { namespace: ns, name: `client-${name}`, labels: { app: 'client' } },
  }));
  return manifest(
    workload('Deployment', ns, 'web', webPod({ affinity }), { replicas: 2, strategy }),
    ...clients,
    service(ns, 'both', { selector, ...port() }),
    service(ns, 'anywhere', { type: 'NodePort', selector, ...port({ nodePort: ports[ns].node }) }),
    service(ns, 'local', { type: 'NodePort', externalTrafficPolicy: 'Local', selector, ...port({ nodePort: ports[ns].local }) }),
  );
}

async function standsRight(cluster: Cluster, ns: Namespace): Promise<void> {
  const links = await inPod(cluster, ns, 'client-n1', 'ip -d link show eth0; ip -br link');
  if (ns === 'by-macvlan') assert.match(links, /macvlan mode bridge/);
  assert.equal(links.includes('node0'), ns !== 'by-veth', links);
}

async function clusterIpLeads(cluster: Cluster, ns: Namespace): Promise<void> {
  const web = (await podsIn(cluster, ns, 'web')).map(({ metadata }) => metadata.name).toSorted();
  const urls = Array<string>(ASKED).fill(`http://both.${ns}/hostname`);
  for (const from of namespaces)
    for (const { metadata } of await podsIn(cluster, from, 'client')) {
      const seen = new Set<string>();
      await eventually(
        `${from}/${metadata.name} reaches both endpoints of ${ns}`,
        async () => {
          for (const one of await answersIn(cluster, from, metadata.name, urls)) if (one !== '') seen.add(one);
          assert.deepEqual([...seen].toSorted(), web);
        },
        40,
      );
    }
  const { spec } = await cluster.admin.ask<{ spec: { clusterIP: string } }>('GET', `/api/v1/namespaces/${ns}/services/both`);
  for (const node of cluster.nodes) {
    const said = await node.output('curl', '-s', '--max-time', '20', `http://${spec.clusterIP}/hostname`);
    assert.ok(web.includes(said.trim()), said);
  }
}

async function nodePortAnswers(cluster: Cluster, ns: Namespace): Promise<void> {
  const [client = ''] = machineOf(cluster.vpc.lab, 'outside').addresses;
  for (const { address } of cluster.nodes) {
    await eventually(
      'the NodePort answers',
      async () => (await outside(cluster, `http://${address}:${ports[ns].node}/hostname`)).startsWith('web-'),
      20,
    );
    await eventually(
      `${address} keeps the client's address`,
      async () => assert.equal(hostIn(await outside(cluster, `http://${address}:${ports[ns].local}/clientip`)), client),
      20,
    );
  }
}

async function podsReachPods(cluster: Cluster, ns: Namespace): Promise<void> {
  const targets: PodObject[] = (await Promise.all(namespaces.map((other) => podsIn(cluster, other, 'web')))).flat();
  const urls = targets.map((target) => `http://${addressesOf(target)[0] ?? ''}:8080/clientip`);
  for (const client of await podsIn(cluster, ns, 'client')) {
    const seen = await answersIn(cluster, ns, client.metadata.name, urls);
    for (const [i, target] of targets.entries())
      assert.equal(hostIn(seen[i] ?? ''), addressesOf(client)[0], `${client.metadata.name} asks ${target.metadata.name}`);
  }
}
