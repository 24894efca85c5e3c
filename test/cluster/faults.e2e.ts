/** What breaks in clusters: everything around the Pods is killed, stopped, cut off and replaced while they come and go, and the checker watches. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { eventually } from './eventually.ts';
import { type Checker, watchAddresses } from './checker.ts';
import { addressesOf, reportIfAny } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import { startChurn } from './faults-churn.ts';
import { leaderOf, processOn, untilAnotherLeads } from './faults-processes.ts';
import { upgradeFlatpod } from './flatpod.ts';
import { job, manifest, namespaceFor, onePod, podsIn, shellPod, untilReady, webPod, workload } from './life-parts.ts';
import type { ClusterNode } from './node.ts';
import { signalIfThere } from '../signal.ts';
import { sharedCluster } from './shared.ts';

const NS = 'faults';
const OUTAGE_s = 60;
/** On a node's disk: the Pods that end in the outage do so as soon as there is a file `now` in it, however long they took to start. */
const ENDING = '/var/lib/faults-ending';

test('what breaks is mended, and no address is ever given twice', async (t) => {
  const cluster = await sharedCluster();
  await using checker = watchAddresses(cluster);
  await namespaceFor(t, cluster, NS);
  t.after(() => rmSync(staticPodOn(cluster.node(0)), { force: true }));
  t.after(() => cluster.nodes.forEach((node) => rmSync(node.path(ENDING), { recursive: true, force: true })));
  await setUp(cluster);
  await underLoad(t, cluster, checker);
  let address = '';
  await t.test('for a minute there is no API server, and etcd is killed: Pods end, static Pods start, an agent starts anew', async () => {
    address = await outage(cluster);
  });
  await t.test('of all that, connections of Pods that stay notice nothing', async () => {
    // Its kubelet has just started.
    const said = await eventually('what the client said can be read', () => cluster.kubectl('-n', NS, 'logs', 'client'), 60);
    // What comes after the last end of a line is none yet.
    const lines = said.split('\n').slice(0, -1);
    const lost = lines.filter((line) => line !== 'server');
    assert.deepEqual(lost, [], `of ${lines.length} requests`);
    assert.notEqual(lines.length, 0);
  });
  await t.test('a node loses power and comes back: its Pods get addresses again, the others are released', () => powerCut(cluster));
  await t.test('the API server learns what happened without it: Pods that ended, the address that the static Pod got', () =>
    knownAfterwards(cluster, address),
  );
  await t.test('when all are deleted nothing is left', async () => {
    await cluster.kubectl('delete', 'all', '--all', '-n', NS, '--wait=false');
    await eventually('all Pods are gone', async () => (await podsIn(cluster, NS)).length === 0, 120);
    await checker.end();
  });
  t.diagnostic(`the checker looked ${checker.seen.looks} times and saw ${checker.seen.addresses} Pods' addresses`);
});

/** A server and its client on the other node, so that its requests cross the fabric; a workload whose Pods leave a node that is not heard of, and one whose Pods stay. */
async function setUp(cluster: Cluster): Promise<void> {
  const stays = { nodeName: cluster.node(1).name };
  const leaves = { operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 3 };
  const tolerations = ['unreachable', 'not-ready'].map((key) => ({ key: `node.kubernetes.io/${key}`, ...leaves }));
  await cluster.apply(
    manifest(
      onePod(NS, 'server', webPod(stays)),
      workload('Deployment', NS, 'load', shellPod('sleep 100000', { tolerations }), { replicas: 4 }),
      workload('StatefulSet', NS, 'db', webPod(stays), { replicas: 2, serviceName: 'db', podManagementPolicy: 'Parallel' }),
    ),
  );
  const [server] = await untilReady(cluster, NS, 'server', 1);
  assert.ok(server);
  const [address = ''] = addressesOf(server);
  const asks = `while :; do curl -sf --max-time 30 http://${address}:8080/hostname && echo || echo LOST $?; sleep 0.2; done`;
  await cluster.apply(manifest(onePod(NS, 'client', shellPod(asks, { nodeName: cluster.node(0).name }))));
  await untilReady(cluster, NS, 'client', 1);
}

/** What is broken while Pods come and go; after each they must go on to. */
async function underLoad(t: TestContext, cluster: Cluster, checker: Checker): Promise<void> {
  await using churn = startChurn(cluster, NS, 5);
  await churn.goesOn();
  const steps: Readonly<Record<string, (context: TestContext, cluster: Cluster) => Promise<void>>> = {
    'agents are killed with SIGKILL, and start again': killAgents,
    'containerd and kubelet are killed, and start again': killRuntimes,
    'etcd is killed, and starts again': killEtcd,
    'agents and controllers are replaced by an upgrade': upgrade,
    'the controller that leads is killed while nodes grow: the other takes over in seconds': killLeader,
    'the controller that leads is stopped past its Lease; when it wakes up it changes nothing in the cloud': pauseLeader,
  };
  for (const [promise, step] of Object.entries(steps)) {
    await t.test(promise, async (context) => {
      await step(context, cluster);
      await churn.goesOn();
      checker.check();
    });
  }
  t.diagnostic(`${churn.served} Pods came and went meanwhile`);
}

