/** A node that holds far more than it needs, while Pods that live long sit on addresses all over: the rest goes back all the same, and quietly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Controller } from '../../src/controller/controller.ts';
import { usualTimings } from '../../src/controller/world.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { carries } from '../cloud/memory-cloud.ts';
import { type Agent, agent, type Bench, bench, demand, subnet } from './harness.ts';

const config = subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 5 } });

interface Node extends Bench {
  readonly node: Agent;
  readonly running: Controller;
  /** Addresses on the node's NICs, as the cloud has them. */
  readonly held: () => number;
  readonly inUseIsThere: () => void;
}

/** A node with 100 Pods, of which those that `stays` names by their places, the oldest first, stay. */
async function crowded(stays: readonly number[], of: PodSubnet = config): Promise<Node> {
  const one = bench();
  const { clock, cloud, networks, controller } = one;
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/22'), { addressSlotsPerNic: 130 });
  const running = await controller({ subnets: () => [of] });
  const node = await agent(networks, instance, of);
  await node.want(100);
  await clock.advance(20_000);
  assert.equal(node.leases.length, 100);
  const staying = new Set(stays.flatMap((place) => node.leases[place] ?? []));
  await node.keep((pod) => staying.has(pod));
  const held = (): number => cloud.truth().reduce((sum, { blocks }) => sum + blocks.length, 0);
  const inUseIsThere = (): void => {
    for (const ip of node.leases.flatMap(({ addresses }) => addresses))
      assert.ok(carries(cloud.truth(), instance, ip), `${ip} was taken away`);
  };
  return { ...one, node, running, held, inUseIsThere };
}

const lowest = (count: number): number[] => Array.from({ length: count }, (_, place) => place);

for (const [where, stays] of [
  ['the lowest addresses', lowest(30)],
  ['the highest addresses', lowest(100).slice(70)],
  ['every third address', lowest(90).filter((place) => place % 3 === 0)],
] as const)
  test(`of 100 addresses 60 go back while 30 Pods stay on ${where}; then nothing is asked any more`, async () => {
    const { clock, node, running, held, status, networks, inUseIsThere } = await crowded(stays);
    const before = networks.statusWrites() + node.writes();
    for (let passed = 0; held() > 40 && passed < 600; passed += 5) {
      await clock.advance(5000);
      inUseIsThere();
    }
    // 30 in use, and twice the spare free.
    assert.equal(held(), 40);
    await clock.advance(600_000);
    assert.equal(held(), 40);
    assert.deepEqual((await status()).nics[0]?.reclaiming, []);
    const writes = networks.statusWrites() + node.writes() - before;
    assert.ok(writes <= 40, `${writes} writes`);
    node.stop();
    await running.stop();
  });

test('a controller that follows another one in the middle of it buys nothing', async () => {
  const { clock, node, running, held, networks, controller, changes, inUseIsThere } = await crowded(
    lowest(90).filter((place) => place % 3 === 0),
  );
  await clock.advance(5000);
  await running.stop();
  assert.ok(held() < 100);
  const assigned = (): number => changes().filter((name) => name === 'assign').length;
  const before = assigned();
  const next = await controller({ subnets: () => [config] });
  await clock.advance(600_000);
  inUseIsThere();
  assert.equal(assigned(), before);
  assert.equal(held(), 40);
  assert.deepEqual((await networks.get('n1'))?.status.nics[0]?.reclaiming, []);
  node.stop();
  await next.stop();
});

test('asks that Pods need again are withdrawn before the cloud is asked for more', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 130 });
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 45 });
  await clock.advance(1000);
  const asked = async (): Promise<number> => (await status()).nics[0]?.reclaiming.length ?? 0;
  await demand(networks, instance, { inUse: 20 });
  await clock.advance(1000);
  assert.equal(await asked(), 20, '50 are held: 20 in use, twice the spare free');
  await demand(networks, instance, { inUse: 25 });
  await clock.advance(1000);
  assert.equal(await asked(), 20, 'spare is free without them');
  await demand(networks, instance, { inUse: 25, waiting: 3 });
  await clock.advance(1000);
  assert.equal(await asked(), 12, 'and twice the spare again, the Pods that wait served');
  await demand(networks, instance, { inUse: 45 });
  await clock.advance(1000);
  assert.equal(await asked(), 0);
  assert.deepEqual(changes(), ['assign']);
  await running.stop();
});

