/** The life of Pods in a cluster: all kinds of workloads come and go while the checker watches. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { eventually } from './eventually.ts';
import { askWithoutEnd, slowest } from './asking.ts';
import { type Checker, watchAddresses } from './checker.ts';
import { addressesOf, nicsOf, reportOf } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import {
  answersIn,
  hostIn,
  inPod,
  job,
  manifest,
  namespaceFor,
  podsIn,
  service,
  shellPod,
  untilReady,
  webPod,
  workload,
} from './life-parts.ts';
import { sharedCluster } from './shared.ts';

const NS = 'life';
/** So many Pods are replaced in the rolling update. */
const ROLLED = 8;
const DRAIN_s = 15;
const POD_CIDR = /^10\.20\.1(2[89]|[3-9]\d)\.\d+$/;

test('the checker of the tests below notices an address that the VPC does not assign', async () => {
  const cluster = await sharedCluster();
  await using checker = watchAddresses(cluster);
  const [pod] = (await Promise.all(cluster.nodes.map(reportOf))).flatMap(({ pods }) => pods);
  const [block] = (pod?.addresses ?? []).map((address) => `${address}/32`);
  const nic = (await nicsOf(cluster)).find(({ blocks }) => block !== undefined && blocks.includes(block));
  assert.ok(nic, 'there is a Pod, whose address is assigned');
  await cluster.vpc.api.call('POST', `/v1/nics/${nic.id}/unassign`, { blocks: [block] });
  try {
    // Not each look sees it: an agent may be held up for as long as a look waits for its report.
    await eventually('it is found', () => assert.throws(() => checker.check(), /not all assigned there in the VPC/), 30);
  } finally {
    await cluster.vpc.api.call('POST', `/v1/nics/${nic.id}/assign`, { want: { these: [block] } });
  }
});

test('all kinds of workloads live on Flatpod', async (t) => {
  const cluster = await sharedCluster();
  await using checker = watchAddresses(cluster);
  await namespaceFor(t, cluster, NS);

  await t.test(
    'Deployment of 20, StatefulSet, DaemonSet, Job and Pods on the host network start at once, and each has an address of the VPC',
    async () => {
      await startAll(cluster);
    },
  );
  await t.test('Pods reach Pods, Pods on the host network and the other way round, on the same node and across', () =>
    reachEachOther(cluster),
  );
  await t.test('a StatefulSet finds its Pods by their names', async () => {
    // The one that tells names hears of Pods in its own time.
    await eventually('db-2 answers db-0', async () =>
      assert.equal(await inPod(cluster, NS, 'db-0', 'curl -s --max-time 10 http://db-2.db:8080/hostname'), 'db-2'),
    );
  });
  await t.test('during a rolling update no connection is lost', (context) => rollingUpdate(context, cluster));
  await t.test('200 short-lived Pods come and go', () => shortLived(t, cluster, checker));
  await t.test('when all are deleted nothing is left: kernel, databases, objects and VPC agree', async () => {
    await cluster.kubectl('delete', 'all', '--all', '-n', NS, '--wait=false', '--grace-period=1');
    await eventually('all Pods are gone', async () => (await podsIn(cluster, NS)).length === 0, 90);
    await checker.end();
  });
  t.diagnostic(`the checker looked ${checker.seen.looks} times and saw ${checker.seen.addresses} Pods' addresses`);
});

