/** A node whose Pods another plugin made becomes Flatpod's by the chart, without drain, step by step as docs/migrate/aws-node.md has it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Values } from '../../scripts/helm.ts';
import { addressesOf, type PodObject, reportOf } from './checker-views.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { installFlatpod, untilRolledOut, upgradeFlatpod } from './flatpod.ts';
import { type FormerPlugin, formerPlugin } from './former-plugin.ts';
import { images } from './images.ts';
import { answersIn, hostIn, manifest, onePod, outside, plainPod, podsIn, untilReady, webPod } from './life-parts.ts';
import type { ClusterNode } from './node.ts';
import type { Ended } from './programs-in.ts';

const SPACE = 'default';
const label = { network: 'flatpod' };
const agent: Values = {
  serviceCidrs: ['10.96.0.0/16'],
  chain: ['portmap'],
  // Another number than the usual one: take-over and agent are to go by the same.
  config: { cooldown_s: 5, numbers: { protocol: 121 } },
  maxUnavailable: '100%',
  nodeSelector: label,
};

test('a running node of the AWS plugin, by the chart’s take-over', async (t) => {
  const cluster = await startCluster({ vpc: { machines: { outside: { subnet: 'nodes' } } } });
  t.after(() => cluster[Symbol.asyncDispose]());
  const node = cluster.node(0);
  const former = await formerPlugin(cluster, node, 3);
  await node.untilReady(cluster.admin);
  const old = await oldPods(cluster, node, former);
  await cluster.kubectl('label', 'node', cluster.node(1).name, 'network=flatpod');
  await installFlatpod(cluster, { values: { agent }, agents: 1 });
  const talk = await conversation(cluster, old.echo);
  await t.test('the init container takes its Pods over before the agent starts; of another node it says that there is none', () =>
    takeOver(cluster, node, former),
  );
  await t.test('Pods of both plugins on it, Pods of other nodes, and machines reach each other', () => reachable(cluster, node));
  await t.test('an agent’s Pod that is made anew knows them', () => again(cluster, node));
  await t.test('no Pod was started anew or renumbered, and a connection has lasted through all of it', async () => {
    assert.deepEqual(await lives(cluster), old.lives);
    await talk.endsWhole();
  });
  await t.test('when they end, by Flatpod’s executable, nothing of them is left, and their addresses stay where they are', () =>
    ending(cluster, node, former),
  );
});

/** Pods by the former plugin, one of which echoes; and what must not change of them. */
async function oldPods(
  cluster: Cluster,
  node: ClusterNode,
  { addresses }: FormerPlugin,
): Promise<{ readonly echo: string; readonly lives: readonly string[] }> {
  const echo = { name: 'c', image: images.busybox, command: ['nc', '-l', '-p', '7000', '-e', 'cat'] };
  const echoPod = { ...plainPod, terminationGracePeriodSeconds: 1, nodeName: node.name, containers: [echo] };
  // One after the other: what stands for the daemon answers one at a time.
  await cluster.apply(manifest(onePod(SPACE, 'old-web', webPod({ nodeName: node.name }))));
  const [web] = await untilReady(cluster, SPACE, 'old-web', 1);
  await cluster.apply(manifest(onePod(SPACE, 'old-echo', echoPod)));
  const [server] = await untilReady(cluster, SPACE, 'old-echo', 1);
  assert.ok(web !== undefined && server !== undefined);
  const theirs = [web, server].flatMap(addressesOf);
  assert.deepEqual(theirs, addresses.slice(0, 2));
  return { echo: theirs[1] ?? '', lives: await lives(cluster) };
}

/** Uid, address and restarts of each old Pod. */
async function lives(cluster: Cluster): Promise<string[]> {
  const pods = await podsIn(cluster, SPACE);
  return pods
    .filter(({ metadata }) => metadata.name.startsWith('old-'))
    .map((pod) => `${pod.metadata.name} ${pod.metadata.uid} ${addressesOf(pod).join()} ${restartsOf(pod)}`);
}

