/** The real controller before a real Neutron and Nova: killed around some of its changes, and through one storm. What else can befall it is shown before other clouds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deathsIn, life } from '../clouds-under-fault/kills.ts';
import { roundsOf, seedsOf } from '../clouds-under-fault/rounds.ts';
import { storm } from '../clouds-under-fault/storm.ts';
import { openStackBed } from './bed.ts';
import { as } from './client.ts';
import { openStackKind } from './kind.ts';

/** Of all deaths in a life so many are tried, spread over it: one takes half a minute. */
const DEATHS = 3;

test('killed around its changes, and in a storm, the controller leaves no port and no reservation, and takes nothing in use', async (t) => {
  await using bed = await openStackBed();
  const demo = await as(bed, 'demo');
  const kind = openStackKind(bed);
  const { calls } = await life(kind);
  const all = deathsIn(calls, false);
  const every = Math.ceil(all.length / (DEATHS * roundsOf(1)));
  for (const death of all.filter((_, i) => i % every === 0)) {
    t.diagnostic(`killed ${death.when} change ${death.nth} of ${all.length / 3}`);
    await life(kind, death);
  }
  for (const seed of seedsOf(roundsOf(1))) {
    t.diagnostic(`seed ${seed}`);
    await storm(kind, seed, { steps: 5, share: 0.1 });
  }
  assert.deepEqual((await demo.network('GET', '/ports?device_owner=flatpod:block')).body.ports, []);
});
