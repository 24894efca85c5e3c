/** `kubectl flatpod` as kubectl finds it, on a real cluster: what it shows is what VPC, agents and kernels have. */
import assert from 'node:assert/strict';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import type { AddressAnswer } from '../../src/cli/kubectl/ip.ts';
import type { ClusterReport } from '../../src/cli/kubectl/cluster-report.ts';
import type { PodStack } from '../../src/cli/kubectl/pod-view.ts';
import type { Why } from '../../src/cli/kubectl/why-of.ts';
import { eventually } from './eventually.ts';
import { programs } from '../programs.ts';
import type { KubeObject } from './admin.ts';
import type { Cluster } from './cluster.ts';
import { applySubnets, untilNodesKnow } from './flatpod.ts';
import { images } from './images.ts';
import type { Ended } from './programs-in.ts';
import { sharedCluster } from './shared.ts';

const root = resolve(import.meta.dirname, '../..');
const NAMESPACE = 'kubectl-flatpod';
const TINY = 'kubectl-tiny';

interface PodObject extends KubeObject {
  readonly status: { readonly podIP?: string };
}

/** `kubectl flatpod ARGS`: kubectl finds the plugin on PATH, and the plugin kubectl. */
function flatpod(cluster: Cluster, ...args: readonly string[]): Promise<Ended> {
  const kubectl = programs.kube('kubectl');
  const path = [join(root, 'bin'), dirname(kubectl), '/usr/local/bin', '/usr/bin', '/bin'].join(':');
  const env = { PATH: path, KUBECONFIG: cluster.kubeconfig };
  return cluster.control.run([kubectl, 'flatpod', ...args], { env });
}

/** The same, with --json; its shape is what the command promises. */
async function asked<T>(cluster: Cluster, ...args: readonly string[]): Promise<T & { readonly status: number }> {
  const { status, stdout, stderr } = await flatpod(cluster, ...args, '--json');
  assert.notEqual(stdout, '', stderr);
  return { ...(JSON.parse(stdout) as T), status };
}

function pause(name: string, spec: object = {}, namespace = NAMESPACE): string {
  const containers = [{ name: 'pause', image: images.pause }];
  const body = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { containers, terminationGracePeriodSeconds: 0, ...spec },
  };
  return `---\n${JSON.stringify(body)}\n`;
}

function place(name: string): string {
  return `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })}\n`;
}

async function addressOf(cluster: Cluster, name: string): Promise<string> {
  await cluster.kubectl('wait', '-n', NAMESPACE, '--for=condition=Ready', `pod/${name}`, '--timeout=120s');
  const { status } = await cluster.admin.ask<PodObject>('GET', `/api/v1/namespaces/${NAMESPACE}/pods/${name}`);
  assert.ok(status.podIP);
  return status.podIP;
}

