/** perCluster.maximum: all nodes together never hold more, whatever happens at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { failure } from '../../src/errors/failure.ts';
import { cidrFamily, sizeOf } from '../../src/net/cidr.ts';
import { bench, type Bench, demand, subnet } from './harness.ts';
import type { Fault } from '../cloud/memory-cloud.ts';

const roomy = { nics: 4, addressSlotsPerNic: 64, ipv6SlotsPerNic: 4 };

function limited(maximum: number, more: Record<string, unknown> = {}) {
  return subnet('pods', {
    cloudSubnet: 'subnet-a',
    default: true,
    warm: { spare: 2 },
    perNode: { maximum: Math.min(maximum, 32) },
    perCluster: { maximum },
    ...more,
  });
}

/** What the cloud knows of, beside the interfaces' own addresses. */
function heldInTruth({ cloud }: Bench): number {
  return cloud
    .truth()
    .flatMap(({ blocks }) => blocks)
    .filter((block) => cidrFamily(block) === 4)
    .reduce((sum, block) => sum + Number(sizeOf(block)), 0);
}

function launch({ cloud }: Bench, nodes: number, limits = roomy): InstanceId[] {
  const at = cloud.addSubnet('subnet-a', '10.20.0.0/22');
  return Array.from({ length: nodes }, (_, i) => cloud.launch(`i-${i}`, at, limits));
}

test('all nodes together hold no more than perCluster.maximum, and those that are stopped by it say so in numbers', async () => {
  const one = bench();
  const instances = launch(one, 3);
  one.subnets = [limited(20)];
  const running = await one.controller();
  for (const [i, instance] of instances.entries()) await demand(one.networks, instance, { inUse: 0, waiting: 8 }, {}, `n${i}`);
  await one.clock.advance(5000);
  assert.equal(heldInTruth(one), 20);
  const stops = await Promise.all([0, 1, 2].map(async (i) => (await one.status(`n${i}`)).growth[0]));
  const stopped = stops.filter((growth) => growth?.stoppedBy === 'ceiling');
  assert.ok(stopped.length > 0);
  for (const growth of stopped) {
    assert.match(
      growth?.text ?? '',
      /^all nodes together hold 20 of at most 20 addresses of pods, \d+ of them on this node; raise perCluster\.maximum of PodSubnet pods, or let Pods on other nodes end$/,
    );
  }
  await running.stop();
});

test('what one node gives back goes to one that waits for it, without another change of that node', async () => {
  const one = bench();
  const [a, b] = launch(one, 2);
  assert.ok(a !== undefined && b !== undefined);
  one.subnets = [limited(12, { warm: { spare: 0 } })];
  const running = await one.controller();
  await demand(one.networks, a, { waiting: 12 }, {}, 'a');
  await one.clock.advance(2000);
  await demand(one.networks, b, { waiting: 5 }, {}, 'b');
  await one.clock.advance(2000);
  assert.equal((await one.status('b')).nics[0]?.blocks.length, 0);
  await demand(one.networks, a, { inUse: 7 }, {}, 'a');
  await one.clock.advance(2000);
  const asked = (await one.status('a')).nics.flatMap(({ reclaiming }) => reclaiming);
  assert.equal(asked.length, 5);
  await demand(one.networks, a, { inUse: 7 }, { returned: asked }, 'a');
  await one.clock.advance(5000);
  assert.equal((await one.status('b')).nics[0]?.blocks.length, 5);
  assert.equal(heldInTruth(one), 12);
  await running.stop();
});

test('a controller that takes over lets nothing grow under the ceiling before it has counted what all nodes hold', async () => {
  const one = bench();
  const [a, b] = launch(one, 2);
  assert.ok(a !== undefined && b !== undefined);
  one.subnets = [limited(16, { warm: { spare: 0 } })];
  const first = await one.controller();
  await demand(one.networks, a, { waiting: 4 }, {}, 'a');
  await demand(one.networks, b, {}, {}, 'b');
  await one.clock.advance(2000);
  // It dies after a call that its successor finds in the cloud alone.
  one.cloud.fault = ({ name }) => (name === 'assign' ? 'dieAfter' : 'none');
  await demand(one.networks, a, { waiting: 14 }, {}, 'a');
  await one.clock.advance(100);
  one.cloud.fault = () => 'none';
  void first.stop();
  await demand(one.networks, b, { waiting: 14 }, {}, 'b');
  const second = await one.controller();
  await one.clock.advance(10_000);
  assert.equal(heldInTruth(one), 16);
  await second.stop();
});

