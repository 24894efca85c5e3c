/** Vxnets of hostnic's pool that nobody has cut into blocks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { factsOf } from '../../src/controller/facts.ts';
import { cutPools } from '../../src/controller/hostnic/cut-pools.ts';
import type { SettingsObject } from '../../src/controller/hostnic/settings.ts';
import { vxnetBlocks } from '../../src/controller/hostnic/vxnet-blocks.ts';
import { failure } from '../../src/errors/failure.ts';
import { blockNamed } from '../../src/import/hostnic/subnets.ts';
import { ipFromBigInt } from '../../src/net/address.ts';
import { aggregate, type Cidr, cidrOf, lengthOf, parseCidr } from '../../src/net/cidr.ts';
import { memoryCloud } from '../cloud/memory-cloud.ts';
import { hostnicCluster } from './hostnic-cluster.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';

const object = (kind: string, name: string, rest: object): SettingsObject => ({
  apiVersion: 'network.qingcloud.com/v1alpha1',
  kind,
  metadata: { name, uid: `uid-${name}`, resourceVersion: '1' },
  ...rest,
});

/** By vxnet, its blocks in the status of v-pool. */
function cutsIn(objects: readonly SettingsObject[]): Map<string, readonly string[]> {
  const { status } = objects.find(({ kind }) => kind === 'VxNetPool') ?? {};
  const { pools = [] } = (status ?? {}) as { pools?: { name: string; subnets: string[] }[] }; // of a VxNetPool
  return new Map(pools.map(({ name, subnets }) => [name, subnets]));
}

test('a vxnet is cut whole into blocks of that length, by names that lead back to them, wherever it lies', () => {
  const vxnet = fc
    .tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 16, max: 30 }))
    .map(([ip, length]) => cidrOf(ipFromBigInt(BigInt(ip), 4), length));
  fc.assert(
    fc.property(vxnet, fc.integer({ min: 0, max: 10 }), (block, deeper) => {
      const blockSize = Math.min(32, lengthOf(block) + deeper);
      const pool = object('VxNetPool', 'v-pool', { spec: { vxnets: [{ name: 'vxnet-1' }], blockSize } });
      const once = cutPools([pool], () => block);
      const names = cutsIn(once).get('vxnet-1') ?? [];
      const blocks = names.map((name) => blockNamed(name) ?? assert.fail(name));
      assert.equal(names.length, 2 ** (blockSize - lengthOf(block)));
      assert.ok(blocks.every((one) => lengthOf(one) === blockSize));
      assert.deepEqual(aggregate(blocks), [block], 'all of it, and nothing else');
      assert.deepEqual(
        cutPools(once, () => assert.fail('it is cut')),
        once,
        'a second look changes nothing',
      );
    }),
  );
});

test('blocks that are larger than the vxnet are the vxnet; an IPPool says its block before the cloud does; what is cut, or unknown, stays as it is', () => {
  const spec = { vxnets: ['one', 'two', 'three', 'four'].map((name) => ({ name })), blockSize: 26 };
  const status = {
    ready: false,
    pools: [
      { name: 'one', ippool: 'p', subnets: ['4100-10-1-0-0-25'] },
      { name: 'two', ippool: '', subnets: [] },
    ],
  };
  const all = [object('VxNetPool', 'v-pool', { spec, status }), object('IPPool', 'two', { spec: { cidr: '10.2.0.0/25' } })];
  const cloud: Record<string, Cidr> = { two: parseCidr('10.9.0.0/16'), three: parseCidr('10.3.0.0/28') };
  const after = cutPools(all, (vxnet) => cloud[vxnet]);
  assert.deepEqual(
    [...cutsIn(after)],
    [
      ['one', ['4100-10-1-0-0-25']],
      ['two', ['4100-10-2-0-0-26', '4100-10-2-0-64-26']],
      ['three', ['4100-10-3-0-0-28']],
    ],
  );
  const pools = after
    .filter(({ kind }) => kind === 'IPPool')
    .map(({ metadata, spec: said }) => [metadata.name, (said as { cidr: string }).cidr]);
  assert.deepEqual(pools, [
    ['two', '10.2.0.0/25'],
    ['three', '10.3.0.0/28'],
  ]);
  const wrong = [object('VxNetPool', 'v-pool', { spec: { vxnets: 'one', blockSize: 26 } })];
  assert.deepEqual(
    cutPools(wrong, () => parseCidr('10.0.0.0/24')),
    wrong,
  );
});