function restartsOf({ status }: PodObject): string {
  return (status.containerStatuses ?? []).map((one) => ('restartCount' in one ? String(one.restartCount) : '?')).join();
}

/** One TCP connection from a Pod of Flatpod's on the other node to an old one, which echoes numbers until it is told to end. */
async function conversation(cluster: Cluster, server: string): Promise<{ endsWhole(): Promise<void> }> {
  const client = { name: 'c', image: images.busybox, command: ['sleep', '10000'] };
  const spec = { ...plainPod, terminationGracePeriodSeconds: 1, nodeName: cluster.node(1).name, containers: [client] };
  await cluster.apply(manifest(onePod(SPACE, 'client', spec)));
  await untilReady(cluster, SPACE, 'client', 1);
  const count = 'i=0; while [ ! -e /tmp/end ]; do echo $i; i=$((i+1)); sleep 0.1; done';
  const talk: Promise<Ended> = cluster.tryKubectl(['exec', 'client', '--', 'sh', '-c', `(${count}) | nc ${server} 7000`], { limit_s: 900 });
  return {
    async endsWhole() {
      await cluster.kubectl('exec', 'client', '--', 'touch', '/tmp/end');
      const { stdout, stderr } = await talk;
      const echoed = stdout.trim().split('\n');
      assert.ok(echoed.length > 50, `${echoed.length} lines; ${stderr}`);
      assert.deepEqual(
        echoed,
        echoed.map((_, i) => String(i)),
      );
    },
  };
}

async function takeOver(cluster: Cluster, node: ClusterNode, former: FormerPlugin): Promise<void> {
  await upgradeFlatpod(cluster, { agent: { ...agent, takeover: 'aws-node' } });
  await cluster.kubectl('cordon', node.name);
  await cluster.kubectl('label', 'node', node.name, 'network=flatpod');
  await eventually('both nodes have an agent', async () => assert.equal((await agents(cluster)).length, 2), 60);
  await untilRolledOut(cluster, 90);
  const [first, second] = former.addresses.map((one) => one.replaceAll('.', '\\.'));
  const said = await saidOn(cluster, node);
  for (const [name, address] of [
    ['web', first],
    ['echo', second],
  ] as const)
    assert.match(said, new RegExp(`^taken over {2}default/old-${name} \\(${address}\\)$`, 'm'));
  assert.match(said, /^2 Pods of aws-node keep their network until they end; no agent runs/m);
  await eventually('so it is on the other node, whose agent is made anew', async () =>
    assert.equal(await saidOn(cluster, cluster.node(1)), 'there is no /var/run/aws-node/ipam.json\n'),
  );
  assert.deepEqual(await statesOn(node), ['default/old-echo of aws-node true', 'default/old-web of aws-node true']);
  await former.leave();
  await cluster.kubectl('uncordon', node.name);
}

async function reachable(cluster: Cluster, node: ClusterNode): Promise<void> {
  const web = (name: string, where: ClusterNode): object => onePod(SPACE, name, webPod({ nodeName: where.name }));
  await cluster.apply(manifest(web('new-here', node), web('new-there', cluster.node(1))));
  const all: { readonly name: string; readonly address: string; readonly url: string }[] = [];
  for (const name of ['old-web', 'new-here', 'new-there']) {
    const [pod] = await untilReady(cluster, SPACE, name, 1);
    const [address = ''] = pod === undefined ? [] : addressesOf(pod);
    assert.match(address, name.startsWith('new-') ? /^10\.20\.1(2[89]|3\d|4[0-3])\./ : /^10\.20\.0\./, name);
    all.push({ name, address, url: `http://${address}:8080` });
  }
  for (const { name, address } of all) {
    const others = all.filter((one) => one.name !== name);
    const urls = others.flatMap(({ url }) => [`${url}/hostname`, `${url}/clientip`]);
    const seen = (await answersIn(cluster, SPACE, name, urls)).map(hostIn);
    assert.deepEqual(
      seen,
      others.flatMap((other) => [other.name, address]),
      name,
    );
  }
  for (const { name, url } of all) {
    assert.equal(await outside(cluster, `${url}/hostname`), name);
    for (const one of cluster.nodes) assert.equal(await one.output('curl', '-s', '--max-time', '20', `${url}/hostname`), name, one.name);
  }
}

