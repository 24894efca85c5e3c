/** Pods of another plugin, of which only an import's kept.json tells, are taken over by the command in the Pod of an agent that runs, as docs/migrate/hostnic.md has it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressesOf, type PodObject, reportOf } from './checker-views.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { installFlatpod } from './flatpod.ts';
import { formerPlugin } from './former-plugin.ts';
import { manifest, onePod, outside, untilReady, webPod } from './life-parts.ts';
import type { Ended } from './programs-in.ts';

const SPACE = 'default';

test('a running node whose Pods only a list names, by the command in its agent’s Pod', async (t) => {
  const cluster = await startCluster({ vpc: { machines: { outside: { subnet: 'nodes' } } } });
  t.after(() => cluster[Symbol.asyncDispose]());
  const node = cluster.node(0);
  const former = await formerPlugin(cluster, node, 2);
  await node.untilReady(cluster.admin);
  await cluster.apply(manifest(onePod(SPACE, 'old', webPod({ nodeName: node.name }))));
  const [old] = await untilReady(cluster, SPACE, 'old', 1);
  const [address = ''] = old === undefined ? [] : addressesOf(old);
  assert.ok(former.addresses.includes(address));
  await installFlatpod(cluster);
  await former.leave();
  const kept = { address, namespace: SPACE, pod: 'old', node: node.name, subnet: 'pods' };
  const gone = { ...kept, address: former.addresses.find((one) => one !== address) ?? '', pod: 'ended' };

  const elsewhere = await takeOver(cluster, [{ ...kept, node: 'n7' }]);
  assert.equal(elsewhere.status, 1);
  assert.match(elsewhere.stderr, /nothing was taken over from hostnic: - names no node n1 \(FP507\)[^]*its Pods are on n7/);
  const told = await takeOver(cluster, [kept, gone]);
  assert.equal(told.status, 0, told.stderr);
  assert.match(
    told.stdout,
    /^taken over {2}default\/old \(.*\)\ngone {8}default\/ended \(.*\)\n1 Pods of hostnic keep .*; the agent has them\n$/,
  );
  const { pods } = await reportOf(node);
  assert.deepEqual(
    pods.filter(({ pod }) => pod === 'default/old').map(({ state, alive }) => [state, alive]),
    [['of hostnic', true]],
  );

  // It is reached as before; at its end nothing of it is left.
  assert.equal(await outside(cluster, `http://${address}:8080/hostname`), 'old');
  await cluster.kubectl('delete', 'pod', 'old', '--wait=true', '--timeout=120s');
  await eventually('nothing of it is left on the node', async () => {
    const lines = (await node.output('sh', '-ec', 'ip -o link; ip rule; ip route show table all')).split('\n');
    const named = new RegExp(`^\\d+: eni|\\b${address.replaceAll('.', '\\.')}(?![0-9])`);
    assert.deepEqual(
      lines.filter((line) => named.test(line)),
      [],
    );
  });
  await cluster.apply(manifest(onePod(SPACE, 'new', webPod({ nodeName: node.name }))));
  const [fresh] = await untilReady(cluster, SPACE, 'new', 1);
  assert.match(fresh === undefined ? '' : (addressesOf(fresh)[0] ?? ''), /^10\.20\.1/);
});

/** As the page's command: the list on stdin. */
async function takeOver(cluster: Cluster, kept: readonly object[]): Promise<Ended> {
  const agents = await cluster.admin.list<PodObject>(
    '/api/v1/namespaces/kube-system/pods?labelSelector=app.kubernetes.io%2Fcomponent%3Dagent',
  );
  const agent = agents.find(({ spec }) => spec.nodeName === cluster.node(0).name);
  const command = ['flatpod', 'takeover', 'hostnic', '--kept', '-', '--node', cluster.node(0).name];
  const way = ['-n', 'kube-system', 'exec', '-i', agent?.metadata.name ?? '', '--', ...command];
  return await cluster.tryKubectl(way, { stdin: JSON.stringify(kept) });
}
