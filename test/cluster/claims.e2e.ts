/** Addresses that outlive their Pods: the same Pod name, the same address, on any node, and never on two. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './eventually.ts';
import type { KubeObject } from './admin.ts';
import type { Cluster } from './cluster.ts';
import { applySubnets, untilNodesKnow } from './flatpod.ts';
import { namespaceFor, plainPod } from './life-parts.ts';
import { sharedCluster } from './shared.ts';

interface PodObject extends KubeObject {
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface ClaimObject extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
    readonly addresses?: readonly { readonly address: string; readonly node?: string; readonly pod?: string; readonly phase: string }[];
  };
}

interface EventObject extends KubeObject {
  readonly message?: string;
  readonly note?: string;
}

const sleeper = { name: 'c', image: 'localhost/busybox:1', command: ['sleep', '100000'] };

function statefulSet(namespace: string, name: string, replicas: number, annotations: object): string {
  const labels = { app: name };
  return `${JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { namespace, name },
    spec: {
      serviceName: name,
      replicas,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: labels },
      template: { metadata: { labels, annotations }, spec: { ...plainPod, terminationGracePeriodSeconds: 0, containers: [sleeper] } },
    },
  })}\n`;
}

async function podOf(cluster: Cluster, namespace: string, name: string): Promise<PodObject | undefined> {
  const pods = await cluster.admin.list<PodObject>(`/api/v1/namespaces/${namespace}/pods`);
  return pods.find(({ metadata }) => metadata.name === name);
}

/** The Pod once it is ready, and another one than `before`. */
async function readyPod(cluster: Cluster, namespace: string, name: string, before?: PodObject): Promise<PodObject> {
  return await eventually(
    `Pod ${namespace}/${name} is ready`,
    async () => {
      const pod = await podOf(cluster, namespace, name);
      const isReady = pod?.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
      assert.ok(pod !== undefined && isReady && pod.metadata.uid !== before?.metadata.uid, `${name}: ${JSON.stringify(pod?.status)}`);
      return pod;
    },
    90,
  );
}

async function claimOf(cluster: Cluster, namespace: string, name: string): Promise<ClaimObject | undefined> {
  const claims = await cluster.admin.list<ClaimObject>(`/apis/flatpod.dev/v1alpha1/namespaces/${namespace}/ipclaims`);
  return claims.find(({ metadata }) => metadata.name === name);
}

/** The nodes whose NICs have the address in the VPC. */
async function holdersOf(cluster: Cluster, address: string): Promise<string[]> {
  const holders: string[] = [];
  for (const { name } of cluster.nodes) {
    const instance = cluster.vpc.lab.machines.get(name)?.id ?? '';
    const { items } = await cluster.vpc.api.call<{ items: { blocks: string[] }[] }>('GET', `/v1/nics?instance=${instance}`);
    if (items.some(({ blocks }) => blocks.includes(`${address}/${address.includes(':') ? 128 : 32}`))) holders.push(name);
  }
  return holders;
}

async function eventsAbout(cluster: Cluster, namespace: string, pod: string): Promise<string> {
  const events = await cluster.admin.list<EventObject & { regarding?: { name?: string }; involvedObject?: { name?: string } }>(
    `/api/v1/namespaces/${namespace}/events`,
  );
  return events
    .filter(({ involvedObject }) => involvedObject?.name === pod)
    .map(({ message }) => message ?? '')
    .join('\n');
}

/** The Pod reaches the address, which may have moved a moment ago. */
async function answers(cluster: Cluster, namespace: string, pod: string, address: string): Promise<void> {
  await eventually(`${address} answers ${pod}`, async () => {
    const ping = await cluster.tryKubectl(['-n', namespace, 'exec', pod, '--', 'ping', '-c', '1', '-W', '5', address]);
    assert.equal(ping.status, 0, `${ping.stdout}${ping.stderr}`);
  });
}

