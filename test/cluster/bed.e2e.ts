/** The test bed itself: what the other tests take for granted. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { eventually } from './eventually.ts';
import type { KubeObject } from './admin.ts';
import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts';
import { images } from './images.ts';
import { clusterTraces, kernelSettings } from './traces.ts';

interface NodeObject extends KubeObject {
  readonly spec: { readonly providerID?: string };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string; readonly message: string }[] };
}

async function ready(cluster: Cluster, name: string): Promise<{ status: string; message: string }> {
  const { status } = await cluster.admin.ask<NodeObject>('GET', `/api/v1/nodes/${name}`);
  const found = status.conditions.find(({ type }) => type === 'Ready');
  assert.ok(found, `${name} has no condition Ready`);
  return found;
}

async function own(t: TestContext, options: ClusterOptions): Promise<Cluster> {
  const cluster = await startCluster(options);
  t.after(() => cluster[Symbol.asyncDispose]());
  return cluster;
}

test('a cluster without a CNI plugin', async (t) => {
  const cluster = await own(t, { vpc: { internet: ['web'] } });

  await t.test('its nodes register as instances of the VPC, and are not ready for want of a plugin', async () => {
    const nodes = await cluster.admin.list<NodeObject>('/api/v1/nodes');
    assert.deepEqual(
      nodes.map(({ metadata, spec }) => [metadata.name, spec.providerID]),
      cluster.nodes.map(({ name }) => [name, `vpc:///zone-a/${cluster.vpc.lab.machines.get(name)?.id}`]),
    );
    for (const { metadata } of nodes) {
      await eventually(
        'the kubelet says why',
        async () => /cni plugin not initialized/.test((await ready(cluster, metadata.name)).message),
        30,
      );
      assert.equal((await ready(cluster, metadata.name)).status, 'False');
    }
  });

  await t.test('a NIC that is attached through the VPC appears in the node', async () => {
    const subnet = cluster.vpc.lab.subnets.get('pods')?.id;
    const nic = await cluster.vpc.api.call<{ id: string }>('POST', '/v1/nics', { clientToken: 'bed', subnet });
    const instance = cluster.vpc.lab.machines.get('n1')?.id;
    await cluster.vpc.api.call('POST', `/v1/nics/${nic.id}/attach`, { instance, deviceIndex: 1 });
    await eventually('it is there', () => cluster.node(0).output('ip', 'link', 'show', 'eth1'));
    await cluster.vpc.api.call('POST', `/v1/nics/${nic.id}/detach`);
  });

  await t.test("a node reaches the API server, the VPC's API and the internet through the fabric", async () => {
    for (const node of cluster.nodes) {
      assert.equal(await node.output('curl', '-sk', '--max-time', '20', `https://${apiOf(cluster)}/readyz`), 'ok');
      assert.match(await node.output('curl', '-s', '--max-time', '20', `${cluster.vpc.endpoint}/v1/health`), /ready/);
      const [web = ''] = cluster.vpc.lab.machines.get('web')?.addresses ?? [];
      await node.output('ping', '-c', '3', '-i', '0.2', '-W', '15', web);
    }
  });

  await t.test('a Pod on the host network starts, and a watch tells of it', async () => {
    const seen: string[] = [];
    await using _watch = await cluster.admin.watch('/api/v1/namespaces/default/pods', ({ type, object }) =>
      seen.push(`${type} ${object.metadata.name}`),
    );
    await cluster.apply(hostPod('here', 'n2'));
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/here', '--timeout=120s');
    assert.equal((await cluster.kubectl('exec', 'here', '--', 'hostname')).trim(), 'n2');
    await cluster.kubectl('delete', 'pod', 'here', '--wait');
    await eventually('the dead are buried', async () => !/^Z/m.test(await cluster.node(1).output('ps', '-eo', 'stat')), 30);
    await eventually('the watch tells its whole life', () => seen[0] === 'ADDED here' && seen.at(-1) === 'DELETED here');
  });

  await t.test('API server and etcd are killed and started again; objects stay', async () => {
    await cluster.kubectl('create', 'configmap', 'kept');
    await cluster.kill('kube-apiserver');
    await assert.rejects(cluster.admin.list('/api/v1/nodes'));
    await cluster.kill('etcd');
    await cluster.start('etcd');
    await cluster.start('kube-apiserver');
    await cluster.kubectl('get', 'configmap', 'kept');
  });

  await t.test('a node loses power: nobody answers there; it comes back with its disk and its NICs, and nothing else', async () => {
    const node = cluster.node(1);
    await node.output('sh', '-c', 'echo kept >/var/lib/kept; echo gone >/run/gone; ip link add junk type veth peer name junk2');
    await node.powerOff();
    const other = await cluster.node(0).run(['ping', '-c', '1', '-W', '1', node.address]);
    assert.notEqual(other.status, 0);
    await node.powerOn();
    assert.equal(await node.output('cat', '/var/lib/kept'), 'kept\n');
    assert.equal(existsSync(node.path('/run/gone')), false);
    assert.notEqual((await node.run(['ip', 'link', 'show', 'junk'])).status, 0);
    await eventually('it answers again', () => cluster.node(0).output('ping', '-c', '3', '-i', '0.2', '-W', '5', node.address));
    await cluster.apply(hostPod('again', 'n2'));
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/again', '--timeout=120s');
    await cluster.kubectl('delete', 'pod', 'again', '--now');
  });

  await t.test('kubelet, containerd and kube-proxy are killed and started again, and the Pod goes on', async () => {
    const node = cluster.node(0);
    await cluster.apply(hostPod('stays', 'n1'));
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/stays', '--timeout=120s');
    const before = await cluster.kubectl('get', 'pod', 'stays', '-o', 'jsonpath={.status.containerStatuses[0].containerID}');
    // A kubelet that starts without a runtime ends at once, and nothing here starts it again.
    for (const daemon of ['containerd', 'kubelet', 'kube-proxy'] as const) {
      await node.kill(daemon);
      await node.start(daemon);
    }
    await eventually('the kubelet answers for the Pod', () => cluster.kubectl('exec', 'stays', '--', 'true'), 60);
    assert.equal(await cluster.kubectl('get', 'pod', 'stays', '-o', 'jsonpath={.status.containerStatuses[0].containerID}'), before);
    await cluster.kubectl('delete', 'pod', 'stays', '--now');
  });
});

test('a cluster with ptp on a bridge carries packets between Pods of two nodes, and Services by iptables', async (t) => {
  const cluster = await own(t, { cni: 'ptp', proxy: 'iptables', dns: true });
  await cluster.apply(web);
  await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
  const client = ['exec', 'deployment/web', '--', 'curl', '-s', '--max-time', '10', 'http://web/hostname'];
  const seen = new Set<string>();
  // kube-proxy may be a second behind.
  await eventually(
    'both Pods answer by the name of their Service',
    async () => seen.add((await cluster.tryKubectl(client)).stdout).delete('') || seen.size === 2,
    60,
  );
});

test('a cluster leaves nothing on the machine', async () => {
  const before = { traces: clusterTraces(), settings: kernelSettings() };
  const cluster = await startCluster({ nodes: 1 });
  await cluster.apply(hostPod('last', 'n1'));
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/last', '--timeout=120s');
  await cluster[Symbol.asyncDispose]();
  // What the clusters before it left may go meanwhile.
  const left = (): string[] => clusterTraces().filter((one) => !before.traces.includes(one));
  await eventually('nothing is left', () => assert.deepEqual(left(), []), 20);
  assert.deepEqual(kernelSettings(), before.settings);
});

function apiOf(cluster: Cluster): string {
  return `${cluster.vpc.host('cp').address}:6443`;
}

function hostPod(name: string, node: string): string {
  return `apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: default}
spec:
  nodeName: ${node}
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: '${images.pause}'}]
`;
}

const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}]
      containers: [{name: c, image: '${images.agnhost}', args: [netexec, --http-port=8080], readinessProbe: {httpGet: {path: /hostname, port: 8080}, periodSeconds: 1}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`;