async function again(cluster: Cluster, node: ClusterNode): Promise<void> {
  const before = await agentOn(cluster, node);
  await cluster.kubectl('-n', 'kube-system', 'delete', 'pod', before.metadata.name);
  // The DaemonSet's own numbers may still be those of the Pod before.
  await eventually(
    'there is another, which serves',
    async () => {
      const { metadata, status } = await agentOn(cluster, node);
      assert.notEqual(metadata.uid, before.metadata.uid);
      assert.ok(status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'));
    },
    90,
  );
  await untilRolledOut(cluster, 90);
  assert.match(await saidOn(cluster, node), /^known {7}default\/old-web .*\nknown {7}default\/old-echo .*\n2 Pods of aws-node keep/);
  const states = await statesOn(node);
  assert.deepEqual(
    states.filter((one) => one.includes('aws-node')),
    ['default/old-echo of aws-node true', 'default/old-web of aws-node true'],
  );
}

async function ending(cluster: Cluster, node: ClusterNode, former: FormerPlugin): Promise<void> {
  const { addresses } = former;
  const lines = async (): Promise<string[]> => {
    const all = await node.output('sh', '-ec', 'ip -o link; ip rule; ip route show table all; ip neigh; nft list ruleset');
    const named = new RegExp(addresses.map((one) => `\\b${one.replaceAll('.', '\\.')}(?![0-9])`).join('|'));
    return all.split('\n').filter((line) => /^\d+: eni/.test(line) || named.test(line));
  };
  assert.notDeepEqual(await lines(), []);
  await cluster.kubectl('delete', 'pod', 'old-web', 'old-echo', '--wait=true', '--timeout=120s');
  await eventually('nothing of them is left on the node', async () => assert.deepEqual(await lines(), []), 30);
  assert.deepEqual(
    (await statesOn(node)).filter((one) => one.includes('aws-node')),
    [],
  );
  assert.deepEqual(await former.assigned(), addresses);
  // Nobody gets one of them.
  await cluster.apply(manifest(onePod(SPACE, 'new-last', webPod({ nodeName: node.name }))));
  const [last] = await untilReady(cluster, SPACE, 'new-last', 1);
  assert.ok(last !== undefined && addressesOf(last).every((one) => !addresses.includes(one)));
}

async function statesOn(node: ClusterNode): Promise<string[]> {
  const { pods } = await reportOf(node);
  return pods
    .filter(({ state }) => state.startsWith('of '))
    .map(({ pod, state, alive }) => `${pod} ${state} ${alive}`)
    .toSorted();
}

async function agents(cluster: Cluster): Promise<PodObject[]> {
  const selector = encodeURIComponent('app.kubernetes.io/component=agent');
  const all = await cluster.admin.list<PodObject>(`/api/v1/namespaces/kube-system/pods?labelSelector=${selector}`);
  return all.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

async function agentOn(cluster: Cluster, { name }: ClusterNode): Promise<PodObject> {
  const found = (await agents(cluster)).find(({ spec }) => spec.nodeName === name);
  assert.ok(found !== undefined, `there is an agent on ${name}`);
  return found;
}

/** By the take-over's init container there. */
async function saidOn(cluster: Cluster, node: ClusterNode): Promise<string> {
  return await cluster.kubectl('-n', 'kube-system', 'logs', (await agentOn(cluster, node)).metadata.name, '-c', 'takeover');
}
