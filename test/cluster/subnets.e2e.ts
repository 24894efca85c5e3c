/** Who gets which addresses: what kubectl shows of PodSubnets and nodes, ceilings for the cluster, and PodSubnets that namespaces are given. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { contains, parseCidr } from '../../src/net/cidr.ts';
import { parseIp } from '../../src/net/address.ts';
import { eventually } from './eventually.ts';
import type { KubeObject } from './admin.ts';
import type { Cluster } from './cluster.ts';
import { applySubnets, untilNodesKnow } from './flatpod.ts';
import { plainPod } from './life-parts.ts';
import { sharedCluster } from './shared.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

interface PodSubnetObject extends KubeObject {
  readonly status?: {
    readonly assignedTo?: readonly string[];
    readonly held?: number;
    readonly nodes?: number;
    readonly conditions?: readonly Condition[];
  };
}

interface PodObject extends KubeObject {
  readonly status: { readonly phase?: string; readonly podIP?: string };
}

const KEY = 'flatpod.dev/pod-subnet';
const sleeper = { name: 'c', image: 'localhost/busybox:1', command: ['sleep', '100000'] };

async function makeNamespace(cluster: Cluster, name: string, annotations: object = {}): Promise<void> {
  await cluster.apply(`${JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations } })}\n`);
  await eventually('its service account is there', () => cluster.kubectl('-n', name, 'get', 'serviceaccount', 'default'), 30);
}

/** A subnet of the VPC for the Pods of these namespaces; at the end they go, and the PodSubnet; the empty subnet stays in the VPC. */
async function cloudSubnet(t: TestContext, cluster: Cluster, name: string, cidr4: string, namespaces: readonly string[]): Promise<string> {
  const { id } = await cluster.vpc.api.call<{ id: string }>('POST', '/v1/subnets', { name, zone: 'zone-a', cidr4 });
  t.after(async () => {
    await cluster.kubectl('delete', 'namespace', ...namespaces, '--ignore-not-found', '--wait=true', '--timeout=120s');
    await cluster.kubectl('delete', 'psn', name, '--ignore-not-found');
  });
  return id;
}

async function subnetOf(cluster: Cluster, name: string): Promise<PodSubnetObject | undefined> {
  return (await cluster.admin.list<PodSubnetObject>('/apis/flatpod.dev/v1alpha1/podsubnets')).find(
    ({ metadata }) => metadata.name === name,
  );
}

function readyOf(object: { readonly status?: { readonly conditions?: readonly Condition[] } } | undefined): Condition | undefined {
  return object?.status?.conditions?.find(({ type }) => type === 'Ready');
}

async function runPod(cluster: Cluster, namespace: string, name: string, more: object = {}): Promise<void> {
  const spec = { ...plainPod, terminationGracePeriodSeconds: 0, containers: [sleeper], ...more };
  await cluster.apply(`${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name }, spec })}\n`);
}

async function addressOf(cluster: Cluster, namespace: string, name: string): Promise<string> {
  return await eventually(
    `Pod ${namespace}/${name} has an address`,
    async () => {
      const { status } = await cluster.admin.ask<PodObject>('GET', `/api/v1/namespaces/${namespace}/pods/${name}`);
      assert.ok(status.podIP !== undefined, JSON.stringify(status));
      return status.podIP;
    },
    60,
  );
}

async function eventsOf(cluster: Cluster, kind: string, name: string): Promise<string> {
  return await cluster.kubectl(
    'get',
    'events',
    '-A',
    '--field-selector',
    `involvedObject.kind=${kind},involvedObject.name=${name}`,
    '-o',
    'wide',
  );
}

test('kubectl shows how PodSubnets and nodes stand', async (t) => {
  const cluster = await sharedCluster();
  await applySubnets(cluster, { unknown: { cloudSubnet: 'subnet-nowhere' } });
  t.after(() => cluster.kubectl('delete', 'psn', 'unknown'));
  await eventually(
    'the default PodSubnet says what is held',
    async () => {
      const pods = await subnetOf(cluster, 'pods');
      assert.ok(
        (pods?.status?.held ?? 0) > 0 && pods?.status?.nodes === 2 && readyOf(pods)?.status === 'True',
        JSON.stringify(pods?.status),
      );
    },
    60,
  );
  await eventually(
    'an unknown cloud subnet is told',
    async () => {
      assert.equal(readyOf(await subnetOf(cluster, 'unknown'))?.reason, 'CloudSubnetUnknown');
    },
    60,
  );
  await eventually(
    'nodes are ready',
    async () => {
      const shown = await cluster.kubectl('get', 'nn', '--no-headers');
      const lines = shown.trimEnd().split('\n');
      assert.ok(lines.length === 2 && lines.every((line) => /^\S+ +i-\S+ +\d+ +True /.test(line)), shown);
    },
    60,
  );
});

