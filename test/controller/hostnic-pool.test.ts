/** What hostnic's own controller writes into its objects, served as it is: addresses that it keeps from Pods, vxnets that left its pool, and Default. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRecord } from '../../src/kube/answers.ts';
import type { Ip } from '../../src/net/address.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { type CutVxnet, cutByHostnic } from './hostnic-blocks.ts';
import { hostnicCluster } from './hostnic-cluster.ts';

type Cluster = ReturnType<typeof hostnicCluster>;

/** As the cloud's DHCP may give them, less the tail of 12 that hostnic leaves it. */
const range = ['10.9.0.2' as Ip, '10.9.0.242' as Ip] as const;
const blocks = (length: number, ...from: readonly number[]): string[] => from.map((last) => `4100-10-9-0-${last}-${length}`);

/** Writes the vxnets' objects, and v-pool with those that are still in it. */
function cutInto({ kube }: Cluster, vxnets: Readonly<Record<string, CutVxnet>>, inPool: readonly string[] = Object.keys(vxnets)): void {
  const pools = Object.entries(vxnets).map(([name, vxnet]) => {
    const { pool, blocks: cut } = cutByHostnic(vxnet);
    kube.put(resources.ipPools, { metadata: { name }, spec: pool });
    for (const block of cut) kube.put(resources.ipamBlocks, block);
    return { name, ippool: name, subnets: cut.map(({ metadata }) => metadata.name) };
  });
  const spec = { vxnets: inPool.map((name) => ({ name })) };
  const status = { ready: true, pools: pools.filter(({ name }) => inPool.includes(name)) };
  kube.put(resources.vxNetPools, { metadata: { name: 'v-pool' }, spec, status });
}

function autoAssign({ config }: Cluster, isOn: 'on' | 'off', ipam: object): void {
  config('hostnic-ipam-config', { 'subnet-auto-assign': isOn, ipam: JSON.stringify(ipam) });
}

const unserved = ({ said }: Cluster): string[] => said.flatMap(({ reason, about }) => (reason === 'NoBlockFree' ? about.name : []));

test('addresses that hostnic keeps from Pods are nobody’s: every block of a vxnet is given, the first and the last too', async () => {
  for (const [length, given] of [
    [26, { a: blocks(26, 0), b: blocks(26, 64), c: blocks(26, 128), shop: blocks(26, 192) }],
    [24, { shop: blocks(24, 0) }],
  ] as const) {
    const cluster = hostnicCluster();
    cutInto(cluster, { 'vxnet-1': { cidr: '10.9.0.0/24', range, length } });
    autoAssign(cluster, 'on', {});
    for (const name of Object.keys(given)) cluster.namespace(name);
    const served = cluster.serve();
    await cluster.pass(8000);
    assert.deepEqual([cluster.ipam(), unserved(cluster)], [given, []]);
    const [[, within] = [], exclude] = [(await cluster.subnets())['vxnet-1-shop'] as unknown[] | undefined, excludedOf(cluster)];
    const tail = ['10.9.0.192/27', '10.9.0.224/28', '10.9.0.240/31', '10.9.0.242/32'];
    if (length === 26) assert.deepEqual([within, exclude], [tail, []], 'nor is any of it a Pod that could end');
    await served.stop();
  }
});

function excludedOf({ kube }: Cluster): unknown {
  const one = kube.stored({ ...resources.podSubnets, name: 'vxnet-1-shop' });
  return isRecord(one) && isRecord(one['spec']) ? one['spec']['exclude'] : one;
}

test('a block that hostnic keeps from Pods whole is given to nobody, and who has only that gets another one', async () => {
  const cluster = hostnicCluster();
  // A seventh of a vxnet on a VLAN.
  cutInto(cluster, { 'vxnet-1': { cidr: '10.9.0.0/24', range: [range[0], '10.9.0.190' as Ip], length: 26 } });
  autoAssign(cluster, 'on', { shop: blocks(26, 192) });
  const served = cluster.serve();
  await cluster.pass(3000);
  for (const name of ['a', 'b', 'c']) cluster.namespace(name);
  await cluster.pass(8000);
  assert.deepEqual(cluster.ipam(), { shop: [...blocks(26, 192), ...blocks(26, 0)], a: blocks(26, 64), b: blocks(26, 128) });
  assert.ok(unserved(cluster).every((name) => name === 'c') && unserved(cluster).length > 0);
  assert.deepEqual((await cluster.subnets())['vxnet-1-shop'], [
    ['shop'],
    ['10.9.0.2/31', '10.9.0.4/30', '10.9.0.8/29', '10.9.0.16/28', '10.9.0.32/27'],
  ]);
  await served.stop();
});

