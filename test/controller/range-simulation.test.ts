/** The simulation of ranges over random histories. `FLATPOD_SIMULATIONS=500` makes it run that many instead of a few seconds' worth; `FLATPOD_SEED=7` others. */
import { test } from 'node:test';
import * as fc from 'fast-check';
import { simulate, type Step } from './range-simulation.ts';

const node = fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('want' as const), node, pods: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('leader' as const, 'late' as const, 'paused' as const, 'awake' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('vanish' as const, 'off' as const), node }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      of: fc.constantFrom('addressledgers' as const, 'nodenetworks' as const),
      fault: fc.constantFrom('loseAnswer' as const, 'refuse' as const, 'conflict' as const),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 20, 50, 500, 3000, 40_000) }) },
);

test('whatever fails: no address is used on two nodes, all that is used is written down, and in the end as many Pods are served as there are addresses', async () => {
  const numRuns = Number(process.env['FLATPOD_SIMULATIONS'] ?? 12);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), (steps) => simulate(steps)),
    { numRuns, seed: Number(process.env['FLATPOD_SEED'] ?? 5) },
  );
});
