/** subnet-auto-assign of hostnic: which namespace has which block. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type AssignFacts, assignBlocks } from '../../src/controller/hostnic/auto-assign.ts';

const blocks = [0, 16, 32, 48].map((from) => `4100-10-9-0-${from}-28`);
const [first = '', second = '', third = '', fourth = ''] = blocks;

function assigned(facts: Partial<AssignFacts> & { ipam: AssignFacts['ipam']; namespaces: AssignFacts['namespaces'] }) {
  const { ipam, known, unserved } = assignBlocks({ known: new Set(), blocks, isInUse: () => false, full: new Set(), ...facts });
  return { ipam: Object.fromEntries(ipam), known: [...known], unserved };
}

test('each namespace without blocks is given the first free one of the pool', () => {
  const ipam = new Map([
    ['Default', ['vxnet-1']],
    ['shop', [second]],
  ]);
  const namespaces = new Set(['shop', 'web', 'db', 'late']);
  assert.deepEqual(assigned({ ipam, namespaces, isInUse: (block) => block === first }), {
    ipam: { Default: ['vxnet-1'], shop: [second], db: [third], late: [fourth] },
    known: ['shop', 'db', 'late'],
    unserved: ['web'],
  });
});

test('a namespace whose blocks are full is given another one', () => {
  const ipam = new Map([['shop', [first]]]);
  assert.deepEqual(assigned({ ipam, namespaces: new Set(['shop']), full: new Set(['shop']) }).ipam, { shop: [first, second] });
});

test('what a namespace had is free when it is gone, and what is written for one to come stays', () => {
  const ipam = new Map([
    ['gone', [first]],
    ['to-come', [second]],
  ]);
  const facts = { ipam, namespaces: new Set(['web']), known: new Set(['gone']) };
  assert.deepEqual(assigned(facts).ipam, { 'to-come': [second], web: [first] });
  assert.deepEqual(assigned({ ...facts, isInUse: (block) => block === first }).ipam, { 'to-come': [second], web: [third] });
});

test('a block that overlaps one which is written is not free', () => {
  assert.deepEqual(assigned({ ipam: new Map([['shop', ['4100-10-9-0-0-27']]]), namespaces: new Set(['web']) }).ipam, {
    shop: ['4100-10-9-0-0-27'],
    web: [third],
  });
});

test('whatever there is: no block is two namespaces’, and a second look changes nothing', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const entry = fc.tuple(name, fc.uniqueArray(fc.constantFrom(...blocks), { maxLength: 2 }));
  fc.assert(
    fc.property(
      fc.array(entry),
      fc.uniqueArray(name),
      fc.uniqueArray(name),
      fc.uniqueArray(name),
      fc.uniqueArray(fc.constantFrom(...blocks)),
      (entries, namespaces, known, full, used) => {
        const seen = new Set<string>();
        // As the settings are read: a block under two namespaces is refused before.
        const ipam = new Map(entries.map(([one, its]) => [one, its.filter((block) => !seen.has(block) && seen.add(block))]));
        const facts = {
          ipam,
          namespaces: new Set(namespaces),
          known: new Set(known),
          blocks,
          isInUse: (one: string) => used.includes(one),
        };
        const once = assignBlocks({ ...facts, full: new Set(full) });
        const all = [...once.ipam.values()].flat();
        assert.equal(new Set(all).size, all.length);
        for (const [one, its] of once.ipam)
          for (const block of its)
            assert.ok(new Map<string, readonly string[]>(ipam).get(one)?.includes(block) === true || !used.includes(block));
        const again = assignBlocks({ ...facts, ipam: once.ipam, known: once.known, full: new Set() });
        assert.deepEqual(again.ipam, once.ipam);
        assert.deepEqual([...again.known].toSorted(), [...once.known].toSorted());
      },
    ),
  );
});
