/** PodSubnets with blocks of one cloud subnet share the interfaces that the node has there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { type Cidr, containsCidr, hostCidr } from '../../src/net/cidr.ts';
import { subnetsOf, viewFor } from '../../src/store/nic-shares.ts';
import type { GrantedNic } from '../../src/store/node-network.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { failure } from '../../src/errors/failure.ts';
import { limitsOf } from '../../src/controller/cluster/node-limits.ts';
import { type Bench, bench, subnet } from './harness.ts';
import { SeveralPools } from './several-pools.ts';

const roomy = { nics: 6, addressSlotsPerNic: 64, ipv6SlotsPerNic: 4 };
const blocks = { a: '10.20.0.64/28', b: '10.20.0.128/27', c: '10.20.0.32/28' };
type Name = keyof typeof blocks;

function pods(name: Name, more: Record<string, unknown> = {}): PodSubnet {
  return subnet(name, { cloudSubnet: 'subnet-a', useFirstNic: false, warm: { spare: 0 }, within: [blocks[name]], ...more });
}

interface Started {
  readonly b: Bench;
  readonly node: SeveralPools;
  readonly instance: InstanceId;
  /** Beside the first, as the controller told them. */
  readonly further: () => Promise<GrantedNic[]>;
  /** So many Pods of each, one PodSubnet after the other. */
  readonly have: (counts: Readonly<Record<string, number>>) => Promise<void>;
  readonly change: (subnets: PodSubnet[]) => Promise<void>;
  readonly restart: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

async function start(subnets: PodSubnet[], limits = roomy): Promise<Started> {
  const b = bench();
  const instance = b.cloud.launch('i-1', b.cloud.addSubnet('subnet-a', '10.20.0.0/24'), limits);
  b.subnets = subnets;
  let running = await b.controller();
  const node = new SeveralPools(b.networks, instance, subnets);
  await node.sync();
  return {
    b,
    node,
    instance,
    further: async () => (await b.status()).nics.filter(({ deviceIndex }) => deviceIndex > 0),
    async have(counts) {
      for (const [name, count] of Object.entries(counts)) {
        await node.want(name, count);
        await b.clock.advance(20_000);
      }
    },
    async change(changed) {
      b.subnets = changed;
      await running.subnetsChanged();
    },
    async restart() {
      await running.stop();
      running = await b.controller();
    },
    async [Symbol.asyncDispose]() {
      node.stop();
      await running.stop();
    },
  };
}

function isIn(name: Name): (block: Cidr) => boolean {
  return (block) => containsCidr(blocks[name] as Cidr, block);
}

function addressesOf(node: SeveralPools, name: Name): Cidr[] {
  return (node.pods.get(name) ?? []).flatMap(({ addresses }) => addresses.map((one) => hostCidr(one)));
}

test('PodSubnets of one cloud subnet that want their first address at the same moment get one interface', async () => {
  await using one = await start([pods('a'), pods('b'), pods('c')]);
  const { node, b } = one;
  for (const name of ['a', 'b', 'c']) node.wanted.set(name, 3);
  await node.sync();
  await b.clock.advance(30_000);
  const [nic, ...others] = await one.further();
  assert.deepEqual([others.length, b.changes().filter((call) => call === 'createNic').length], [0, 1]);
  assert.deepEqual(nic && subnetsOf(nic), ['a', 'b', 'c']);
  for (const name of ['a', 'b', 'c'] as const) {
    assert.equal(addressesOf(node, name).length, 3);
    assert.ok(addressesOf(node, name).every(isIn(name)), addressesOf(node, name).join());
  }
});

test('security groups of their own, another datapath and IPv6 keep PodSubnets apart', async () => {
  const others = { securityGroups: { securityGroups: ['sg-other'] }, datapath: { datapath: 'ipvlan' }, families: { families: [4, 6] } };
  for (const [what, more] of Object.entries(others)) {
    const b = bench();
    const instance = b.cloud.launch('i-1', b.cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6: '2001:db8::/64' }), roomy);
    b.subnets = [pods('a'), pods('b', more)];
    const running = await b.controller();
    const node = new SeveralPools(b.networks, instance, b.subnets);
    await node.want('a', 2);
    await b.clock.advance(20_000);
    await node.want('b', 2);
    await b.clock.advance(20_000);
    const { nics } = await b.status();
    assert.equal(nics.length, 3, what);
    assert.ok(
      nics.every((nic) => nic.shared === undefined),
      what,
    );
    node.stop();
    await running.stop();
  }
});

test('a second interface is made when the first is full, for whoever needs it, and both use it', async () => {
  await using one = await start([pods('a'), pods('b')], { ...roomy, addressSlotsPerNic: 5 });
  await one.node.want('a', 3);
  await one.b.clock.advance(20_000);
  await one.node.want('b', 3);
  await one.b.clock.advance(30_000);
  assert.equal((await one.further()).length, 2);
  await one.node.want('a', 5);
  await one.b.clock.advance(30_000);
  assert.equal((await one.further()).length, 2, 'a has two of its addresses on the interface that was made for b');
  assert.deepEqual([addressesOf(one.node, 'a').length, addressesOf(one.node, 'b').length], [5, 3]);
});