test('what is given back just when its ask was withdrawn goes back too, and is no room for Pods meanwhile', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 130 });
  const running = await controller({ subnets: () => [config] });
  await demand(networks, instance, { inUse: 15 });
  await clock.advance(1000);
  await demand(networks, instance, { inUse: 5 });
  await clock.advance(1000);
  const [given] = (await status()).nics[0]?.reclaiming ?? [];
  assert.ok(given);
  await demand(networks, instance, { inUse: 15 });
  await clock.advance(1000);
  assert.deepEqual((await status()).nics[0]?.reclaiming, []);
  await demand(networks, instance, { inUse: 15 }, { returned: [given] });
  await clock.advance(1000);
  assert.deepEqual(changes(), ['assign', 'assign', 'unassign'], 'one more first, then the other goes');
  const blocks = (await status()).nics[0]?.blocks ?? [];
  assert.equal(blocks.length, 20);
  assert.ok(!blocks.includes(given));
  assert.deepEqual(blocks.toSorted(), cloud.truth()[0]?.blocks.toSorted());
  await running.stop();
});

test('where every prefix has a Pod that stays, nothing goes back and hardly anything is written', async () => {
  const prefixes = subnet('pods', { cloudSubnet: 'subnet-a', default: true, unit: 'prefix', warm: { spare: 5 } });
  const { clock, node, running, networks, held, inUseIsThere } = await crowded(
    lowest(100).filter((place) => place % 16 === 2),
    prefixes,
  );
  assert.equal(held(), 7);
  await clock.advance(600_000);
  const before = networks.statusWrites() + node.writes();
  await clock.advance(24 * 3_600_000);
  inUseIsThere();
  assert.equal(held(), 7);
  const writes = networks.statusWrites() + node.writes() - before;
  assert.ok(writes <= 24 * 4 * 4, `${writes} writes in a day`);
  node.stop();
  await running.stop();
});

test('whatever Pods come and go, and whenever controllers follow each other: in use is never taken, and what is too much goes', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('want' as const), pods: fc.integer({ min: 0, max: 110 }) }),
    fc.record({ do: fc.constant('keep' as const), every: fc.integer({ min: 2, max: 7 }), from: fc.integer({ min: 0, max: 6 }) }),
    fc.record({ do: fc.constant('follow' as const) }),
  );
  const steps = fc.array(fc.tuple(step, fc.integer({ min: 10, max: 90_000 })), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const { clock, node, running, held, status, controller, inUseIsThere } = await crowded(lowest(50));
      let present = running;
      for (const [what, pause_ms] of all) {
        if (what.do === 'want') await node.want(what.pods);
        else if (what.do === 'keep') await node.keep((pod) => node.leases.indexOf(pod) % what.every === what.from % what.every);
        else {
          await present.stop();
          present = await controller({ subnets: () => [config] });
        }
        for (let passed = 0; passed < pause_ms; passed += 10_000) {
          await clock.advance(Math.min(10_000, pause_ms - passed));
          inUseIsThere();
        }
      }
      // One that is too much beside so many in use may be the last that is tried, each for a minute.
      await clock.advance(120 * usualTimings.stuck_ms);
      inUseIsThere();
      const free = held() - node.leases.length;
      assert.ok(free >= 5 && free <= 10, `${free} free`);
      assert.deepEqual(
        (await status()).nics.flatMap(({ reclaiming }) => reclaiming),
        [],
      );
      node.stop();
      await present.stop();
    }),
    { numRuns: 8, examples: [[[[{ do: 'want', pods: 93 }, 10]]]] },
  );
});
