/**
 * Pods that live on interfaces of which no new Pod gets an address, since the PodSubnet's datapath is another now or the node lacks the interface: the agent's
 * real pools, a real controller, a cloud in memory, a virtual clock.
 */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { Pools } from '../../src/agent/pools.ts';
import type { NicId } from '../../src/cloud/cloud.ts';
import type { Taken } from '../../src/ipam/pool.ts';
import type { Ip } from '../../src/net/address.ts';
import { hostCidr } from '../../src/net/cidr.ts';
import { bench, subnet } from './harness.ts';

/** No ADD of these gives up: what is waited for is counted in steps of the virtual clock. */
const PATIENCE_ms = 1_000_000_000;

/** A node whose Pods come with `datapath`. */
async function nodeWith(datapath: string, more: Record<string, unknown> = {}) {
  const one = bench();
  const make = (now: string, other: Record<string, unknown> = {}) =>
    subnet('pods', { cloudSubnet: 'subnet-a', default: true, datapath: now, useFirstNic: false, warm: { spare: 2 }, ...more, ...other });
  let config = make(datapath);
  one.subnets = [config];
  const at = one.cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6: 'fd00:20::/64' });
  const instance = one.cloud.launch('i-1', at, { nics: 16, addressSlotsPerNic: 30, ipv6SlotsPerNic: 4, branches: 20 });
  const pools = new Pools([config], { demandChanged: () => undefined });
  let lacks = (_: NicId): boolean => false;
  const write = async (nics: readonly NicId[]): Promise<void> => {
    const unplugged = nics.filter(lacks);
    const lacked = unplugged.length > 0 && { unplugged };
    await one.networks.writeSpec('n1', { instance, demand: pools.demand(), returned: pools.giveBack(), ...lacked });
  };
  await write([]);
  const controller = await one.controller();
  const pass = async (seconds: number): Promise<void> => {
    for (let i = 0; i < seconds; i++) {
      const status = await one.status();
      pools.configure([config]);
      const nics = status.nics.map(({ id }) => id);
      pools.grant(status, new Set(nics.filter((id) => !lacks(id))));
      await write(nics);
      await one.clock.advance(1000);
      await turn();
    }
  };
  return {
    one,
    pools,
    pass,
    /** So many more, which get their addresses within that many seconds, or there is an error. */
    async start(pods: number, within_s: number): Promise<Taken[]> {
      const taken: Taken[] = [];
      for (let i = 0; i < pods; i++) {
        void pools.lease(config, { pod: 'default/one', requested: [] }, PATIENCE_ms).then(
          (pod) => taken.push(pod),
          () => undefined,
        );
      }
      for (let i = 0; i < within_s && taken.length < pods; i++) await pass(1);
      assert.equal(taken.length, pods, `after ${within_s} s: ${JSON.stringify([pools.demand(), (await one.status()).growth])}`);
      return taken;
    },
    async become(now: string, other: Record<string, unknown> = {}): Promise<void> {
      config = make(now, other);
      one.subnets = [config];
      await controller.subnetsChanged();
    },
    /** The node has these no more, whatever the cloud says. */
    lack(which: (nic: NicId) => boolean): void {
      lacks = which;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      pools.stop();
      await controller.stop();
    },
  };
}

const nicsOf = (pods: readonly Taken[]): Set<string> => new Set(pods.map(({ nic }) => nic));
const addressesOf = (pods: readonly Taken[]): Set<Ip> => new Set(pods.flatMap(({ addresses }) => addresses));

for (const [from, to] of [
  ['routed-veth', 'nic'],
  ['nic', 'routed-veth'],
  ['routed-veth', 'branch'],
] as const) {
  for (const living of [3, 10]) {
    test(`with ${living} Pods alive on ${from}, new ones come by ${to} when that is the datapath now, and the old keep their addresses`, async () => {
      await using node = await nodeWith(from);
      const old = await node.start(living, 60);
      await node.pass(20);
      await node.become(to);
      await node.pass(10);
      assert.equal(node.pools.demand()[0]?.inUse, living, 'the living ones are in use, whatever their interface is for now');
      const fresh = await node.start(4, 120);
      assert.ok(nicsOf(fresh).isDisjointFrom(nicsOf(old)));
      assert.equal(node.pools.demand()[0]?.inUse, living + fresh.length);
      const there = new Set((await node.one.status()).nics.flatMap(({ blocks }) => blocks));
      for (const address of [...addressesOf(old), ...addressesOf(fresh)])
        assert.ok(there.has(hostCidr(address)), `${address} is granted still`);
      // What nobody has goes back, and at their end the rest of it.
      for (const { addresses } of old) node.pools.release('pods', addresses, 0);
      await node.pass(300);
      const left = (await node.one.status()).nics.filter(({ id }) => nicsOf(old).has(id));
      assert.deepEqual(left, [], 'the interfaces of before are gone');
    });
  }
}