test('a vxnet that left v-pool while a Pod of hostnic has an address of it stops nothing: it is served to those alone who have blocks of it', async () => {
  const cluster = hostnicCluster();
  const vxnets = (pods: readonly string[]): Record<string, CutVxnet> => ({
    'vxnet-1': { cidr: '10.9.0.0/24', range, length: 26 },
    'vxnet-2': { cidr: '10.8.0.0/24', range: ['10.8.0.2' as Ip, '10.8.0.242' as Ip], length: 26, pods: pods.map((pod) => pod as Ip) },
  });
  cluster.config('hostnic-cfg-cm', { hostnic: '{"pool": {"maxNic": 60}}', 'hostnic-cni': '{"type": "hostnic"}' });
  autoAssign(cluster, 'off', { Default: ['vxnet-1'] });
  cutInto(cluster, vxnets(['10.8.0.5']), ['vxnet-1']);
  const served = cluster.serve();
  await cluster.pass(4000);
  const names = async (): Promise<string[]> => Object.keys(await cluster.subnets()).toSorted();
  assert.deepEqual(await names(), ['vxnet-1', 'vxnet-2']);
  assert.deepEqual((await cluster.subnets())['vxnet-2']?.[0 as never], [], 'nobody gets addresses of it');
  autoAssign(cluster, 'off', { Default: ['vxnet-1'], shop: ['4100-10-8-0-64-26'] });
  await cluster.pass(4000);
  assert.deepEqual(
    (await cluster.subnets())['vxnet-2-shop'],
    [['shop'], ['10.8.0.64/26']],
    'as hostnic gives them as long as it has the IPPool',
  );
  cutInto(cluster, vxnets([]), ['vxnet-1']);
  autoAssign(cluster, 'off', { Default: ['vxnet-1'] });
  await cluster.pass(4000);
  assert.deepEqual(await names(), ['vxnet-1'], 'hostnic leaves IPPool and blocks for ever');
  autoAssign(cluster, 'on', {});
  for (const name of ['a', 'b', 'c', 'd']) cluster.namespace(name);
  await cluster.pass(8000);
  assert.ok(!JSON.stringify(cluster.ipam()).includes('10-8-0'), 'nor is any of its blocks free');
  assert.deepEqual(
    cluster.said.filter(({ reason }) => reason === 'Refused'),
    [],
  );
  await served.stop();
});

test('blocks of the vxnets that Default names are given to no namespace, and nobody else is served by it while hostnic assigns', async () => {
  const cluster = hostnicCluster();
  cutInto(cluster, {
    'vxnet-1': { cidr: '10.9.0.0/24', range, length: 26 },
    'vxnet-2': { cidr: '10.8.0.0/26', range: ['10.8.0.2' as Ip, '10.8.0.50' as Ip], length: 26 },
  });
  autoAssign(cluster, 'on', { Default: ['vxnet-1'] });
  cluster.namespace('web');
  const served = cluster.serve();
  await cluster.pass(8000);
  assert.deepEqual(cluster.ipam(), { Default: ['vxnet-1'], shop: ['4100-10-8-0-0-26'] });
  assert.deepEqual(new Set(unserved(cluster)), new Set(['web']));
  const whole = '10.9.0.2/31 10.9.0.4/30 10.9.0.8/29 10.9.0.16/28 10.9.0.32/27 10.9.0.64/26 10.9.0.128/26'.split(' ');
  const within = [...whole, '10.9.0.192/27', '10.9.0.224/28', '10.9.0.240/31', '10.9.0.242/32'];
  assert.deepEqual((await cluster.subnets())['vxnet-1'], [[], within]);
  autoAssign(cluster, 'off', { Default: ['vxnet-1'] });
  await cluster.pass(3000);
  assert.deepEqual((await cluster.subnets())['vxnet-1'], ['default', within], 'it has all of its addresses when it is off again');
  await served.stop();
});