test('a Pod of a StatefulSet keeps its address when it is made anew, and on another node', async (t) => {
  const cluster = await sharedCluster();
  const ns = 'claims-sts';
  await namespaceFor(t, cluster, ns);
  await cluster.apply(statefulSet(ns, 'db', 2, { 'flatpod.dev/ip': 'fixed', 'flatpod.dev/ip-reclaim': 'Delete' }));
  const first = await readyPod(cluster, ns, 'db-0');
  const other = await readyPod(cluster, ns, 'db-1');
  const address = first.status.podIP ?? '';
  assert.notEqual(address, other.status.podIP);
  assert.deepEqual(await holdersOf(cluster, address), [first.spec.nodeName]);

  await cluster.kubectl('-n', ns, 'delete', 'pod', 'db-0');
  const again = await readyPod(cluster, ns, 'db-0', first);
  assert.equal(again.status.podIP, address);

  const from = again.spec.nodeName ?? '';
  await cluster.kubectl('cordon', from);
  t.after(() => cluster.kubectl('uncordon', from));
  await cluster.kubectl('-n', ns, 'delete', 'pod', 'db-0');
  const moved = await readyPod(cluster, ns, 'db-0', again);
  assert.notEqual(moved.spec.nodeName, from);
  assert.equal(moved.status.podIP, address, 'the address moved with the Pod');
  assert.deepEqual(await holdersOf(cluster, address), [moved.spec.nodeName]);
  await answers(cluster, ns, 'db-1', address);
  // The Pod has it as soon as the cloud has moved it; the claim says so a moment later.
  await eventually('the claim says so', async () =>
    assert.deepEqual(
      (await claimOf(cluster, ns, 'db-0'))?.status?.addresses?.map(({ address: ip, node, pod, phase }) => [ip, node, pod, phase]),
      [[address, moved.spec.nodeName, 'db-0', 'Bound']],
    ),
  );

  await cluster.kubectl('-n', ns, 'delete', 'statefulset', 'db');
  await eventually('with reclaim Delete the claim goes with its Pod', async () => (await claimOf(cluster, ns, 'db-0')) === undefined, 60);
});

test('with both families a Pod keeps one address of each, wherever it is', async (t) => {
  const cluster = await sharedCluster();
  const ns = 'claims-both';
  await namespaceFor(t, cluster, ns);
  t.after(async () => {
    await cluster.tryKubectl(['wait', '--for=delete', `namespace/${ns}`, '--timeout=120s'], { limit_s: 130 });
    await cluster.kubectl('delete', 'psn', ns, '--ignore-not-found');
  });
  const body = { name: ns, zone: 'zone-a', cidr4: '10.20.200.0/24', cidr6: '2001:db8:20:c8::/64' };
  const { id: cloudSubnet } = await cluster.vpc.api.call<{ id: string }>('POST', '/v1/subnets', body);
  await applySubnets(cluster, { [ns]: { cloudSubnet, namespaces: [ns], families: [4, 6], warm: { spare: 1 } } });
  await untilNodesKnow(cluster, ns);
  const six = '2001:db8:20:c8:f:1:2:3';
  await cluster.apply(statefulSet(ns, 'db', 1, { 'flatpod.dev/ip': six, 'flatpod.dev/ip-reclaim': 'Delete' }));
  await cluster.apply(statefulSet(ns, 'peer', 1, {}));
  const first = await readyPod(cluster, ns, 'db-0');
  await readyPod(cluster, ns, 'peer-0');
  const addresses = first.status.podIPs?.map(({ ip }) => ip) ?? [];
  assert.equal(addresses.length, 2, JSON.stringify(first.status.podIPs));
  assert.equal(addresses[1], six);

  const from = first.spec.nodeName ?? '';
  await cluster.kubectl('cordon', from);
  t.after(() => cluster.kubectl('uncordon', from));
  await cluster.kubectl('-n', ns, 'delete', 'pod', 'db-0');
  const moved = await readyPod(cluster, ns, 'db-0', first);
  assert.notEqual(moved.spec.nodeName, from);
  assert.deepEqual(
    moved.status.podIPs?.map(({ ip }) => ip),
    addresses,
  );
  for (const address of addresses) {
    assert.deepEqual(await holdersOf(cluster, address), [moved.spec.nodeName]);
    await answers(cluster, ns, 'peer-0', address);
  }
  // What is shown to people is written seldom.
  await eventually(
    'the claim says that all is well',
    async () => {
      const [ready] = (await claimOf(cluster, ns, 'db-0'))?.status?.conditions ?? [];
      assert.deepEqual([ready?.type, ready?.status, ready?.message], ['Ready', 'True', '2 addresses are kept, and no Pod waits for one']);
    },
    60,
  );
});