test('perNode.interfaces counts interfaces of others that a PodSubnet has something of', async () => {
  await using one = await start([pods('a'), pods('b', { perNode: { interfaces: 1 } })], { ...roomy, addressSlotsPerNic: 4 });
  await one.node.want('a', 2);
  await one.b.clock.advance(20_000);
  await one.node.want('b', 3);
  await one.b.clock.advance(30_000);
  assert.equal((await one.further()).length, 1);
  assert.equal(addressesOf(one.node, 'b').length, 1);
  const said = (await one.b.status()).growth.find((growth) => growth.subnet === 'b');
  assert.match(said?.text ?? '', /perNode\.interfaces/);
});

test('the PodSubnet that the interface was made for goes: its Pods keep their addresses while they run, and the others have the interface', async () => {
  await using one = await start([pods('a'), pods('b')]);
  const { node, b } = one;
  await one.have({ a: 2, b: 2 });
  const [made] = await one.further();
  const before = { a: addressesOf(node, 'a'), b: addressesOf(node, 'b') };
  await one.change([pods('b')]);
  await b.clock.advance(120_000);
  await one.restart();
  await b.clock.advance(120_000);
  const granted = (await one.further())[0];
  assert.deepEqual([granted?.id, granted?.subnet, granted?.shared?.map((part) => part.subnet)], [made?.id, 'a', ['b']]);
  assert.deepEqual(granted && viewFor(granted, 'a').blocks.toSorted(), before.a.toSorted());
  await node.want('a', 0);
  await b.clock.advance(120_000);
  const [last, ...more] = await one.further();
  assert.deepEqual([last?.id, last?.subnet, last?.shared, more], [made?.id, 'b', undefined, []]);
  assert.deepEqual(addressesOf(node, 'b'), before.b);
  await node.want('b', 5);
  await b.clock.advance(20_000);
  assert.equal((await one.further()).length, 1, 'it grows where it is');
  await node.want('b', 0);
  await b.clock.advance(600_000);
  assert.deepEqual(await one.further(), [], 'and nothing is left in the end');
});

test('a guest that goes leaves the interface to the one it was made for; who is left without Pods last takes it along', async () => {
  await using one = await start([pods('a'), pods('b')]);
  const { node, b } = one;
  await one.have({ a: 1, b: 4 });
  await node.want('a', 0);
  await b.clock.advance(600_000);
  const [nic] = await one.further();
  assert.deepEqual([nic?.subnet, nic?.blocks.length, addressesOf(node, 'b').length], ['a', 4, 4], 'without Pods of a it stays for b');
  await node.want('b', 0);
  await b.clock.advance(600_000);
  assert.deepEqual(await one.further(), []);
  assert.equal(b.changes().filter((call) => call === 'createNic').length, 1);
});

test('an empty interface that the one it was made for keeps to hand is not taken away by its guests', async () => {
  await using one = await start([pods('a', { warm: { spare: 0, spareNics: 1 } }), pods('b')]);
  const { node, b } = one;
  await b.clock.advance(20_000);
  await node.want('b', 2);
  await b.clock.advance(20_000);
  await node.want('b', 0);
  await b.clock.advance(600_000);
  const [nic, ...others] = await one.further();
  assert.deepEqual([nic?.subnet, nic?.blocks, others], ['a', [], []]);
  // While b used the spare one, a had another.
  const made = b.changes().filter((call) => call === 'createNic');
  assert.equal(made.length, 2);
  await b.clock.advance(1_800_000);
  assert.deepEqual(
    b.changes().filter((call) => call === 'createNic'),
    made,
    'and it stays',
  );
});

test('a block that another PodSubnet is given stays with the Pods that have it, and is the other’s when they have ended', async () => {
  await using one = await start([pods('a'), pods('b')]);
  const { node, b } = one;
  await one.have({ a: 2, b: 1 });
  const old = addressesOf(node, 'a');
  await one.change([pods('a', { within: [blocks.c] }), pods('b', { within: [blocks.a, blocks.b] })]);
  await b.clock.advance(120_000);
  const nic = (await one.further())[0];
  assert.deepEqual(nic && viewFor(nic, 'a').blocks.filter(isIn('a')).toSorted(), old.toSorted());
  assert.ok(nic?.shared?.every(({ blocks: its }) => its.every((block) => !old.includes(block))));
  await node.want('a', 0);
  await b.clock.advance(120_000);
  assert.equal(
    (await one.further()).flatMap((left) => viewFor(left, 'a').blocks).filter((block) => old.includes(block)).length,
    0,
    'they are asked back and taken',
  );
});

