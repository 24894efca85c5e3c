/**
 * The simulation of claims over random histories. `FLATPOD_SIMULATIONS=500` makes it run that many instead of a few seconds' worth; `FLATPOD_SEED=7` others.
 */
import { test } from 'node:test';
import * as fc from 'fast-check';
import { podNames, type Setting, simulate, type Step } from './claims-simulation.ts';

const node = fc.constantFrom(0 as const, 1 as const, 2 as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('pod' as const), pod: fc.constantFrom(...podNames), node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('node' as const), node }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('leader' as const, 'late' as const, 'stale' as const, 'paused' as const, 'awake' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('vanish' as const), node, instance: fc.constantFrom('dies' as const, 'lives' as const) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('cloud' as const),
      fault: fc.constantFrom('loseRequest' as const, 'loseAnswer' as const, 'dieBefore' as const, 'dieAfter' as const, 'full' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('kube' as const),
      fault: fc.constantFrom('loseAnswer' as const, 'refuse' as const, 'conflict' as const),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(50, 500, 3000, 10_000, 40_000) }) },
);

const setting: fc.Arbitrary<Setting> = fc.record({
  families: fc.constantFrom<readonly (4 | 6)[]>([4], [4, 6], [6, 4], [6]),
  unit: fc.constantFrom('address' as const, 'prefix' as const),
  several: fc.boolean(),
});

test('whatever fails: an address of a claim is on one node, is one Pod’s, never an ordinary Pod’s, and a Pod that comes back has the same again', async () => {
  const numRuns = Number(process.env['FLATPOD_SIMULATIONS'] ?? 12);
  await fc.assert(
    fc.asyncProperty(setting, fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), (of, steps) => simulate(steps, of)),
    { numRuns, seed: Number(process.env['FLATPOD_SEED'] ?? 5) },
  );
});
