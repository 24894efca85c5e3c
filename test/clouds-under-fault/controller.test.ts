/**
 * The real controller before three clouds' servers, by the wire: whatever befalls its calls, and wherever it dies, all Pods are served in the end, nothing
 * in use is taken away at any time, and nothing is left. More with FLATPOD_FAULT_ROUNDS=N (storms of each cloud; from 10 on it dies at every single
 * request too); one storm again with FLATPOD_FAULT_SEED=SEED.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fronts } from './fronts.ts';
import { deathsIn, life } from './kills.ts';
import { roundsOf, seedsOf, sideBySide } from './rounds.ts';
import { storm } from './storm.ts';

const rounds = roundsOf(3);

for (const kind of fronts) {
  test(`${kind.name}: a controller that is killed before, in or after any call leaves nothing behind and takes nothing in use`, async (t) => {
    const { calls } = await life(kind);
    const deaths = deathsIn(calls, rounds >= 10);
    assert.ok(deaths.length >= 20);
    t.diagnostic(`${calls.length} requests, ${deaths.length} deaths`);
    let died = 0;
    await sideBySide(deaths, async (death) => {
      const one = await life(kind, death).catch((error: unknown) => {
        throw new Error(`killed ${death.when} ${death.of} ${death.nth}: ${String(error)}`, { cause: error });
      });
      died += one.kills;
    });
    // A life may be shorter by a request than the one that was counted: a cloud that is slower is asked again.
    assert.ok(died >= 0.9 * deaths.length, `${died} of ${deaths.length} deaths`);
  });

  test(`${kind.name}: lost, late, throttled, stale and mangled answers, deaths, nodes that come and go, and hands that pull interfaces`, async (t) => {
    const seeds = seedsOf(rounds);
    t.diagnostic(`seeds ${seeds.join(', ')}`);
    await sideBySide(seeds, async (seed) => {
      await storm(kind, seed, { steps: 15, share: 0.15 }).catch((error: unknown) => {
        throw new Error(`FLATPOD_FAULT_SEED=${seed}: ${String(error)}`, { cause: error });
      });
    });
  });
}
