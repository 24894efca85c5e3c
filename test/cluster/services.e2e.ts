/** Services and the traffic of hosts, with kube-proxy in both of its modes: from Pods, from nodes, from a machine of the VPC that is not in the cluster. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { openNetns } from '../../src/kernel/netns.ts';
import { listenIn } from '../../src/kernel/sockets.ts';
import { eventually } from './eventually.ts';
import { watchAddresses } from './checker.ts';
import { addressesOf, type PodObject } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import { hostIn, inPod, manifest, namespaceFor, onePod, outside, podsIn, service, shellPod, untilReady, webPod } from './life-parts.ts';
import type { ClusterNode } from './node.ts';
import { sharedCluster } from './shared.ts';
import type { ProxyMode } from './worker.ts';

const NS = 'services';
const [NODE_PORT, LOCAL_PORT, BALANCED, HOST_PORT] = [30_081, 30_082, 8088, 18_080];
const CURL = 'curl -s --max-time 20';

test('Services, host ports, probes, names and the way out work with kube-proxy in both modes', async (t) => {
  const cluster = await sharedCluster();
  await using checker = watchAddresses(cluster);
  await namespaceFor(t, cluster, NS);
  await setUp(cluster);
  // The mode that the cluster began with comes last, so that it is left as it was.
  t.after(() => setMode(cluster, 'nftables'));
  for (const mode of ['iptables', 'nftables'] as const) {
    await t.test(`kube-proxy changes to ${mode}`, () => setMode(cluster, mode));
    for (const [promise, holds] of Object.entries(promises)) {
      await t.test(`${mode}: ${promise}`, async () => await holds(cluster));
    }
  }
  await t.test('when all are deleted nothing is left', async () => {
    await cluster.kubectl('delete', 'all', '--all', '-n', NS, '--wait=false');
    await eventually('all Pods are gone', async () => (await podsIn(cluster, NS)).length === 0, 120);
    for (const { address } of cluster.nodes) await assert.rejects(outside(cluster, `http://${address}:${HOST_PORT}/hostname`, 3));
    checker.check();
  });
});

const promises: Readonly<Record<string, (cluster: Cluster) => Promise<void>>> = {
  async 'a ClusterIP leads Pods of every node to every endpoint, under their own address; nodes as well'(cluster) {
    for (const client of await podsIn(cluster, NS, 'client')) {
      const seen = new Set<string>();
      await eventually(
        'both endpoints answer',
        async () => seen.add(await inPod(cluster, NS, client.metadata.name, `${CURL} http://both/hostname`)).size === 2,
        40,
      );
      assert.deepEqual([...seen].toSorted(), ['web-n1', 'web-n2']);
      assert.equal(hostIn(await inPod(cluster, NS, client.metadata.name, `${CURL} http://both/clientip`)), addressesOf(client)[0]);
    }
    const { spec } = await cluster.admin.ask<{ spec: { clusterIP: string } }>('GET', `/api/v1/namespaces/${NS}/services/both`);
    for (const node of cluster.nodes)
      assert.match(await node.output('curl', '-s', '--max-time', '20', `http://${spec.clusterIP}/hostname`), /^web-n[12]$/);
  },

  async 'a Pod reaches itself by its Service'(cluster) {
    await eventually(
      'it answers itself',
      async () => (await inPod(cluster, NS, 'web-n1', `${CURL} http://near/hostname`)) === 'web-n1',
      20,
    );
  },

  async 'a NodePort answers a machine outside of the cluster on every node, also where no endpoint runs'(cluster) {
    for (const { address } of cluster.nodes) {
      await eventually(
        `${address} answers`,
        async () => (await outside(cluster, `http://${address}:${NODE_PORT}/hostname`)) === 'web-n1',
        20,
      );
      assert.equal(await inPod(cluster, NS, 'client-n2', `${CURL} http://${address}:${NODE_PORT}/hostname`), 'web-n1');
    }
  },

  async 'a load balancer with externalTrafficPolicy Local keeps the client address, and knows where endpoints run'(cluster) {
    const [near, far] = [cluster.node(0).address, cluster.node(1).address];
    const [client = ''] = machineOf(cluster.vpc.lab, 'outside').addresses;
    for (const port of [BALANCED, LOCAL_PORT]) {
      await eventually(
        `port ${port} answers`,
        async () => hostIn(await outside(cluster, `http://${near}:${port}/clientip`)) === client,
        20,
      );
    }
    await assert.rejects(outside(cluster, `http://${far}:${LOCAL_PORT}/clientip`, 3));
    const { spec } = await cluster.admin.ask<{ spec: { healthCheckNodePort: number } }>('GET', `/api/v1/namespaces/${NS}/services/kept`);
    const health = (address: string): Promise<string> => outside(cluster, `http://${address}:${spec.healthCheckNodePort}/healthz`);
    await eventually(
      'the health checks say so',
      async () => /"localEndpoints": ?1\b/.test(await health(near)) && /"localEndpoints": ?0\b/.test(await health(far)),
      20,
    );
    // Who is in the cluster goes to the endpoint wherever it runs.
    assert.equal(await inPod(cluster, NS, 'client-n2', `${CURL} http://${near}:${BALANCED}/hostname`), 'web-n1');
  },

  async 'a host port leads to its Pod: from outside under the client address, from Pods of both nodes'(cluster) {
    const at = `http://${cluster.node(0).address}:${HOST_PORT}`;
    const [client = ''] = machineOf(cluster.vpc.lab, 'outside').addresses;
    assert.equal(await outside(cluster, `${at}/hostname`), 'port');
    assert.equal(hostIn(await outside(cluster, `${at}/clientip`)), client);
    for (const from of ['client-n1', 'client-n2']) assert.equal(await inPod(cluster, NS, from, `${CURL} ${at}/hostname`), 'port');
  },

  async 'a Pod on the host network is an endpoint like any other'(cluster) {
    const name = cluster.node(1).name;
    for (const from of ['client-n1', 'client-n2', 'web-n1']) {
      await eventually('it answers', async () => (await inPod(cluster, NS, from, `${CURL} http://hosts/hostname`)) === name, 20);
    }
  },

  async "the kubelet's probes reach their Pods, and tell the sound from the broken"(cluster) {
    await untilReady(cluster, NS, 'sound', 1);
    for (const name of ['broken-http', 'broken-tcp']) {
      await eventually(`${name} runs, and is not ready`, async () => {
        const [pod] = await podsIn(cluster, NS, name);
        assert.deepEqual([pod?.status.phase, readiness(pod)], ['Running', 'False']);
      });
    }
  },

  async 'a headless Service is known by the addresses of its Pods'(cluster) {
    const pods = [...(await podsIn(cluster, NS, 'web-n1')), ...(await podsIn(cluster, NS, 'web-n2'))];
    await eventually('both are told', async () => {
      const said = await inPod(cluster, NS, 'client-n1', `dig +short +time=2 names.${NS}.svc.cluster.local`);
      assert.deepEqual(said.split('\n').toSorted(), pods.flatMap(addressesOf).toSorted());
    });
  },

  async 'Pods reach the internet under the address of their node'(cluster) {
    const web = machineOf(cluster.vpc.lab, 'web');
    using netns = openNetns(web.netns, true);
    const server = await listenIn(netns, 8080);
    try {
      for (const { name } of cluster.nodes) {
        const seen = await inPod(cluster, NS, `client-${name}`, `nc -w 20 ${web.addresses[0] ?? ''} 8080 </dev/null`);
        assert.equal(seen, machineOf(cluster.vpc.lab, name).publicAddress, name);
      }
    } finally {
      server.close();
    }
  },
};

async function setUp(cluster: Cluster): Promise<void> {
  const on = (node: number): object => ({ nodeName: cluster.node(node).name });
  const labelled = (name: string, spec: object): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: NS, name, labels: { app: name.startsWith('client') ? 'client' : name, tier: name.replace(/-.*/, '') } },
    spec,
  });
  const probe = (action: object): object => ({ readinessProbe: { ...action, periodSeconds: 1 } });
  const sound = {
    startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
    livenessProbe: { exec: { command: ['true'] }, periodSeconds: 5 },
  };
  const port = (number: number, more: object = {}): object => ({ ports: [{ port: number, targetPort: 8080, ...more }] });
  await cluster.apply(
    manifest(
      ...[0, 1].map((node) => labelled(`web-${cluster.node(node).name}`, webPod(on(node)))),
      ...[0, 1].map((node) => labelled(`client-${cluster.node(node).name}`, shellPod('sleep 100000', on(node)))),
      onePod(NS, 'port', webPod(on(0), { ports: [{ containerPort: 8080, hostPort: HOST_PORT }] })),
      onePod(NS, 'host', webPod({ ...on(1), hostNetwork: true })),
      onePod(NS, 'sound', webPod(on(1), sound)),
      onePod(NS, 'broken-http', webPod(on(1), probe({ httpGet: { path: '/hostname', port: 8090 } }))),
      onePod(NS, 'broken-tcp', webPod(on(0), probe({ tcpSocket: { port: 8090 } }))),
      service(NS, 'both', { selector: { tier: 'web' }, ...port(80) }),
      service(NS, 'names', { selector: { tier: 'web' }, clusterIP: 'None', ...port(8080) }),
      service(NS, 'near', { type: 'NodePort', selector: { app: 'web-n1' }, ...port(80, { nodePort: NODE_PORT }) }),
      service(NS, 'hosts', { selector: { app: 'host' }, ...port(80) }),
      service(NS, 'kept', {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        selector: { app: 'web-n1' },
        ...port(BALANCED, { nodePort: LOCAL_PORT }),
      }),
    ),
  );
  const status = { loadBalancer: { ingress: [{ ip: cluster.node(0).address }] } };
  await cluster.admin.ask('PATCH', `/api/v1/namespaces/${NS}/services/kept/status`, { status });
  for (const app of ['web-n1', 'web-n2', 'port', 'host', 'sound']) await untilReady(cluster, NS, app, 1);
  await untilReady(cluster, NS, 'client', 2);
}

