/** A real Neutron and Nova that take their time: who is served meanwhile, what is found by looking, and a server that ends while a port attaches. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { servedMeanwhile } from '../clouds-under-fault/held-up.ts';
import { lifeThatEndsAttaching } from '../clouds-under-fault/terminated.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { openStackKind } from './kind.ts';

let bed: OpenStackBed;

// A suite, so that the bed is there for these tests alone: hooks of a file would run before the first test of all files.
describe('OpenStack that takes its time', () => {
  before(async () => {
    bed = await openStackBed();
  });
  after(async () => bed?.[Symbol.asyncDispose]());

  for (const what of ['request', 'answer'] as const)
    test(`while the ${what} of any changing call of one node is held, other nodes are served`, async (t) => {
      const held = await servedMeanwhile(openStackKind(bed), what);
      t.diagnostic(held.join(', '));
      assert.ok(held.length >= 3);
    });

  for (const what of ['request', 'answer'] as const)
    test(`of a server that is deleted before the ${what} of its attachment arrives nothing is left, and of others nothing is taken`, () =>
      lifeThatEndsAttaching(openStackKind(bed), what));
});