async function killAgents(_t: TestContext, cluster: Cluster): Promise<void> {
  for (const node of cluster.nodes) {
    const before = processOn(node, 'agent');
    process.kill(before, 'SIGKILL');
    await eventually(
      `the agent on ${node.name} answers again`,
      async () => (await reportIfAny(node)) !== undefined && processOn(node, 'agent') !== before,
      60,
    );
  }
}

async function killRuntimes(_t: TestContext, cluster: Cluster): Promise<void> {
  for (const node of cluster.nodes) {
    for (const daemon of ['containerd', 'kubelet'] as const) {
      await node.kill(daemon);
      await node.start(daemon);
    }
  }
  for (const node of cluster.nodes) await node.untilReady(cluster.admin);
}

async function killEtcd(_t: TestContext, cluster: Cluster): Promise<void> {
  await cluster.kill('etcd');
  await cluster.start('etcd');
  await eventually('the API server serves', () => cluster.admin.list('/api/v1/nodes'), 60);
}

async function upgrade(_t: TestContext, cluster: Cluster): Promise<void> {
  const before = cluster.nodes.map((node) => processOn(node, 'agent'));
  // The cluster began with another level of the log.
  await upgradeFlatpod(cluster);
  for (const what of ['daemonset/flatpod-agent', 'deployment/flatpod-controller']) {
    const command = ['-n', 'kube-system', 'rollout', 'status', what, '--timeout=120s'];
    const { status, stdout, stderr } = await cluster.tryKubectl(command, { limit_s: 130 });
    assert.equal(status, 0, stdout + stderr);
  }
  for (const [index, node] of cluster.nodes.entries())
    await eventually(`${node.name} has a new agent alone`, () => processOn(node, 'agent') !== before[index]);
}

async function killLeader(t: TestContext, cluster: Cluster): Promise<void> {
  const leader = await eventually('somebody leads', () => leaderOf(cluster), 60);
  await scale(cluster, 24);
  process.kill(leader.pid, 'SIGKILL');
  t.diagnostic(`another one led after ${(await untilAnotherLeads(cluster, leader)).toFixed(1)} s`);
  await untilReady(cluster, NS, 'load', 24, 120);
}

async function pauseLeader(t: TestContext, cluster: Cluster): Promise<void> {
  const leader = await eventually('somebody leads', () => leaderOf(cluster), 60);
  process.kill(leader.pid, 'SIGSTOP');
  try {
    await scale(cluster, 4);
    t.diagnostic(`another one led after ${(await untilAnotherLeads(cluster, leader)).toFixed(1)} s`);
    const next = await eventually('its process is known', () => leaderOf(cluster), 30);
    assert.notEqual(next.node.name, leader.node.name, 'the controllers run on different nodes');
    for (const node of cluster.nodes) await countCloudWrites(node);
    process.kill(leader.pid, 'SIGCONT');
    // Work enough for whoever thinks that it leads.
    await scale(cluster, 40);
    await untilReady(cluster, NS, 'load', 40, 120);
    await eventually('the one that leads changes the cloud', async () => (await cloudWrites(next.node)) > 0, 60);
    assert.equal(await cloudWrites(leader.node), 0, 'changing calls of the one that was stopped');
    assert.equal((await leaderOf(cluster)).identity, next.identity);
    await scale(cluster, 4);
  } finally {
    // Also one whose kubelet has had enough of it.
    signalIfThere(leader.pid, 'SIGCONT');
    for (const node of cluster.nodes) await node.run(['nft', 'delete', 'table', 'inet', 'writes']);
  }
}