test('a ceiling that was lowered takes back what is spare', async () => {
  const one = bench();
  const [a] = launch(one, 1);
  assert.ok(a !== undefined);
  one.subnets = [limited(20, { warm: { spare: 6 } })];
  const running = await one.controller();
  await demand(one.networks, a, { inUse: 8 }, {}, 'a');
  await one.clock.advance(2000);
  assert.equal(heldInTruth(one), 14);
  one.subnets = [limited(9, { warm: { spare: 6 } })];
  await running.subnetsChanged();
  await one.clock.advance(3000);
  assert.equal((await one.status('a')).nics.flatMap(({ reclaiming }) => reclaiming).length, 6);
  await running.stop();
});

type Step = { readonly node: number; readonly inUse: number; readonly waiting: number; readonly wait_ms: number };

const faults: readonly Fault[] = [
  'none',
  'none',
  'none',
  'loseRequest',
  'loseAnswer',
  failure('cloudThrottled', { cloud: 'test', call: 'assign', text: 'slow down' }),
];

/** A NIC is intended with others, and its call is made a minute later: the answer is lost, and no read shows it at once. */
const lateCall = {
  maximum: 16,
  unit: 'address',
  slots: 4,
  steps: [
    [2, 0],
    [0, 0],
    [0, 2],
    [2, 10],
    [3, 0],
  ].map(([node = 0, waiting = 0]): Step => ({ node, waiting, inUse: 0, wait_ms: 0 })),
  faults: [4, 0, 0],
  stale_ms: 2000,
};

/** An answer is lost, and the same is asked for again before any read shows it: a minute later both count. */
const twiceAssigned = {
  maximum: 16,
  unit: 'address',
  slots: 12,
  steps: [
    [0, 0, 0, 20_000],
    [2, 0, 0, 0],
    [0, 0, 0, 20_000],
    [0, 0, 0, 20_000],
    [0, 3, 2, 20_000],
    [2, 0, 6, 0],
  ].map(([node = 0, inUse = 0, waiting = 0, wait_ms = 0]): Step => ({ node, inUse, waiting, wait_ms })),
  faults: [0, 4, 0],
  stale_ms: 2000,
};

test('whatever nodes ask for at once, and whatever becomes of the calls: never more than perCluster.maximum', async () => {
  const step: fc.Arbitrary<Step> = fc.record({
    node: fc.nat(4),
    inUse: fc.nat(10),
    waiting: fc.nat(20),
    wait_ms: fc.constantFrom(0, 5, 50, 900, 20_000),
  });
  const drawn = fc.record({
    maximum: fc.integer({ min: 16, max: 60 }),
    unit: fc.constantFrom('address', 'prefix'),
    slots: fc.constantFrom(4, 12, 64),
    steps: fc.array(step, { minLength: 5, maxLength: 25 }),
    faults: fc.array(fc.nat(faults.length - 1), { minLength: 1, maxLength: 30 }),
    stale_ms: fc.constantFrom(0, 0, 2000),
  });
  await fc.assert(
    fc.asyncProperty(drawn, async ({ maximum, unit, slots, steps, faults: chosen, stale_ms }) => {
      const one = bench();
      const instances = launch(one, 5, { ...roomy, addressSlotsPerNic: slots });
      one.subnets = [limited(maximum, { unit })];
      let call = 0;
      let most = 0;
      one.cloud.stale_ms = stale_ms;
      one.cloud.fault = ({ changing }) => {
        most = Math.max(most, heldInTruth(one));
        return changing ? (faults[chosen[call++ % chosen.length] ?? 0] ?? 'none') : 'none';
      };
      const running = await one.controller();
      for (const { node, inUse, waiting, wait_ms } of steps) {
        const instance = instances[node];
        assert.ok(instance !== undefined);
        const held = (await one.networks.get(`n${node}`))?.status.nics ?? [];
        const back = held.flatMap(({ reclaiming }) => reclaiming);
        await demand(
          one.networks,
          instance,
          { inUse: Math.min(inUse, 16 * held.flatMap(({ blocks }) => blocks).length), waiting },
          { returned: back },
          `n${node}`,
        );
        if (wait_ms > 0) await one.clock.advance(wait_ms);
      }
      await one.clock.advance(120_000);
      await running.stop();
      most = Math.max(most, heldInTruth(one));
      assert.ok(most <= maximum, `${most} of at most ${maximum}`);
    }),
    { numRuns: 40, examples: [[lateCall], [twiceAssigned]] },
  );
});