test('without hostnic’s controller a vxnet that is new in the pool gives namespaces their blocks', async () => {
  const cluster = hostnicCluster();
  const { kube } = cluster;
  kube.remove({ ...resources.ipPools, name: 'vxnet-1' });
  kube.put(resources.vxNetPools, {
    metadata: { name: 'v-pool' },
    spec: { vxnets: [{ name: 'vxnet-1' }, { name: 'vxnet-2' }], blockSize: 26 },
    status: null,
  });
  cluster.config('hostnic-ipam-config', { 'subnet-auto-assign': 'on', ipam: '{}' });
  const served = cluster.serve();
  await cluster.pass(8000);
  assert.deepEqual([cluster.ipam(), Object.keys(await cluster.subnets())], [{}, ['vxnet-1', 'vxnet-2']], 'nobody knows the blocks yet');
  cluster.cloudBlock('vxnet-2', '10.9.2.0/25');
  await cluster.pass(8000);
  assert.deepEqual(cluster.ipam(), { shop: ['4100-10-9-2-0-26'] });
  assert.deepEqual((await cluster.subnets())['vxnet-2-shop'], [['shop'], ['10.9.2.0/26']]);
  cluster.namespace('web');
  await cluster.pass(3000);
  assert.deepEqual(cluster.ipam(), { shop: ['4100-10-9-2-0-26'], web: ['4100-10-9-2-64-26'] });
  await served.stop();
});

test('PodSubnets that are deleted, of vxnets that nobody cut, are made anew: the cloud says the blocks where no PodSubnet is left to', async () => {
  const cluster = hostnicCluster();
  const { kube, clock, log, lines } = cluster;
  const cloud = memoryCloud(clock);
  cloud.addSubnet('vxnet-1', '10.9.1.0/25');
  cloud.addSubnet('vxnet-2', '10.9.2.0/25');
  kube.remove({ ...resources.ipPools, name: 'vxnet-1' });
  const vxnets = ['vxnet-1', 'vxnet-2', 'vxnet-no'].map((name) => ({ name }));
  kube.put(resources.vxNetPools, { metadata: { name: 'v-pool' }, spec: { vxnets, blockSize: 26 }, status: null });
  cluster.config('hostnic-ipam-config', { 'subnet-auto-assign': 'on', ipam: '{}' });
  const told = new Map<string, Cidr>();
  const blocksOf = vxnetBlocks({ told: (vxnet) => told.get(vxnet), facts: factsOf(cloud, clock, 30_000), log });
  const served = cluster.serve(blocksOf);
  await cluster.pass(8000);
  assert.deepEqual(cluster.ipam(), { shop: ['4100-10-9-1-0-26'] });
  const before = await cluster.subnets();
  assert.deepEqual(before['vxnet-1-shop'], [['shop'], ['10.9.1.0/26']]);
  cloud.fault = () => failure('cloudUnavailable', { cloud: 'memory', endpoint: 'memory', call: 'subnets', text: 'busy' });
  for (const name of Object.keys(before)) kube.remove({ ...resources.podSubnets, name });
  await cluster.pass(60_000);
  assert.deepEqual(await cluster.subnets(), before, 'also while the cloud does not answer, by what it said last');
  const unsaid = lines.filter((line) => line.includes('are not known, which v-pool has'));
  assert.equal(unsaid.length, 1);
  cloud.fault = () => 'none';
  const anew = cluster.serve(vxnetBlocks({ told: () => undefined, facts: factsOf(cloud, clock, 30_000), log }));
  for (const name of Object.keys(before)) kube.remove({ ...resources.podSubnets, name });
  await cluster.pass(8000);
  assert.deepEqual([cluster.ipam(), await cluster.subnets()], [{ shop: ['4100-10-9-1-0-26'] }, before], 'nor does another leader need any');
  told.set('vxnet-1', parseCidr('10.7.0.0/24'));
  assert.equal((await blocksOf(['vxnet-1'])).get('vxnet-1'), '10.7.0.0/24');
  await Promise.all([served.stop(), anew.stop()]);
});
