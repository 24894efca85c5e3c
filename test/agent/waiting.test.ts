/** Pools, locks, the choice of a subnet, the sweep: what the verbs stand on, without a kernel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NicId } from '../../src/cloud/cloud.ts';
import { Locks } from '../../src/agent/locks.ts';
import { Pools } from '../../src/agent/pools.ts';
import { chooseSubnets } from '../../src/agent/subnet-choice.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import type { NodeNetworkStatus } from '../../src/store/node-network.ts';
import { type PodSubnet, podSubnet } from '../../src/store/pod-subnet.ts';

const subnet = (name: string, spec: object = {}): PodSubnet =>
  podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec: { cloudSubnet: 's', ...spec } });

const statusWith = (...blocks: string[]): NodeNetworkStatus => ({
  vpcCidrs: [],
  nics: [
    {
      id: 'nic' as NicId,
      mac: parseMac('02:00:00:00:00:01'),
      subnet: 'pods',
      deviceIndex: 0,
      mtu: 1500,
      blocks: blocks.map(parseCidr),
      reclaiming: [],
    },
  ],
  growth: [{ subnet: 'pods', stoppedBy: 'instance', text: '2 of 2 NICs' }],
});
const plugged = new Set(['nic']);
const anyone = (pod: string) => ({ pod, requested: [] });

test('ADDs that wait are served in their order, by a grant and by the end of a rest', async () => {
  const pods = subnet('pods');
  const urgencies: boolean[] = [];
  const pools = new Pools([pods], { demandChanged: (urgent) => urgencies.push(urgent) });
  const order: string[] = [];
  const waits = ['first', 'second', 'third'].map(async (pod) => {
    const taken = await pools.lease(pods, anyone(pod), 60_000);
    order.push(pod);
    return taken.addresses[0];
  });
  assert.equal(pools.demand()[0]?.waiting, 3);
  assert.ok(urgencies.includes(true));
  pools.grant(statusWith('10.0.0.1/32'), plugged);
  assert.equal(await waits[0], '10.0.0.1');
  assert.equal(pools.demand()[0]?.waiting, 2);
  pools.release('pods', [(await waits[0]) ?? ('10.0.0.1' as never)], performance.timeOrigin + performance.now() + 20);
  assert.equal(await waits[1], '10.0.0.1', 'after its rest');
  pools.grant(statusWith('10.0.0.1/32', '10.0.0.2/32'), plugged);
  assert.equal(await waits[2], '10.0.0.2');
  assert.deepEqual(order, ['first', 'second', 'third']);
  pools.stop();
});

test('a wait that ends without an address says the numbers and the limit; stopping ends all waits', async () => {
  const pods = subnet('pods');
  const pools = new Pools([pods], { demandChanged: () => undefined });
  pools.grant(statusWith('10.0.0.1/32'), plugged);
  await pools.lease(pods, anyone('a'), 0);
  const late = pools.lease(pods, anyone('b'), 10);
  await assert.rejects(late, (error) => {
    assert.ok(isFailure(error, 'addressesExhausted'));
    assert.match(error.details, /^1 in use, 0 cooling .* 1 held by this node; growth stopped by the instance \(2 of 2 NICs\)/);
    return true;
  });
  const stopped = [pools.lease(pods, anyone('c'), 60_000), pools.lease(pods, anyone('d'), 60_000)];
  pools.stop();
  for (const wait of await Promise.allSettled(stopped)) assert.equal(wait.status, 'rejected');
});

test('nothing is leased from a NIC that is not plugged in, and an orphan keeps its address', async () => {
  const pods = subnet('pods');
  const pools = new Pools([pods], { orphans: ['10.0.0.1' as never], demandChanged: () => undefined });
  const status = statusWith('10.0.0.1/32', '10.0.0.2/32');
  pools.grant(status, new Set());
  await assert.rejects(pools.lease(pods, anyone('a'), 0), /no address left/);
  pools.grant(status, plugged);
  assert.deepEqual((await pools.lease(pods, anyone('a'), 0)).addresses, ['10.0.0.2']);
  await assert.rejects(pools.lease(pods, anyone('b'), 0), /no address left/);
  pools.endOrphan('10.0.0.1' as never, 0);
  assert.deepEqual((await pools.lease(pods, anyone('b'), 0)).addresses, ['10.0.0.1']);
  pools.stop();
});

test('a subnet is chosen by name, by namespace, by default, in this order; the error says what there is', () => {
  const all = [subnet('a', { namespaces: ['shop'] }), subnet('b', { default: true }), subnet('c')];
  const choose = (namespace?: string, named?: string): string =>
    chooseSubnets(all, { pod: 'p', namespace, subnet: named })[0]?.metadata.name ?? '';
  assert.deepEqual([choose('shop'), choose('other'), choose(), choose('shop', 'c')], ['a', 'b', 'b', 'c']);
  assert.throws(
    () => choose('shop', 'nope'),
    (error) => isFailure(error, 'noSubnet') && /asks for nope; there are a, b, c/.test(error.details),
  );
  assert.throws(
    () => chooseSubnets([], { pod: 'p', namespace: 'x', subnet: undefined }),
    (error) => isFailure(error, 'noSubnet') && /none at all/.test(error.details),
  );
});

test('a key is held by one at a time, in order, and only so many may wait', async () => {
  const locks = new Locks();
  const order: number[] = [];
  const first = await locks.take('a');
  const others = [1, 2].map(async (n) => {
    using _held = await locks.take('a');
    order.push(n);
  });
  assert.ok(locks.held('a'));
  (await locks.take('b'))[Symbol.dispose]();
  assert.ok(!locks.held('b'));
  first[Symbol.dispose]();
  await Promise.all(others);
  assert.deepEqual(order, [1, 2]);
  assert.ok(!locks.held('a'));
  const held = await locks.take('a');
  const crowd = Array.from({ length: 40 }, async () => (await locks.take('a'))[Symbol.dispose]());
  const settled = Promise.allSettled(crowd);
  held[Symbol.dispose]();
  const refused = (await settled).filter((one) => one.status === 'rejected');
  assert.equal(refused.length, 8);
});

test('what was given back before the agent began anew is leased by none of its pools, whenever these are made', async () => {
  const pods = subnet('pods');
  const given = parseCidr('10.0.0.1/32');
  const pools = new Pools([], { returned: [given], demandChanged: () => undefined });
  pools.configure([pods]);
  const [nic] = statusWith(given).nics;
  assert.ok(nic);
  pools.grant({ ...statusWith(), nics: [{ ...nic, reclaiming: [given] }] }, plugged);
  await assert.rejects(pools.lease(pods, anyone('p'), 0), (error: unknown) => isFailure(error, 'addressesExhausted'));
  assert.deepEqual(pools.giveBack(), [given]);
  pools.stop();
});