test('kubectl flatpod', async (t) => {
  const cluster = await sharedCluster();
  t.after(() => cluster.kubectl('delete', 'namespace', NAMESPACE, TINY, '--ignore-not-found', '--wait=true', '--timeout=120s'));
  t.after(() => cluster.kubectl('delete', 'podsubnet', TINY, '--ignore-not-found'));
  await cluster.apply(place(NAMESPACE));
  const [n1] = cluster.nodes;
  assert.ok(n1);

  await t.test('status: a controller that leads, each node with its instance and addresses, and what would run out first', async () => {
    const report = await eventually('all is well', async () => {
      const found = await asked<ClusterReport>(cluster, 'status');
      assert.ok(found.status === 0 && found.nodes.every(({ held }) => held > 0), JSON.stringify(found));
      assert.equal(found.pressure.length, 1, JSON.stringify(found.pressure));
      return found;
    });
    assert.ok(report.controller?.alive);
    assert.deepEqual(
      report.nodes.map(({ name, instance }) => [name, instance]),
      cluster.nodes.map(({ name }) => [name, cluster.vpc.lab.machines.get(name)?.id]),
    );
    assert.deepEqual(report.unreadable, []);
    const { stdout } = await flatpod(cluster, 'status');
    assert.match(stdout, /^CONTROLLER {2}\S+ leads, term \d+, seen \d+s ago$/m);
    assert.match(stdout, /^pods \(default\) /m);
  });

  await t.test('pod: from the NIC, as the VPC has it, to the kernel, where nothing is missing', async () => {
    await cluster.apply(pause('web', { nodeName: n1.name }));
    const address = await addressOf(cluster, 'web');
    const stack = await asked<PodStack>(cluster, 'pod', `${NAMESPACE}/web`);
    assert.equal(stack.status, 0, JSON.stringify(stack));
    const [first] = stack.cloud;
    assert.deepEqual(
      [first?.address, first?.instance, first?.block],
      [address, cluster.vpc.lab.machines.get(n1.name)?.id, `${address}/32`],
    );
    const { items } = await cluster.vpc.api.call<{ items: { mac: string; blocks: string[] }[] }>('GET', `/v1/nics?id=${first?.nic ?? ''}`);
    assert.equal(items[0]?.mac, first?.mac);
    assert.ok(items[0]?.blocks.includes(`${address}/32`));
    assert.match(stack.subnet.why, /default/);
    const [attachment] = stack.attachments;
    assert.ok(attachment?.alive);
    assert.deepEqual(attachment.addresses, [{ address, block: `${address}/32` }]);
    assert.ok(attachment.objects.some(({ object, state }) => object.startsWith(`route ${address}/32`) && state === 'present'));
    const shown = await flatpod(cluster, 'pod', '-n', NAMESPACE, 'web');
    assert.match(shown.stdout, /^KERNEL OBJECT +FOR +IN +STATE$/m);
  });

  await t.test('why: a Pod with an address, one that fits no node, and one on the host network', async () => {
    const well = await asked<Why>(cluster, 'why', `${NAMESPACE}/web`);
    assert.deepEqual([well.status, well.kind], [0, 'has-address'], well.sentence);
    await cluster.apply(pause('nowhere', { nodeSelector: { 'no-such': 'label' } }));
    await eventually(
      'the scheduler has looked at it',
      async () => (await asked<Why>(cluster, 'why', `${NAMESPACE}/nowhere`)).kind === 'unschedulable',
    );
    await cluster.apply(pause('on-host', { hostNetwork: true, nodeName: n1.name }));
    await addressOf(cluster, 'on-host');
    const host = await asked<Why>(cluster, 'why', '-n', NAMESPACE, 'on-host');
    assert.deepEqual([host.status, host.kind], [0, 'host-network'], host.sentence);
  });

  await t.test('why: a node that reached its ceiling, with the numbers and what to raise', async () => {
    const spec = { cloudSubnet: cluster.vpc.lab.subnets.get('pods')?.id, namespaces: [TINY], warm: { spare: 0 }, perNode: { maximum: 1 } };
    await applySubnets(cluster, { [TINY]: spec });
    await untilNodesKnow(cluster, TINY);
    await cluster.apply(place(TINY));
    await cluster.apply(pause('one', { nodeName: n1.name }, TINY));
    await cluster.kubectl('wait', '-n', TINY, '--for=condition=Ready', 'pod/one', '--timeout=120s');
    await cluster.apply(pause('two', { nodeName: n1.name }, TINY));
    const why = await eventually(
      'the ceiling is told',
      async () => {
        const found = await asked<Why>(cluster, 'why', `${TINY}/two`);
        assert.equal(found.kind, 'exhausted', found.sentence);
        return found;
      },
      60,
    );
    assert.equal(why.status, 1);
    assert.match(
      why.sentence,
      new RegExp(`node ${n1.name} has none left; PodSubnet ${TINY}: 1 held, 1 in use, .* growth stopped by the ceiling`),
    );
    assert.match(why.remedy, /the ceiling in spec\.perNode/);
    await eventually('status says so too', async () => {
      const { pressure } = await asked<ClusterReport>(cluster, 'status');
      assert.equal(pressure[0]?.level, 'short', JSON.stringify(pressure));
    });
  });

  await t.test('why: a namespace that asks for a PodSubnet that is not there', async () => {
    await cluster.kubectl('annotate', 'namespace', TINY, 'flatpod.dev/pod-subnet=gold', '--overwrite');
    const why = await asked<Why>(cluster, 'why', `${TINY}/two`);
    assert.equal(why.kind, 'no-subnet', why.sentence);
    assert.match(why.sentence, /asks for gold/);
  });

  await t.test('ip: who has an address, and after that Pod who had it', async () => {
    const address = await addressOf(cluster, 'web');
    const now = await asked<AddressAnswer>(cluster, 'ip', address);
    assert.deepEqual([now.kind, now.pod, now.node, now.problems], ['pod', `${NAMESPACE}/web`, n1.name, []]);
    assert.equal(now.nodes[0]?.holder?.pod, `${NAMESPACE}/web`);
    await cluster.kubectl('delete', 'pod', '-n', NAMESPACE, 'web', '--wait');
    const then = await eventually('the agent has let go of it', async () => {
      const found = await asked<AddressAnswer>(cluster, 'ip', address, '--everywhere');
      assert.notEqual(found.kind, 'pod');
      assert.ok(
        found.nodes.some(({ former }) => former[0]?.pod === `${NAMESPACE}/web`),
        JSON.stringify(found),
      );
      return found;
    });
    assert.equal(then.nodes.length, cluster.nodes.length, 'every agent was asked');
    const own = await asked<AddressAnswer>(cluster, 'ip', cluster.vpc.lab.machines.get(n1.name)?.addresses[0] ?? '');
    assert.equal(own.kind, 'interface', own.sentence);
  });
});
