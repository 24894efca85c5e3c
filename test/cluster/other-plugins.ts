/** A Pod by the reference plugin macvlan on a node whose other Pods are Flatpod's: its address is of the same range, and veth-to-host leads it to its host. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runtimeStatus } from '../../src/cri/runtime.ts';
import { programs } from '../programs.ts';
import { lan } from './bridge-underlay.ts';
import { addressesOf, reportOf } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import { SOCKET } from './containerd.ts';
import { eventually } from './eventually.ts';
import { answersIn, hostIn, inPod, manifest, onePod, outside, podsIn, untilReady, webPod } from './life-parts.ts';
import type { ClusterNode } from './node.ts';

const NAME = 'other';

/** As its user would write it; `subnet` is the PodSubnet. */
function list(subnet: string): string {
  const ipam = { type: 'flatpod-ipam', subnet, routes: [{ dst: '0.0.0.0/0' }] };
  const plugins = [
    { type: 'macvlan', master: lan.parent, mode: 'bridge', ipam },
    { type: 'veth-to-host', hostInterface: 'eth0', containerInterface: 'veth0', ipMasq: true },
  ];
  return JSON.stringify({ cniVersion: '1.0.0', name: NAME, plugins });
}

/**
 * While containerd on the second node has such a list, a Pod starts there: it reaches Flatpod's Pods of the namespace called `web`, the Service `all` of them
 * and its node, and is reached by all. Afterwards its address is free, and the node is as before.
 */
export async function byOtherPlugins(cluster: Cluster, namespace: string, subnet: string): Promise<void> {
  const node = cluster.node(1);
  const plugin = node.path('/opt/cni/bin/macvlan');
  copyFileSync(join(programs.plugins('1.9.1'), 'macvlan'), plugin);
  chmodSync(plugin, 0o755);
  // The first in the alphabet is the one that counts.
  const file = node.path('/etc/cni/net.d/00-other.conflist');
  writeFileSync(file, list(subnet));
  try {
    await untilLoaded(node, NAME);
    await cluster.apply(manifest(onePod(namespace, NAME, webPod({ nodeName: node.name }))));
    const [pod] = await untilReady(cluster, namespace, NAME, 1);
    assert.ok(pod);
    await reaches(cluster, namespace, node, addressesOf(pod)[0] ?? '');
    await cluster.kubectl('-n', namespace, 'delete', 'pod', NAME, '--wait=true');
    await eventually('its address is free', async () =>
      assert.ok(!(await reportOf(node)).pods.some(({ pod: name }) => name === `${namespace}/${NAME}`)),
    );
  } finally {
    rmSync(file);
    await untilLoaded(node, 'flatpod');
    rmSync(plugin);
  }
  // The kernel takes away links of a namespace that is gone in its own time.
  await eventually('its link is gone', async () => assert.doesNotMatch(await node.output('ip', '-br', 'link'), /^vth/m));
}

async function reaches(cluster: Cluster, namespace: string, node: ClusterNode, own: string): Promise<void> {
  assert.match(own, /^10\.20\.224\.\d+$/);
  const links = await inPod(cluster, namespace, NAME, 'ip -d link show eth0; ip -br link');
  assert.match(links, /macvlan mode bridge/);
  assert.match(links, /^veth0/m);
  const web = await podsIn(cluster, namespace, 'web');
  const urls = web.map((pod) => `http://${addressesOf(pod)[0] ?? ''}:8080/clientip`);
  const seen = await answersIn(cluster, namespace, NAME, urls);
  assert.deepEqual(
    seen.map(hostIn),
    web.map(() => own),
    'Pods of all nodes see it as itself',
  );
  const names = web.map(({ metadata }) => metadata.name).toSorted();
  await eventually('the Service leads it to all of them', async () => {
    const answers = await answersIn(cluster, namespace, NAME, Array<string>(24).fill('http://all/hostname'));
    assert.deepEqual([...new Set(answers)].toSorted(), names);
  });
  const [health] = await answersIn(cluster, namespace, NAME, [`http://${node.address}:10256/healthz`]);
  assert.match(health ?? '', /lastUpdated/, 'it reaches its node');
  const url = `http://${own}:8080/hostname`;
  assert.equal(await outside(cluster, url), NAME);
  for (const one of cluster.nodes) assert.equal((await one.output('curl', '-s', '--max-time', '20', url)).trim(), NAME, one.name);
  for (const client of await podsIn(cluster, namespace, 'client'))
    assert.deepEqual(await answersIn(cluster, namespace, client.metadata.name, [url]), [NAME], client.metadata.name);
}

/** Waits until the node's containerd has loaded the list of that name. */
export async function untilLoaded(node: ClusterNode, name: string): Promise<void> {
  await eventually(`containerd has loaded ${name}`, async () => {
    const { info } = await runtimeStatus(node.path(SOCKET), true);
    return info.get('cniconfig')?.includes(`"Name":"${name}"`) === true;
  });
}
