/** The ledger and the driver over it: what is written down counts, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import type { InstanceId, NicId } from '../../../src/cloud/cloud.ts';
import { Ledger } from '../../../src/cloud/range/ledger.ts';
import type { LedgerStore } from '../../../src/cloud/range/ledger-store.ts';
import { rangeCloud } from '../../../src/cloud/range/range-cloud.ts';
import type { PodRange } from '../../../src/cloud/range/ranges.ts';
import { rangeNic, rangeSubnet } from '../../../src/cloud/range/ids.ts';
import { isFailure } from '../../../src/errors/failure.ts';
import { type Cidr, parseCidr } from '../../../src/net/cidr.ts';
import { tagsOfNode } from '../../../src/controller/tags.ts';
import { memoryLedger } from './memory-ledger.ts';

const ranges: PodRange[] = [
  { podSubnet: 'pods', since: '', parent: 'eth1', mtu: 1500, shared: false, exclude: [], ipv4: { cidr: parseCidr('10.0.0.0/26') } },
];
const nodes = ['n1', 'n2', 'n3'];

async function driver(store: LedgerStore, more: { ranges?: PodRange[]; nodes?: readonly string[] } = {}) {
  const known = more.nodes ?? nodes;
  const all = more.ranges ?? ranges;
  const cloud = rangeCloud({
    cluster: 'test',
    ledger: await Ledger.open(store),
    ranges: () => all,
    node: (name) =>
      known.includes(name) ? { instance: name as InstanceId, podSubnets: all.map(({ podSubnet }) => podSubnet) } : undefined,
  });
  const nicOf = async (node: string, podSubnet = 'pods'): Promise<NicId> => {
    const found = (await cloud.nics({ tags: tagsOfNode('test', node) })).find(({ subnet }) => subnet === rangeSubnet(podSubnet));
    assert.ok(found);
    return found.id;
  };
  const has = async (node: string): Promise<Cidr[]> =>
    (await cloud.nics({ tags: tagsOfNode('test', node) })).flatMap(({ blocks }) => blocks);
  return { cloud, nicOf, has };
}

test('each node has an interface of each range, always there, on the interface that the range names', async () => {
  const { cloud } = await driver(memoryLedger());
  const [nic] = await cloud.nics({ instance: 'n1' as InstanceId });
  assert.deepEqual([nic?.id, nic?.attachment?.state, nic?.blocks], [rangeNic('pods', 'n1'), 'attached', []]);
  const [subnet] = await cloud.subnets([rangeSubnet('pods')]);
  assert.deepEqual([subnet?.parent, subnet?.cidr4, subnet?.free4], ['eth1', '10.0.0.0/26', 62]);
  assert.equal((await cloud.instance('n1' as InstanceId)).isBare, true);
});

test('all that there is can be given, and then it is full', async () => {
  const { cloud, nicOf, has } = await driver(memoryLedger());
  await cloud.assign(await nicOf('n1'), { addresses4: 40 });
  await assert.rejects(cloud.assign(await nicOf('n2'), { addresses4: 23 }), (error) => isFailure(error, 'cloudSubnetFull'));
  await cloud.assign(await nicOf('n2'), { addresses4: 22 });
  const all = [...(await has('n1')), ...(await has('n2'))];
  assert.equal(new Set(all).size, 62);
  await cloud.unassign(await nicOf('n1'), ['10.0.0.1/32' as Cidr, '10.0.0.200/32' as Cidr]);
  assert.deepEqual(await cloud.assign(await nicOf('n3'), { addresses4: 1 }), ['10.0.0.1/32']);
});

test('addresses by value: those it has are success, another’s are taken, those outside are invalid; all or none', async () => {
  const { cloud, nicOf, has } = await driver(memoryLedger());
  const these = (...blocks: string[]) => ({ these: blocks.map(parseCidr) });
  assert.deepEqual(await cloud.assign(await nicOf('n1'), these('10.0.0.9/32')), ['10.0.0.9/32']);
  await cloud.assign(await nicOf('n1'), these('10.0.0.9/32', '10.0.0.16/28'));
  await assert.rejects(cloud.assign(await nicOf('n2'), these('10.0.0.50/32', '10.0.0.9/32')), (error) =>
    isFailure(error, 'cloudAddressTaken'),
  );
  await assert.rejects(cloud.assign(await nicOf('n2'), these('10.0.0.0/32')), (error) => isFailure(error, 'cloudInvalid'));
  await assert.rejects(cloud.assign(await nicOf('n2'), these('10.0.1.0/32')), (error) => isFailure(error, 'cloudInvalid'));
  assert.deepEqual([(await has('n1')).length, await has('n2')], [17, []]);
});

test('what many nodes ask for at once is written down together', async () => {
  const store = memoryLedger();
  const many = Array.from({ length: 20 }, (_, i) => `n${i}`);
  const { cloud, nicOf } = await driver(store, { nodes: many });
  const nics = await Promise.all(many.map((node) => nicOf(node)));
  store.delay = () => sleep(1);
  await Promise.all(nics.map((nic) => cloud.assign(nic, { addresses4: 3 })));
  assert.ok(store.writes() <= 2, `${store.writes()} writes`);
});

test('a leader that was overtaken gives nothing away twice: its write is refused, and it goes by what the other wrote', async () => {
  const store = memoryLedger();
  const [old, young] = [await driver(store), await driver(store)];
  await young.cloud.assign(await young.nicOf('n1'), { addresses4: 60 });
  await assert.rejects(old.cloud.assign(await old.nicOf('n2'), { addresses4: 3 }), (error) => isFailure(error, 'cloudSubnetFull'));
  await old.cloud.assign(await old.nicOf('n2'), { addresses4: 2 });
  assert.equal(new Set([...(await old.has('n1')), ...(await old.has('n2'))]).size, 62);
});

test('what a leader that was overtaken wants to take back stays: it may have been given anew', async () => {
  const store = memoryLedger();
  const old = await driver(store);
  const nic = await old.nicOf('n1');
  await old.cloud.assign(nic, { addresses4: 4 });
  const [first] = await old.has('n1');
  assert.ok(first);
  const young = await driver(store);
  await young.cloud.unassign(await young.nicOf('n1'), [first]);
  await young.cloud.assign(nic, { these: [first] });
  await assert.rejects(old.cloud.unassign(nic, [first]), (error) => isFailure(error, 'cloudConflict'));
  assert.ok((await old.has('n1')).includes(first));
  await old.cloud.unassign(nic, [first]);
  assert.ok(!(await old.has('n1')).includes(first), 'thought over');
});

test('an answer that was lost is told as unclear, and the next look shows what is so', async () => {
  for (const [fault, expected] of [
    ['loseAnswer', 5],
    ['refuse', 0],
  ] as const) {
    const store = memoryLedger();
    const { cloud, nicOf, has } = await driver(store);
    store.fault = () => fault;
    await assert.rejects(cloud.assign(await nicOf('n1'), { addresses4: 5 }), (error) => isFailure(error, 'cloudUnavailable'));
    store.fault = () => 'none';
    assert.equal((await has('n1')).length, expected);
  }
});

test('a list that was under way while addresses were given takes none of them back from memory', async () => {
  const store = memoryLedger();
  const ledger = await Ledger.open(store);
  const slice = parseCidr('10.0.0.0/20');
  const holder = { node: 'n1', podSubnet: 'pods' };
  await ledger.change(slice, (one) => one.give(holder, [1]));
  const { promise, resolve } = Promise.withResolvers<void>();
  const list = store.list.bind(store);
  store.list = async () => {
    const before = await list();
    await promise;
    return before;
  };
  const refreshing = ledger.refresh();
  await ledger.change(slice, (one) => one.give(holder, [2, 3]));
  resolve();
  await refreshing;
  const given = ['10.0.0.1/32', '10.0.0.2/32', '10.0.0.3/32'];
  assert.deepEqual(ledger.ofNode('n1').get('pods'), given);
  const other = await Ledger.open(store);
  await other.change(slice, (one) => one.give(holder, [4]));
  store.list = list;
  await ledger.refresh();
  assert.deepEqual(ledger.ofNode('n1').get('pods'), [...given, '10.0.0.4/32'], 'a newer one is taken');
});

test('looking again at what nobody was sure of believes no answer that is older than a write since', async () => {
  const store = memoryLedger();
  const ledger = await Ledger.open(store);
  const slice = parseCidr('10.0.0.0/20');
  const holder = { node: 'n1', podSubnet: 'pods' };
  await ledger.change(slice, (one) => one.give(holder, [1]));
  store.fault = () => 'refuse';
  await assert.rejects(
    ledger.change(slice, (one) => one.give(holder, [2])),
    (error) => isFailure(error, 'cloudUnavailable'),
  );
  store.fault = () => 'none';
  const { promise, resolve } = Promise.withResolvers<void>();
  const read = store.read.bind(store);
  store.read = async (cidr) => {
    const before = await read(cidr);
    store.read = read;
    await promise;
    return before;
  };
  const settling = ledger.settle();
  const giving = ledger.change(slice, (one) => one.give(holder, [3]));
  await sleep(1);
  resolve();
  await Promise.all([settling, giving]);
  assert.deepEqual(ledger.ofNode('n1').get('pods'), ['10.0.0.1/32', '10.0.0.3/32']);
});

test('a ledger that somebody deleted is written down again as it was known', async () => {
  const store = memoryLedger();
  const { cloud, nicOf } = await driver(store);
  await cloud.assign(await nicOf('n1'), { addresses4: 10 });
  store.remove(parseCidr('10.0.0.0/20'));
  await cloud.assign(await nicOf('n2'), { addresses4: 10 });
  const after = await driver(store);
  assert.equal(new Set([...(await after.has('n1')), ...(await after.has('n2'))]).size, 20);
});

test('a node that is gone keeps what it has until its interface is deleted, which is refused while there is the Node', async () => {
  const store = memoryLedger();
  const before = await driver(store);
  await before.cloud.assign(await before.nicOf('n1'), { addresses4: 10 });
  await assert.rejects(before.cloud.deleteNic(await before.nicOf('n1')), (error) => isFailure(error, 'cloudConflict'));
  const after = await driver(store, { nodes: ['n2'] });
  const [left] = await after.cloud.nics({ tags: { 'flatpod.dev/cluster': 'test' } });
  assert.deepEqual([left?.id, left?.attachment, left?.blocks.length], [rangeNic('pods', 'n1'), undefined, 10]);
  assert.equal((await after.cloud.instance('n1' as InstanceId)).state, 'running', 'nobody knows');
  await after.cloud.deleteNic(rangeNic('pods', 'n1'));
  assert.deepEqual(await after.has('n1'), []);
  assert.equal((await after.cloud.instance('n1' as InstanceId)).state, 'terminated');
});

test('a range larger than a slice is filled to its last address', async () => {
  const large: PodRange[] = [{ ...(ranges[0] as PodRange), ipv4: { cidr: parseCidr('10.0.0.0/18') } }]; // there is one
  const { cloud, nicOf } = await driver(memoryLedger(), { ranges: large });
  await cloud.assign(await nicOf('n1'), { addresses4: 6000 });
  await cloud.assign(await nicOf('n2'), { addresses4: 10_382 });
  assert.equal(cloud.room('pods')?.free, 0);
});

test('two PodSubnets that share a range never give one address twice, and one whose range is in the way of another’s gives none', async () => {
  const [pods] = ranges;
  assert.ok(pods);
  const shared: PodRange[] = [
    { ...pods, shared: true },
    { ...pods, podSubnet: 'more', shared: true, ipv4: { cidr: parseCidr('10.0.0.0/27') } },
  ];
  const both = await driver(memoryLedger(), { ranges: shared });
  await both.cloud.assign(await both.nicOf('n1'), { addresses4: 31 });
  await both.cloud.assign(await both.nicOf('n2', 'more'), { addresses4: both.cloud.room('more')?.free ?? 0 });
  const all = [...(await both.has('n1')), ...(await both.has('n2'))];
  assert.equal(new Set(all).size, all.length);
  const apart = await driver(memoryLedger(), { ranges: shared.map((one) => ({ ...one, shared: false, since: one.podSubnet })) });
  await assert.rejects(apart.cloud.assign(await apart.nicOf('n1', 'pods'), { addresses4: 1 }), (error) => isFailure(error, 'cloudInvalid'));
  const [subnet] = await apart.cloud.subnets([rangeSubnet('pods')]);
  assert.match(subnet?.refused ?? '', /PodSubnet more .* in both pods and more$/);
  await apart.cloud.assign(await apart.nicOf('n1', 'more'), { addresses4: 1 });
});

test('drivers that work against each other, with writes that fail and answers that are lost, never give one address to two nodes', async () => {
  const step = fc.record({
    driver: fc.nat(2),
    node: fc.nat(2),
    give: fc.integer({ min: -12, max: 12 }),
    fault: fc.constantFrom('none', 'none', 'refuse', 'loseAnswer'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const store = memoryLedger();
      const drivers = await Promise.all([driver(store), driver(store), driver(store)]);
      const running = steps.map(async ({ driver: which, node: n, give, fault }) => {
        const { cloud, nicOf, has } = drivers[which] ?? assert.fail();
        const node = nodes[n] ?? assert.fail();
        store.fault = () => fault;
        try {
          if (give > 0) await cloud.assign(await nicOf(node), { addresses4: give });
          else await cloud.unassign(await nicOf(node), (await has(node)).slice(give));
        } catch (error) {
          assert.ok(isFailure(error) && error.kind.startsWith('cloud'), String(error));
        }
      });
      await Promise.all(running);
      store.fault = () => 'none';
      const truth = await driver(store);
      const all = (await Promise.all(nodes.map((node) => truth.has(node)))).flat();
      assert.equal(new Set(all).size, all.length);
    }),
    { numRuns: 150 },
  );
});