/** Interfaces that have addresses for Pods. */
const withBlocks = async ({ one }: Awaited<ReturnType<typeof nodeWith>>): Promise<NicId[]> =>
  (await one.status()).nics.filter(({ blocks }) => blocks.length > 0).map(({ id }) => id);

for (const living of [3, 10]) {
  test(`with ${living} Pods alive on an interface that the node lacks and the cloud calls attached, new ones come on another`, async () => {
    await using node = await nodeWith('routed-veth');
    const old = await node.start(living, 60);
    await node.pass(20);
    const lacked = await withBlocks(node);
    node.lack((nic) => lacked.includes(nic));
    await node.pass(10);
    assert.equal(node.pools.demand()[0]?.inUse, living);
    const fresh = await node.start(1, 180);
    assert.ok(nicsOf(fresh).isDisjointFrom(nicsOf(old)));
    await node.pass(120);
    const more = await node.start(4, 10);
    assert.deepEqual(nicsOf(more), nicsOf(fresh), 'which fills up like the others');
    const there = (await node.one.status()).nics.find(({ id }) => lacked.includes(id));
    assert.deepEqual(there?.blocks.length, living, 'what Pods have stays, what nobody has goes');
    // It is seen again: no new one is made, and it serves.
    const before = node.one.changes().filter((name) => name === 'createNic').length;
    node.lack(() => false);
    for (const { addresses } of [...fresh, ...more]) node.pools.release('pods', addresses, 0);
    await node.pass(300);
    assert.equal((await node.start(8, 30)).length, 8);
    assert.equal(node.one.changes().filter((name) => name === 'createNic').length, before);
  });
}

for (const [what, more] of Object.entries({ 'a /28': { unit: 'prefix' }, 'a /80': { families: [6] } })) {
  for (const how of ['the node lacks', 'is of another datapath'] as const) {
    test(`with Pods alive in ${what} of an interface that ${how}, new ones come on another`, async () => {
      await using node = await nodeWith('routed-veth', more);
      const old = await node.start(3, 60);
      await node.pass(20);
      const lacked = await withBlocks(node);
      // Whole interfaces have single addresses, so the PodSubnet asks for no prefixes any more.
      if (how === 'the node lacks') node.lack((nic) => lacked.includes(nic));
      else await node.become('nic', { unit: 'address' });
      await node.pass(10);
      const fresh = await node.start(2, 240);
      assert.ok(nicsOf(fresh).isDisjointFrom(nicsOf(old)));
      const there = (await node.one.status()).nics.filter(({ id }) => lacked.includes(id)).flatMap(({ blocks }) => blocks);
      assert.ok(there.length > 0, 'what Pods live in stays');
      for (const { addresses } of old) node.pools.release('pods', addresses, 0);
      await node.pass(400);
      const left = (await node.one.status()).nics.filter(({ id }) => lacked.includes(id)).flatMap(({ blocks }) => blocks);
      assert.deepEqual(left, [], 'and goes with them');
    });
  }
}

test('an interface that the node sees only after a while costs nothing more', async () => {
  await using node = await nodeWith('routed-veth');
  await node.start(3, 60);
  await node.pass(20);
  const before = node.one.changes();
  const late = await withBlocks(node);
  node.lack((nic) => late.includes(nic));
  await node.pass(50);
  node.lack(() => false);
  await node.pass(200);
  assert.deepEqual(node.one.changes(), before);
});

test('on a node that sees no new interface at all a few are tried, and none is deleted to make another in its place', async () => {
  await using node = await nodeWith('routed-veth');
  node.lack((nic) => nic !== 'nic-1');
  await node.pass(900);
  const changes = node.one.changes();
  assert.ok(!changes.includes('deleteNic') && !changes.includes('detachNic'), String(changes));
  assert.equal(changes.filter((name) => name === 'createNic').length, 3);
  await node.pass(3600);
  assert.deepEqual(node.one.changes(), changes, 'then it is quiet');
});