test('a controller that knows nothing any more tells blocks apart by the PodSubnets that have them', async () => {
  await using one = await start([pods('a'), pods('b')]);
  const { b } = one;
  await one.have({ a: 2, b: 2 });
  const before = await one.further();
  const { spec } = (await b.networks.get('n1')) ?? assert.fail();
  b.networks.remove('n1');
  await b.networks.writeSpec('n1', spec);
  await one.restart();
  await b.clock.advance(60_000);
  const after = await one.further();
  const sorted = (nics: GrantedNic[], name: Name): Cidr[] => nics.flatMap((nic) => viewFor(nic, name).blocks).toSorted();
  for (const name of ['a', 'b'] as const) assert.deepEqual(sorted(after, name), sorted(before, name));
});

test('a guest’s addresses on the first interface stay granted while its Pods run, also when guest and host are gone', async () => {
  const guests = [pods('a', { useFirstNic: true }), pods('b', { useFirstNic: true })];
  await using one = await start(guests);
  const { node, b } = one;
  await node.want('b', 2);
  await b.clock.advance(20_000);
  const before = addressesOf(node, 'b').toSorted();
  await one.change([]);
  await b.clock.advance(120_000);
  const first = (await b.status()).nics.find(({ deviceIndex }) => deviceIndex === 0);
  assert.deepEqual(first && first.blocks.toSorted(), before);
  await node.want('b', 0);
  await b.clock.advance(120_000);
  assert.deepEqual(
    b.cloud.truth().flatMap((nic) => nic.blocks),
    [],
    'and they go with them',
  );
});

test('an interface that nobody plugs in who it was made for is plugged in by one that may share it; refused, that one says why', async () => {
  await using one = await start([pods('a'), pods('b')]);
  const { node, b } = one;
  b.cloud.fault = ({ name }) => (name === 'attachNic' ? failure('cloudDenied', { cloud: 'memory', call: name, text: 'no' }) : 'none');
  await node.want('a', 1);
  await b.clock.advance(5000);
  await node.want('a', 0);
  await node.want('b', 1);
  await b.clock.advance(60_000);
  assert.match((await b.status()).growth.find((growth) => growth.subnet === 'b')?.text ?? '', /attachNic: no/);
  b.cloud.fault = () => 'none';
  await b.clock.advance(900_000);
  assert.equal(addressesOf(node, 'b').length, 1);
  assert.equal(b.changes().filter((call) => call === 'createNic').length, 1);
});

test('a full interface does not use up what a guest may have of them', async () => {
  await using one = await start([pods('a'), pods('b', { perNode: { interfaces: 1 } })], { ...roomy, nics: 3, addressSlotsPerNic: 4 });
  await one.node.want('a', 4);
  await one.b.clock.advance(30_000);
  await one.node.want('b', 2);
  await one.b.clock.advance(30_000);
  assert.equal(addressesOf(one.node, 'b').length, 2);
});

test('an interface that only guests use is none of the PodSubnet that it was made for any more', async () => {
  const elsewhere = pods('a', { cloudSubnet: 'subnet-b', within: ['10.20.1.0/28'], perNode: { interfaces: 1 } });
  await using one = await start([pods('a', { perNode: { interfaces: 1 } }), pods('b')]);
  one.b.cloud.addSubnet('subnet-b', '10.20.1.0/24');
  await one.have({ a: 1, b: 2 });
  await one.node.want('a', 0);
  await one.change([elsewhere, pods('b')]);
  await one.b.clock.advance(120_000);
  await one.node.want('a', 1);
  await one.b.clock.advance(60_000);
  const granted = (await one.further()).filter((nic) => subnetsOf(nic).includes('a')).flatMap((nic) => viewFor(nic, 'a').blocks);
  assert.ok(
    granted.some((block) => containsCidr('10.20.1.0/28' as Cidr, block)),
    granted.join(),
  ); // as written above
});

test('what a PodSubnet excludes of its own blocks goes back, as another one may have it', async () => {
  await using one = await start([pods('a')]);
  await one.node.want('a', 2);
  await one.b.clock.advance(20_000);
  await one.change([pods('a', { exclude: [blocks.a], within: [blocks.a, blocks.b] })]);
  await one.node.want('a', 0);
  await one.b.clock.advance(300_000);
  assert.deepEqual((await one.further()).flatMap((nic) => nic.blocks).filter(isIn('a')), []);
});

test('the scheduler is told what a PodSubnet may get on interfaces of others', async () => {
  const b = bench();
  const instance = b.cloud.launch('i-1', b.cloud.addSubnet('subnet-a', '10.20.0.0/24'), { ...roomy, nics: 2, addressSlotsPerNic: 10 });
  b.subnets = [pods('a'), pods('b')];
  let limits: ReturnType<typeof limitsOf> = new Map();
  const running = await b.controller({ observe: (situation, plan) => (limits = limitsOf(situation, plan)) });
  const node = new SeveralPools(b.networks, instance, b.subnets);
  await node.want('a', 4);
  await b.clock.advance(30_000);
  assert.deepEqual([limits.get('a')?.room, limits.get('b')?.limit], [5, 5]);
  node.stop();
  await running.stop();
});
