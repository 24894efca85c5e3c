/**
 * The storms of controller.test.ts for PodSubnets of every other shape, one for each cloud and shape: see there for what is promised. More with
 * FLATPOD_FAULT_ROUNDS=N; one storm again with FLATPOD_FAULT_SEED=SEED.
 */
import { test } from 'node:test';
import { fronts } from './fronts.ts';
import { roundsOf, seedsOf, sideBySide } from './rounds.ts';
import { shapes } from './shapes.ts';
import { storm } from './storm.ts';

const rounds = Math.ceil(roundsOf(3) / 3);

for (const kind of fronts)
  test(`${kind.name}: under all that can befall a call, PodSubnets of every shape serve all Pods in the end, lose nothing in use, and leave nothing`, async (t) => {
    const possible = shapes.filter(({ on }) => on?.includes(kind.name) ?? true);
    const lives = possible.flatMap((shape) =>
      seedsOf(rounds + 1)
        .slice(-rounds)
        .map((seed) => ({ shape, seed })),
    );
    t.diagnostic(lives.map(({ shape, seed }) => `${shape.name}: ${seed}`).join('; '));
    await sideBySide(lives, async ({ shape, seed }) => {
      await storm(kind, seed, { steps: 15, share: 0.15, shape }).catch((error: unknown) => {
        throw new Error(`${shape.name}, FLATPOD_FAULT_SEED=${seed}: ${String(error)}`, { cause: error });
      });
    });
  });