/** Restarts kube-proxy everywhere with another mode; it takes away by itself what it made in the other. */
async function setMode(cluster: Cluster, mode: ProxyMode): Promise<void> {
  for (const node of cluster.nodes) {
    const file = node.path('/etc/test-node/kube-proxy.yaml');
    const config = readFileSync(file, 'utf8');
    if (config.includes(`\nmode: ${mode}\n`)) continue;
    writeFileSync(file, config.replace(/\nmode: \w+\n/, `\nmode: ${mode}\n`));
    await node.kill('kube-proxy');
    await node.start('kube-proxy');
  }
  for (const { address } of cluster.nodes) {
    await eventually('kube-proxy is ready', () => outside(cluster, `http://${address}:10256/healthz`), 60);
  }
  for (const node of cluster.nodes) {
    await eventually(`${node.name} has rules of ${mode} alone`, async () => (await modesOn(node)).join() === mode, 60);
  }
}

/** In which modes there are rules on the node. */
async function modesOn(node: ClusterNode): Promise<ProxyMode[]> {
  const made = { iptables: ['iptables', '-t', 'nat', '-S', 'KUBE-NODEPORTS'], nftables: ['nft', 'list', 'table', 'ip', 'kube-proxy'] };
  const found: ProxyMode[] = [];
  for (const mode of ['iptables', 'nftables'] as const) if ((await node.run(made[mode])).status === 0) found.push(mode);
  return found;
}

function readiness(pod: PodObject | undefined): string | undefined {
  return pod?.status.conditions?.find(({ type }) => type === 'Ready')?.status;
}
