/** Ranges without a cloud, served by the real controller to honest agents: plenty, exact fit, giving back. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { Ledger } from '../../src/cloud/range/ledger.ts';
import { rangeCloud } from '../../src/cloud/range/range-cloud.ts';
import { adoptGranted } from '../../src/controller/adopt.ts';
import { createLog } from '../../src/log.ts';
import { podRangeOf } from '../../src/store/pod-range.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { memoryLedger } from '../cloud/range/memory-ledger.ts';
import { type Agent, agent, bench, subnet } from './harness.ts';

function ranged(cidr: string, more: Record<string, unknown> = {}, name = 'pods'): PodSubnet {
  return subnet(name, { range: { parent: 'eth1', ipv4: { cidr } }, datapath: 'macvlan', default: true, ...more });
}

/** A controller over ranges alone, and an agent on each of so many nodes. */
async function ranges(t: TestContext, config: PodSubnet, nodes: number) {
  const b = bench();
  const store = memoryLedger();
  const names = Array.from({ length: nodes }, (_, i) => `n${i}`);
  b.subnets = [config];
  const ledger = await Ledger.open(store);
  const cloud = rangeCloud({
    cluster: 'test',
    ledger,
    ranges: () => b.subnets.flatMap((one) => podRangeOf(one, '') ?? []),
    node: (name) => (names.includes(name) ? { instance: name as InstanceId, podSubnets: [config.metadata.name] } : undefined),
  });
  const controller = await b.controller({ cloud, ranges: cloud });
  t.after(() => controller.stop());
  const agents = new Map<string, Agent>();
  for (const name of names) {
    const one = await agent(b.networks, name as InstanceId, config, name);
    t.after(() => one.stop());
    agents.set(name, one);
  }
  const of = (name: string): Agent => agents.get(name) ?? assert.fail(name);
  const leased = (): string[] => names.flatMap((name) => of(name).leases.flatMap(({ addresses }) => addresses));
  await b.clock.advance(1000);
  return { b, store, cloud, ledger, controller, names, of, leased };
}

test('while there is plenty a node gets 16 addresses at a time: most Pods cost no write', async (t) => {
  const { b, store, of } = await ranges(t, ranged('10.9.0.0/20'), 1);
  const nic = (await b.status('n0')).nics[0];
  assert.deepEqual([nic?.parent, nic?.cidr4, nic?.blocks.length], ['eth1', '10.9.0.0/20', 16]);
  const writes = [store.writes(), b.networks.statusWrites()];
  for (let pods = 1; pods <= 12; pods++) await of('n0').want(pods);
  await b.clock.advance(10_000);
  assert.equal(of('n0').leases.length, 12);
  assert.deepEqual([store.writes(), b.networks.statusWrites()], writes);
});

test('as many Pods as addresses, all at once on ten nodes: each gets one, soon', async (t) => {
  const { b, of, leased, names } = await ranges(t, ranged('10.9.0.0/22', { exclude: ['10.9.3.232/29', '10.9.3.240/28'] }), 10);
  // 1022 less 23.
  for (const [i, name] of names.entries()) await of(name).want(i < 9 ? 100 : 99);
  await b.clock.advance(2000);
  assert.equal(leased().length, 999);
  assert.equal(new Set(leased()).size, 999);
});

test('one Pod more than addresses waits, and gets the first that is given back anywhere', async (t) => {
  const { b, of, leased } = await ranges(t, ranged('10.9.0.0/26'), 3);
  await of('n0').want(40);
  await of('n1').want(22);
  await b.clock.advance(2000);
  await of('n2').want(1);
  await b.clock.advance(30_000);
  assert.equal(leased().length, 62);
  assert.equal(of('n2').leases.length, 0);
  const { growth } = await b.status('n2');
  assert.match(growth[0]?.text ?? '', /none of its 62 addresses are free: nodes are asked to give back/);
  await of('n0').want(39);
  await b.clock.advance(2000);
  assert.equal(of('n2').leases.length, 1);
  assert.equal(new Set(leased()).size, 62);
});