/** The address of the static Pod that started meanwhile. */
async function outage(cluster: Cluster): Promise<string> {
  const node = cluster.node(0);
  const volumes = [{ name: 'ending', hostPath: { path: ENDING, type: 'DirectoryOrCreate' } }];
  const mounted = { volumeMounts: [{ name: 'ending', mountPath: '/ending' }] };
  await cluster.apply(manifest(job(NS, 'ending', shellPod('until [ -e /ending/now ]; do sleep 0.5; done', { volumes }, mounted), 4, 4)));
  await eventually(
    'they run',
    async () => (await podsIn(cluster, NS, 'ending')).filter(({ status }) => status.phase === 'Running').length === 4,
    60,
  );
  const end = performance.now() + OUTAGE_s * 1000;
  await cluster.kill('kube-apiserver');
  try {
    const before = processOn(node, 'agent');
    process.kill(before, 'SIGKILL');
    for (const one of cluster.nodes) endPodsOn(one);
    writeFileSync(staticPodOn(node), JSON.stringify(onePod(NS, 'static', webPod())));
    const name = `${NS}/static-${node.name}`;
    const own = async (): Promise<string | undefined> => (await reportIfAny(node))?.pods.find(({ pod }) => pod === name)?.addresses[0];
    const address = await eventually('the static Pod has an address', async () => (await own()) ?? false, 50);
    assert.notEqual(processOn(node, 'agent'), before);
    const url = `http://${address}:8080/hostname`;
    await eventually('the other node reaches it', () => cluster.node(1).output('curl', '-sf', '--max-time', '10', url), 20);
    await cluster.kill('etcd');
    await cluster.start('etcd');
    const ended = async (): Promise<boolean> => (await endedOn(cluster.nodes, 'ending')) === 0;
    await eventually('addresses of Pods that end are released', ended, 60);
    await sleep(Math.max(0, end - performance.now()));
    return address;
  } finally {
    // Whatever failed, the next steps need it.
    await cluster.start('kube-apiserver');
    // By now they try so seldom that it takes them another minute or two to hear of it; whoever starts anew does at once.
    for (const part of ['kube-controller-manager', 'kube-scheduler'] as const) {
      await cluster.kill(part);
      await cluster.start(part);
    }
    for (const one of cluster.nodes) {
      await one.kill('kubelet');
      await one.start('kubelet');
    }
  }
}

async function knownAfterwards(cluster: Cluster, address: string): Promise<void> {
  await eventually(
    'the API server knows the static Pod',
    async () => (await podsIn(cluster, NS, 'static')).flatMap(addressesOf)[0] === address,
    120,
  );
  const wait = ['-n', NS, 'wait', '--for=condition=Complete', 'job/ending', '--timeout=120s'];
  const { status, stderr } = await cluster.tryKubectl(wait, { limit_s: 130 });
  assert.equal(status, 0, stderr);
  rmSync(staticPodOn(cluster.node(0)));
  await eventually('the static Pod ends with its file', async () => (await podsIn(cluster, NS, 'static')).length === 0, 60);
}

/** The file of the static Pod, in a folder that the kubelet follows. */
function staticPodOn(node: ClusterNode): string {
  const folder = node.path('/etc/kubernetes/manifests');
  mkdirSync(folder, { recursive: true });
  return join(folder, 'static.json');
}

function endPodsOn(node: ClusterNode): void {
  const folder = node.path(ENDING);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'now'), '');
}

/** How many Pods whose names begin so still have addresses. */
async function endedOn(nodes: readonly ClusterNode[], name: string): Promise<number> {
  const reports = await Promise.all(nodes.map(reportIfAny));
  assert.ok(reports.every((report) => report !== undefined));
  return reports.flatMap((report) => report?.pods ?? []).filter(({ pod }) => pod.startsWith(`${NS}/${name}`)).length;
}

async function powerCut(cluster: Cluster): Promise<void> {
  const [stays, node] = [cluster.node(0), cluster.node(1)];
  await scale(cluster, 8);
  await untilReady(cluster, NS, 'load', 8);
  await node.powerOff();
  await eventually(
    'the other node has taken over what may move',
    async () => {
      const pods = (await podsIn(cluster, NS, 'load')).filter(
        ({ spec, status }) => spec.nodeName === stays.name && status.phase === 'Running',
      );
      return pods.length === 8;
    },
    180,
  );
  await node.powerOn();
  await node.untilReady(cluster.admin);
  // Bound to the node by name, so these are started there again.
  await untilReady(cluster, NS, 'db', 2, 120);
  await untilReady(cluster, NS, 'server', 1, 120);
  await untilReady(cluster, NS, 'load', 8, 120);
}

async function scale(cluster: Cluster, replicas: number): Promise<void> {
  await cluster.kubectl('-n', NS, 'scale', 'deployment/load', `--replicas=${replicas}`);
}

/** Counts, from now on, the changing requests that leave the node for the VPC's API: by the first four letters after a TCP header with time stamps, or none. */
async function countCloudWrites(node: ClusterNode): Promise<void> {
  const first = ['POST', 'PUT ', 'PATC', 'DELE'].map((word) => `0x${Buffer.from(word).toString('hex')}`).join(', ');
  const rules = [160, 256].map((bits) => `tcp dport 9100 @th,${bits},32 { ${first} } counter name made`).join('\n');
  const table = `table inet writes {\ncounter made { }\nchain out {\ntype filter hook output priority 0\n${rules}\n}\n}`;
  const { status, stderr } = await node.run(['nft', '-f', '-'], { stdin: table });
  assert.equal(status, 0, stderr);
}

async function cloudWrites(node: ClusterNode): Promise<number> {
  return Number(/packets (\d+)/.exec(await node.output('nft', 'list', 'counter', 'inet', 'writes', 'made'))?.[1]);
}