test('all nodes together hold no more than perCluster.maximum, and a Pod too many says which ceiling it meets', async (t) => {
  const cluster = await sharedCluster();
  const id = await cloudSubnet(t, cluster, 'few', '10.20.192.0/24', ['few']);
  await applySubnets(cluster, {
    few: { cloudSubnet: id, namespaces: ['few'], warm: { spare: 0 }, perNode: { maximum: 5 }, perCluster: { maximum: 5 } },
  });
  await untilNodesKnow(cluster, 'few');
  await makeNamespace(cluster, 'few');
  for (let i = 0; i < 7; i++) await runPod(cluster, 'few', `p${i}`);
  const running = async (): Promise<number> =>
    (await cluster.admin.list<PodObject>('/api/v1/namespaces/few/pods')).filter(({ status }) => status.podIP !== undefined).length;
  await eventually('five have addresses', async () => assert.equal(await running(), 5), 60);
  await eventually(
    'one that has none is told why',
    async () => {
      const all = await cluster.kubectl('-n', 'few', 'get', 'events', '-o', 'wide');
      assert.match(all, /perCluster\.maximum of PodSubnet few/);
    },
    60,
  );
  // What is shown to people is written seldom.
  await eventually('the PodSubnet says so', async () => assert.equal((await subnetOf(cluster, 'few'))?.status?.held, 5), 60);
  assert.equal(await running(), 5);
});

test('a namespace that asks for a PodSubnet of its own gets a free one, and its first Pod an address of it; the next one is told that none is free', async (t) => {
  const cluster = await sharedCluster();
  const id = await cloudSubnet(t, cluster, 'own', '10.20.193.0/24', ['mine', 'late']);
  await applySubnets(cluster, { own: { cloudSubnet: id, assignable: true, warm: { spare: 1 } } });
  await eventually('it may be used', async () => assert.equal(readyOf(await subnetOf(cluster, 'own'))?.status, 'True'), 60);
  await makeNamespace(cluster, 'mine', { [KEY]: 'auto' });
  await runPod(cluster, 'mine', 'first');
  const address = await addressOf(cluster, 'mine', 'first');
  assert.ok(contains(parseCidr('10.20.193.0/24'), parseIp(address)), address);
  const { metadata } = await cluster.admin.ask<KubeObject>('GET', '/api/v1/namespaces/mine');
  assert.equal(metadata.annotations?.[KEY], 'own');
  assert.deepEqual((await subnetOf(cluster, 'own'))?.status?.assignedTo, ['mine']);

  await makeNamespace(cluster, 'late', { [KEY]: 'auto' });
  await runPod(cluster, 'late', 'first');
  await eventually(
    'the namespace is told',
    async () => {
      const { status } = await cluster.admin.ask<{ status: { conditions?: readonly Condition[] } }>('GET', '/api/v1/namespaces/late');
      const said = status.conditions?.find(({ type }) => type === 'flatpod.dev/PodSubnetAssigned');
      assert.match(said?.message ?? '', /^no assignable PodSubnet is free \(own: of namespace mine\)/);
      assert.match(await eventsOf(cluster, 'Namespace', 'late'), /NoneFree/);
    },
    60,
  );
  // Its owner goes: as soon as nothing of it is in use, it is the other's.
  await cluster.kubectl('delete', 'namespace', 'mine', '--wait=true', '--timeout=120s');
  const later = await addressOf(cluster, 'late', 'first');
  assert.ok(contains(parseCidr('10.20.193.0/24'), parseIp(later)), later);
  assert.deepEqual((await subnetOf(cluster, 'own'))?.status?.assignedTo, ['late']);
});

test('Pods of one namespace are told apart by the labels of the service accounts that they run as, now and later', async (t) => {
  const cluster = await sharedCluster();
  const cidr = parseCidr('10.20.194.0/24');
  const id = await cloudSubnet(t, cluster, 'robots', cidr, ['fleet']);
  const serviceAccountSelector = { matchLabels: { role: 'robot' } };
  await applySubnets(cluster, { robots: { cloudSubnet: id, namespaces: ['fleet'], serviceAccountSelector, warm: { spare: 1 } } });
  await untilNodesKnow(cluster, 'robots');
  await makeNamespace(cluster, 'fleet');
  const isOfRobots = async (name: string): Promise<boolean> => contains(cidr, parseIp(await addressOf(cluster, 'fleet', name)));
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: 'fleet', name: 'robot', labels: { role: 'robot' } } };
  await cluster.apply(`${JSON.stringify(account)}\n`);
  await runPod(cluster, 'fleet', 'robot', { serviceAccountName: 'robot' });
  await runPod(cluster, 'fleet', 'person');
  assert.equal(await isOfRobots('robot'), true);
  assert.equal(await isOfRobots('person'), false, 'the namespace alone is not enough');
  await cluster.kubectl('-n', 'fleet', 'label', 'serviceaccount', 'default', 'role=robot');
  // For a second an agent believes what it read of an account, here when `person` began.
  await sleep(1500);
  await runPod(cluster, 'fleet', 'promoted');
  assert.equal(await isOfRobots('promoted'), true);
});