test('idle addresses are called in wherever they are, also from among those in use', async (t) => {
  const { b, of, leased } = await ranges(t, ranged('10.9.0.0/26'), 3);
  await of('n0').want(62);
  await b.clock.advance(2000);
  // Every second Pod of it goes.
  await of('n0').keep((pod) => of('n0').leases.indexOf(pod) % 2 === 0);
  await of('n1').want(15);
  await of('n2').want(16);
  await b.clock.advance(2000);
  assert.deepEqual([of('n0').leases.length, of('n1').leases.length, of('n2').leases.length], [31, 15, 16]);
  assert.equal(new Set(leased()).size, 62);
});

test('a node whose last address was called in is served again when others have none to spare either', async (t) => {
  const { b, of, leased } = await ranges(t, ranged('10.9.0.0/27'), 2);
  await of('n0').want(30);
  await b.clock.advance(2000);
  for (let round = 0; round < 5; round++) {
    await of('n0').want(10);
    await of('n1').want(20);
    await b.clock.advance(2000);
    assert.deepEqual([of('n0').leases.length, of('n1').leases.length], [10, 20]);
    await of('n1').want(5);
    await of('n0').want(25);
    await b.clock.advance(2000);
    assert.deepEqual([of('n0').leases.length, of('n1').leases.length], [25, 5]);
  }
  assert.equal(new Set(leased()).size, 30);
});

test('perNode.maximum and perCluster.maximum hold for ranges as well, to the last address', async (t) => {
  const { b, of } = await ranges(t, ranged('10.9.0.0/20', { perNode: { maximum: 20 }, perCluster: { maximum: 50 } }), 3);
  for (const name of ['n0', 'n1', 'n2']) await of(name).want(30);
  await b.clock.advance(5000);
  const held = await Promise.all(['n0', 'n1', 'n2'].map(async (name) => (await b.status(name)).nics[0]?.blocks.length ?? 0));
  assert.equal(Math.max(...held), 20);
  assert.equal(
    held.reduce((a, c) => a + c),
    50,
  );
});

test('a range that is made another: what lies outside of it by now, or is its gateway, is asked back and given to no further Pod', async (t) => {
  const warm = { minimum: 16 };
  const { b, of } = await ranges(t, ranged('10.9.0.0/24', { warm }), 1);
  await of('n0').want(3);
  await b.clock.advance(2000);
  assert.deepEqual([of('n0').leases.length, (await b.status('n0')).nics[0]?.blocks.length], [3, 16]);
  const gateway = '10.9.0.28';
  b.subnets = [ranged('', { range: { parent: 'eth1', ipv4: { cidr: '10.9.0.0/24', first: '10.9.0.18', gateway } }, warm })];
  await of('n0').want(2);
  const kept = of('n0').leases.flatMap(({ addresses }) => addresses);
  await b.clock.advance(120_000);
  const [nic] = (await b.status('n0')).nics;
  const isWithin = (block: string): boolean => Number(block.split(/[./]/)[3]) >= 18 && block !== `${gateway}/32`;
  const inUse = new Set(kept.map((ip) => `${ip}/32`));
  assert.deepEqual(nic?.blocks.filter((block) => !isWithin(block)).toSorted(), [...inUse].filter((block) => !isWithin(block)).toSorted());
  await of('n0').want(20);
  await b.clock.advance(5000);
  const fresh = of('n0')
    .leases.flatMap(({ addresses }) => addresses)
    .filter((ip) => !kept.includes(ip));
  assert.equal(fresh.length, 18);
  assert.deepEqual(
    fresh.filter((ip) => !isWithin(`${ip}/32`)),
    [],
  );
});

