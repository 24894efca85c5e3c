/** The chart in a real cluster: what an agent may do there, upgrade and rollback under Pods that come and go, and what is left when all of it went. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { eventually } from './eventually.ts';
import { programs } from '../programs.ts';
import type { KubeObject } from './admin.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { installFlatpod, untilRolledOut, upgradeFlatpod } from './flatpod.ts';
import { helmIn } from './helm-in.ts';
import { images } from './images.ts';
import type { ClusterNode } from './node.ts';
import type { Ended } from './programs-in.ts';

interface PodObject extends KubeObject {
  readonly spec: { readonly nodeName?: string };
  readonly status: { readonly podIP?: string; readonly phase: string };
}

test('Flatpod by its chart', async (t) => {
  const cluster = await startCluster();
  t.after(() => cluster[Symbol.asyncDispose]());
  await installFlatpod(cluster);
  await t.test("an agent may change its own node's NodeNetwork, and nothing else", () => rights(cluster));
  await t.test('upgrade and rollback while Pods come and go: a connection lasts, every Pod starts', (inner) => upgrade(cluster, inner));
  await t.test('it can be taken away: nodes and cloud are as before', () => uninstall(cluster));
});

async function rights(cluster: Cluster): Promise<void> {
  const agents = await pods(cluster, 'app.kubernetes.io/component=agent', 'kube-system');
  const agent = agents.find(({ spec }) => spec.nodeName === 'n1')?.metadata.name ?? '';
  const tokenOf = async (...more: readonly string[]): Promise<string> =>
    (await cluster.kubectl('-n', 'kube-system', 'create', 'token', 'flatpod-agent', ...more)).trim();
  const bound = await tokenOf('--bound-object-kind=Pod', `--bound-object-name=${agent}`);
  const as = (token: string, ...args: readonly string[]): Promise<Ended> => {
    const way = [
      '--kubeconfig=/dev/null',
      `--server=https://${cluster.apiAddress}:6443`,
      `--certificate-authority=${join(cluster.dir, 'pki/ca.crt')}`,
    ];
    return cluster.control.run([programs.kube('kubectl'), ...way, `--token=${token}`, ...args]);
  };
  const patch = ['--type=merge', '-p', '{"metadata":{"annotations":{"tried":"it"}}}'];
  const refused = async (said: RegExp, token: string, ...args: readonly string[]): Promise<void> => {
    const { status, stderr } = await as(token, ...args);
    assert.notEqual(status, 0, args.join(' '));
    assert.match(stderr, said, args.join(' '));
  };
  const { status, stderr } = await as(bound, 'patch', 'nodenetwork', 'n1', ...patch);
  assert.equal(status, 0, stderr);
  await refused(/the agent of node n1 may change its own NodeNetwork alone, not n2/, bound, 'patch', 'nodenetwork', 'n2', ...patch);
  await refused(/this token names no node/, await tokenOf(), 'patch', 'nodenetwork', 'n1', ...patch);
  await refused(
    /cannot (get|patch) resource "nodenetworks\/status"/,
    bound,
    'patch',
    'nodenetwork',
    'n1',
    '--subresource=status',
    ...patch,
  );
  for (const args of [
    ['get', 'secrets', '-A'],
    ['delete', 'nodenetwork', 'n1'],
    ['get', 'podsubnets'],
    ['get', 'nodes'],
    ['patch', 'node', 'n1', ...patch],
    ['delete', 'pod', agent, '-n', 'kube-system'],
    ['get', 'leases', '-n', 'kube-system'],
    // By name it reads them; a token of one it may not ask for.
    ['get', 'serviceaccounts', '-A'],
    ['create', 'token', 'flatpod-controller', '-n', 'kube-system'],
  ])
    await refused(/Forbidden|cannot/, bound, ...args);
}

async function upgrade(cluster: Cluster, t: TestContext): Promise<void> {
  await cluster.apply(pod('server', 'n1', ['nc', '-l', '-p', '7000', '-e', 'cat']) + pod('client', 'n2', ['sleep', '1000']));
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/server', 'pod/client', '--timeout=120s');
  const server = (await cluster.admin.ask<PodObject>('GET', '/api/v1/namespaces/default/pods/server')).status.podIP ?? '';
  await eventually('it listens', async () => /:7000 /.test(await cluster.kubectl('exec', 'server', '--', 'netstat', '-ltn')));
  // One connection: whatever is lost of it for good ends it.
  const talk = cluster.tryKubectl(
    ['exec', 'client', '--', 'sh', '-c', `(i=0; while [ ! -e /tmp/end ]; do echo $i; i=$((i+1)); sleep 0.1; done) | nc ${server} 7000`],
    { limit_s: 900 },
  );
  t.after(() => cluster.tryKubectl(['delete', 'pod', 'server', 'client', '--now']));
  const seen = { came: 0, enough: false };
  const coming = (async () => {
    for (; !seen.enough; seen.came++) {
      const name = `short-${seen.came}`;
      await cluster.apply(pod(name, seen.came % 2 === 0 ? 'n1' : 'n2', ['sleep', '1000']));
      await cluster.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=120s');
      await cluster.kubectl('delete', 'pod', name, '--now');
    }
  })();
  // Whichever of the two fails first is told.
  const changes = (async () => {
    const before = await agentsNow(cluster);
    await upgradeFlatpod(cluster, { log: 'debug' });
    await eventually('the agents are others', () => othersThan(cluster, before), 90);
    await untilRolledOut(cluster, 90);
    const between = await agentsNow(cluster);
    await helmIn(cluster, 'rollback', 'flatpod');
    await eventually('the agents are others again', () => othersThan(cluster, between), 90);
    await untilRolledOut(cluster, 90);
    seen.enough = true;
  })();
  await Promise.all([coming, changes]);
  await cluster.kubectl('exec', 'client', '--', 'touch', '/tmp/end');
  const { stdout, stderr } = await talk;
  const echoed = stdout.trim().split('\n');
  assert.ok(seen.came > 1 && echoed.length > 50, `${seen.came} Pods, ${echoed.length} lines; ${stderr}`);
  assert.deepEqual(
    echoed,
    echoed.map((_, i) => String(i)),
  );
}

async function uninstall(cluster: Cluster): Promise<void> {
  await cluster.kubectl('delete', 'pods', '--all', '-n', 'default', '--now');
  const machines = cluster.vpc.lab.machines.size;
  const interfaces = async (): Promise<number> => (await cluster.vpc.api.call<{ items: unknown[] }>('GET', '/v1/nics')).items.length;
  for (const { metadata } of await pods(cluster, 'app.kubernetes.io/component=agent', 'kube-system'))
    await eventually(
      'its Pods are gone, and it is drained',
      () => cluster.kubectl('-n', 'kube-system', 'exec', metadata.name, '--', 'flatpod', 'drain'),
      60,
    );
  await eventually('every instance has its first interface alone', async () => assert.equal(await interfaces(), machines), 60);
  await helmIn(cluster, 'uninstall', 'flatpod', '--wait');
  // helm waits for the DaemonSet, whose Pods may still be at their end.
  for (const node of cluster.nodes) await eventually(`${node.name} is as before`, () => isAsBefore(node), 60);
  await cluster.kubectl('delete', 'podsubnets', '--all');
  assert.equal((await cluster.kubectl('get', 'crds', '-o', 'name')).split('\n').filter((name) => name.endsWith('.flatpod.dev')).length, 4);
}

/** Whether every node has an agent, none of them one of those: between the old and the new there may be none at all. */
async function othersThan(cluster: Cluster, uids: readonly string[]): Promise<boolean> {
  const now = await agentsNow(cluster);
  return now.length === cluster.nodes.length && now.every((uid) => !uids.includes(uid));
}

async function isAsBefore(node: ClusterNode): Promise<void> {
  assert.equal(await node.output('ls', '/etc/cni/net.d'), '');
  assert.doesNotMatch(await node.output('ls', '/opt/cni/bin'), /flatpod|veth-to-host/);
  assert.doesNotMatch(await node.output('nft', 'list', 'tables'), /flatpod/);
  assert.doesNotMatch(await node.output('ip', 'rule'), /^7\d\d:/m);
  assert.equal(await node.output('ip', 'route', 'show', 'table', 'all', 'proto', '114'), '');
  assert.doesNotMatch(await node.output('ip', '-br', 'link'), /^(fp|eth[1-9])/m);
}

async function agentsNow(cluster: Cluster): Promise<string[]> {
  const all = await pods(cluster, 'app.kubernetes.io/component=agent', 'kube-system');
  return all.map(({ metadata }) => metadata.uid);
}

async function pods(cluster: Cluster, selector: string, namespace: string): Promise<PodObject[]> {
  return await cluster.admin.list<PodObject>(`/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`);
}

function pod(name: string, node: string, command: readonly string[]): string {
  return `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: default }
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 1
  containers: [{ name: c, image: '${images.busybox}', command: ${JSON.stringify(command)} }]
`;
}