async function startAll(cluster: Cluster): Promise<void> {
  const strategy = { rollingUpdate: { maxUnavailable: 0, maxSurge: 4 } };
  // Whoever is about to end still answers until kube-proxy on every node has heard of it, on a busy machine too.
  const drains = { lifecycle: { preStop: { sleep: { seconds: DRAIN_s } } } };
  await cluster.apply(
    manifest(
      workload('Deployment', NS, 'web', webPod({ terminationGracePeriodSeconds: DRAIN_s + 5 }, drains), { replicas: 20, strategy }),
      service(NS, 'web', { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] }),
      workload('StatefulSet', NS, 'db', webPod(), { replicas: 3, serviceName: 'db', podManagementPolicy: 'Parallel' }),
      service(NS, 'db', { clusterIP: 'None', selector: { app: 'db' }, ports: [{ port: 8080 }] }),
      workload('DaemonSet', NS, 'each', webPod()),
      workload('DaemonSet', NS, 'host', webPod({ hostNetwork: true })),
      job(NS, 'sum', shellPod('echo done'), 5, 5),
    ),
  );
  const web = await untilReady(cluster, NS, 'web', 20, 120);
  const others = [...(await untilReady(cluster, NS, 'db', 3)), ...(await untilReady(cluster, NS, 'each', cluster.nodes.length))];
  for (const pod of [...web, ...others]) for (const address of addressesOf(pod)) assert.match(address, POD_CIDR);
  const nodes = new Set(web.map(({ spec }) => spec.nodeName));
  assert.equal(nodes.size, cluster.nodes.length, 'Pods run on every node');
  const hosts = await untilReady(cluster, NS, 'host', cluster.nodes.length);
  assert.deepEqual(hosts.flatMap(addressesOf).toSorted(), cluster.nodes.map(({ address }) => address).toSorted());
  await cluster.kubectl('-n', NS, 'wait', '--for=condition=Complete', 'job/sum', '--timeout=120s');
}

/** Every Pod of a DaemonSet to every Pod of both. */
async function reachEachOther(cluster: Cluster): Promise<void> {
  const all = [...(await podsIn(cluster, NS, 'each')), ...(await podsIn(cluster, NS, 'host'))];
  const urls = all.map((pod) => `http://${addressesOf(pod)[0] ?? ''}:8080/clientip`);
  for (const from of all) {
    const seen = await answersIn(cluster, NS, from.metadata.name, urls);
    for (const [i, to] of all.entries()) {
      assert.notEqual(seen[i], '', `${from.metadata.name} reaches ${to.metadata.name}`);
      // A node speaks to its own Pods by whichever of its addresses the route names.
      if (from.spec.nodeName === to.spec.nodeName && from.spec.hostNetwork === true) continue;
      assert.equal(
        hostIn(seen[i] ?? ''),
        addressesOf(from)[0],
        `${from.metadata.name} is seen at ${to.metadata.name} with its own address`,
      );
    }
  }
}

/** Down to fewer Pods, which are all replaced at the same time. */
async function rollingUpdate(t: TestContext, cluster: Cluster): Promise<void> {
  await using asking = await askWithoutEnd(cluster, NS, 'web');
  const before = new Set((await podsIn(cluster, NS, 'web')).map(({ metadata }) => metadata.uid));
  await cluster.kubectl('-n', NS, 'scale', 'deployment/web', `--replicas=${ROLLED}`);
  await cluster.kubectl('-n', NS, 'set', 'env', 'deployment/web', 'VERSION=2');
  await eventually(
    'all Pods are new',
    async () => (await untilReady(cluster, NS, 'web', ROLLED, 1)).every(({ metadata }) => !before.has(metadata.uid)),
    150,
  );
  t.diagnostic(slowest(await asking.end()));
}

async function shortLived(t: TestContext, cluster: Cluster, checker: Checker): Promise<void> {
  await cluster.kubectl('-n', NS, 'scale', 'deployment/web', '--replicas=4');
  const began = performance.now();
  await cluster.apply(manifest(job(NS, 'short', shellPod('sleep 0.2'), 200, 60)));
  await eventually(
    '200 Pods have come and gone',
    async () => {
      checker.check();
      const { status } = await cluster.admin.ask<{ status: { succeeded?: number } }>('GET', `/apis/batch/v1/namespaces/${NS}/jobs/short`);
      return status.succeeded === 200;
    },
    240,
  );
  t.diagnostic(`200 short-lived Pods in ${Math.round((performance.now() - began) / 1000)} s`);
}