test('both families: an address and a /80 of the same node', async (t) => {
  const both = ranged('10.9.0.0/24', {
    families: [4, 6],
    range: { parent: 'eth1', ipv4: { cidr: '10.9.0.0/24' }, ipv6: { cidr: 'fd00::/64', gateway: 'fd00::1' } },
  });
  const { b, of } = await ranges(t, both, 2);
  await of('n0').want(3);
  await of('n1').want(3);
  await b.clock.advance(2000);
  assert.equal(of('n0').leases.length, 3);
  assert.ok(of('n0').leases.every(({ addresses }) => addresses.length === 2));
  const blocks = await Promise.all(
    ['n0', 'n1'].map(async (name) => (await b.status(name)).nics[0]?.blocks.filter((block) => block.includes(':'))),
  );
  assert.deepEqual(blocks, [['fd00::1:0:0:0/80'], ['fd00::2:0:0:0/80']]);
});

test('IPv6 alone: a node needs one /80', async (t) => {
  const v6 = ranged('', { families: [6], range: { parent: 'eth1', ipv6: { cidr: 'fd00::/64' } } });
  const { b, of } = await ranges(t, v6, 1);
  await of('n0').want(100);
  await b.clock.advance(2000);
  assert.equal(of('n0').leases.length, 100);
  assert.equal((await b.status('n0')).nics[0]?.blocks.length, 1);
});

test('a draining node is rid of what stands for the range as well', async (t) => {
  const { b, of } = await ranges(t, ranged('10.9.0.0/24'), 1);
  of('n0').stop();
  const node = await b.networks.get('n0');
  assert.ok(node);
  const blocks = node.status.nics.flatMap((nic) => nic.blocks);
  await b.networks.writeSpec('n0', { ...node.spec, draining: 'now' });
  await b.clock.advance(1000);
  await b.networks.writeSpec('n0', { ...node.spec, draining: 'now', returned: blocks });
  await b.clock.advance(2000);
  const { nics, settled } = await b.status('n0');
  assert.deepEqual([nics, settled], [[], 'now']);
});

test('what nodes were told and the ledger lacks is written down again before anything is given', async (t) => {
  const { b, names, store, of } = await ranges(t, ranged('10.9.0.0/26'), 2);
  await of('n0').want(10);
  await b.clock.advance(1000);
  for (const { slice } of await store.list()) store.remove(slice);
  const ledger = await Ledger.open(store);
  const lines: string[] = [];
  await adoptGranted(
    ledger,
    await b.networks.list(),
    createLog('test', 'warn', (line) => lines.push(line)),
  );
  for (const name of names) {
    const told = (await b.status(name)).nics.flatMap(({ blocks }) => blocks);
    assert.deepEqual([...(ledger.ofNode(name).get('pods') ?? [])].toSorted(), told.toSorted());
  }
  assert.match(lines[0] ?? '', /which the ledger lacked, is written down again/);
});

test('a node without the interface is told so, gets no more, and gives back what others wait for', async (t) => {
  const { b, of, names } = await ranges(t, ranged('10.9.0.0/26'), 2);
  of('n0').stop();
  const nic = (await b.status('n0')).nics[0];
  assert.ok(nic);
  const demand = [{ subnet: 'pods', inUse: 0, cooling: 0, waiting: 40 }];
  const spec = { instance: 'n0' as InstanceId, demand, unplugged: [nic.id] };
  await b.networks.writeSpec('n0', { ...spec, returned: [] });
  await b.clock.advance(2000);
  const { nics, growth } = await b.status('n0');
  assert.equal(nics[0]?.blocks.length, nic.blocks.length);
  assert.match(growth[0]?.text ?? '', /^the node has no interface eth1, which PodSubnet pods names/);
  await of('n1').want(62);
  await b.clock.advance(2000);
  assert.equal(of('n1').leases.length, 62 - nic.blocks.length);
  assert.deepEqual((await b.status('n0')).nics[0]?.reclaiming.toSorted(), nic.blocks.toSorted());
  await b.networks.writeSpec('n0', { ...spec, returned: nic.blocks });
  await b.clock.advance(2000);
  assert.equal(of('n1').leases.length, 62, names.join(' '));
});