test('an address that an ordinary Pod uses: the event names that Pod, and the claim has the address when it ends', async (t) => {
  const cluster = await sharedCluster();
  const ns = 'claims-used';
  await namespaceFor(t, cluster, ns);
  await cluster.apply(statefulSet(ns, 'plain', 1, {}));
  const address = (await readyPod(cluster, ns, 'plain-0')).status.podIP ?? '';
  await cluster.apply(statefulSet(ns, 'own', 1, { 'flatpod.dev/ip': address, 'flatpod.dev/ip-reclaim': 'Delete' }));
  await eventually(
    'the event names the Pod',
    async () => new RegExp(`${address} is used by Pod ${ns}/plain-0 on node `).test(await eventsAbout(cluster, ns, 'own-0')),
    90,
  );
  await cluster.kubectl('-n', ns, 'delete', 'statefulset', 'plain');
  assert.equal((await readyPod(cluster, ns, 'own-0')).status.podIP, address);
});

test('an address by value is given once; who asks for it as well is told who has it', async (t) => {
  const cluster = await sharedCluster();
  const ns = 'claims-value';
  await namespaceFor(t, cluster, ns);
  const address = '10.20.143.77';
  await cluster.apply(statefulSet(ns, 'one', 1, { 'flatpod.dev/ip': address }));
  assert.equal((await readyPod(cluster, ns, 'one-0')).status.podIP, address);
  await cluster.apply(statefulSet(ns, 'two', 1, { 'flatpod.dev/ip': address }));
  await eventually(
    'the event names the holder',
    async () =>
      new RegExp(`${address} belongs to IPClaim ${ns}/one-0 already, for Pod ${ns}/one-0`).test(await eventsAbout(cluster, ns, 'two-0')),
    90,
  );
  await cluster.kubectl('-n', ns, 'delete', 'statefulset', 'one');
  await eventually(
    'the claim is kept',
    async () => (await claimOf(cluster, ns, 'one-0'))?.status?.addresses?.[0]?.phase === 'Reserved',
    60,
  );
  await cluster.kubectl('-n', ns, 'delete', 'ipclaim', 'one-0');
  assert.equal((await readyPod(cluster, ns, 'two-0')).status.podIP, address, 'free again, the other gets it');
});

test('the Pods of a Deployment share the addresses of a claim; one too many waits, and says for what', async (t) => {
  const cluster = await sharedCluster();
  const ns = 'claims-range';
  await namespaceFor(t, cluster, ns);
  const claim = {
    apiVersion: 'flatpod.dev/v1alpha1',
    kind: 'IPClaim',
    metadata: { namespace: ns, name: 'web' },
    spec: { podSelector: { matchLabels: { app: 'web' } }, count: 2, reclaim: 'Retain' },
  };
  await cluster.apply(`${JSON.stringify(claim)}\n`);
  const labels = { app: 'web' };
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: ns, name: 'web' },
    spec: {
      replicas: 3,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: { 'flatpod.dev/ip-claim': 'web' } },
        spec: { ...plainPod, terminationGracePeriodSeconds: 0, containers: [sleeper] },
      },
    },
  };
  await cluster.apply(`${JSON.stringify(deployment)}\n`);
  const pods = (): Promise<PodObject[]> => cluster.admin.list<PodObject>(`/api/v1/namespaces/${ns}/pods`);
  const running = async (): Promise<string[]> =>
    (await pods()).flatMap(({ status }) => (status.phase === 'Running' ? (status.podIP ?? []) : []));
  await eventually('two run', async () => (await running()).length === 2, 90);
  const range = new Set(await running());
  const waiting = await eventually('a third waits', async () => (await pods()).find(({ status }) => status.phase === 'Pending') ?? false);
  await eventually(
    'the third says who has the addresses',
    async () =>
      /all 2 addresses of IPClaim claims-range\/web have Pods \(FP248\): .*; raise its spec.count/.test(
        await eventsAbout(cluster, ns, waiting.metadata.name),
      ),
    90,
  );
  const victim = (await pods()).find(({ status }) => status.phase === 'Running')?.metadata.name ?? '';
  await cluster.kubectl('-n', ns, 'scale', 'deployment', 'web', '--replicas=2');
  await cluster.tryKubectl(['-n', ns, 'delete', 'pod', victim]);
  await eventually('two run again', async () => (await running()).length === 2 && (await pods()).length === 2, 90);
  assert.deepEqual(new Set(await running()), range, 'with the same addresses');
});
