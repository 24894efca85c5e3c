/** When a node asks the cloud for more, and when it gives back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { blocksToAdd, blocksToTakeBack, type Holding, heldAddresses } from '../../src/ipam/target.ts';
import { parseCidr } from '../../src/net/cidr.ts';

const holding: fc.Arbitrary<Holding> = fc
  .record({
    unit: fc.constantFrom(1, 16),
    blocks: fc.nat(40),
    used: fc.double({ min: 0, max: 1, noNaN: true }),
    cool: fc.double({ min: 0, max: 1, noNaN: true }),
    waiting: fc.nat(20),
    spare: fc.nat(20),
    minimum: fc.nat(100),
    more: fc.integer({ min: 1, max: 300 }),
  })
  .map(({ unit, blocks, used, cool, waiting, spare, minimum, more }) => {
    const held = blocks * unit;
    const inUse = Math.floor(held * used);
    return { unit, held, inUse, cooling: Math.floor((held - inUse) * cool), waiting, spare, minimum, maximum: minimum + more };
  });
const base: Holding = { inUse: 0, cooling: 0, waiting: 0, held: 0, minimum: 0, spare: 4, maximum: 250, unit: 1 };
const freeOf = (h: Holding) => h.held - h.inUse - h.cooling;

test('growing never holds more than the maximum', () => {
  fc.assert(fc.property(holding, (h) => h.held > h.maximum || h.held + blocksToAdd(h) * h.unit <= h.maximum));
});

test('growing asks for just enough, or for all that fits below the maximum', () => {
  fc.assert(
    fc.property(holding, (h) => {
      const added = blocksToAdd(h);
      const after = { ...h, held: h.held + added * h.unit };
      const enough = (x: Holding) => freeOf(x) >= x.spare + x.waiting && x.held >= x.minimum;
      assert.ok(enough(after) || after.held + h.unit > h.maximum);
      if (added > 0) assert.ok(!enough({ ...after, held: after.held - h.unit }), 'one block fewer would have been enough');
    }),
  );
});

test('the answer is stable: once it is done, nothing more is asked for or given back', () => {
  fc.assert(
    fc.property(holding, (h) => {
      const grown = { ...h, held: h.held + blocksToAdd(h) * h.unit };
      assert.equal(blocksToAdd(grown), 0);
      const shrunk = { ...h, held: h.held - blocksToTakeBack(h) * h.unit };
      assert.equal(blocksToTakeBack(shrunk), 0);
      if (blocksToTakeBack(h) > 0) assert.equal(blocksToAdd(shrunk), 0, 'what is given back is not asked for again');
    }),
  );
});

test('nothing is taken back while something waits, nor more than is free, nor below the minimum', () => {
  fc.assert(
    fc.property(holding, (h) => {
      const back = blocksToTakeBack(h) * h.unit;
      if (h.waiting > 0) assert.equal(back, 0);
      assert.ok(back <= Math.max(freeOf(h), 0));
      assert.ok(back === 0 || h.held - back >= h.minimum || h.held > h.maximum);
    }),
  );
});

test('a Pod that comes and goes makes no cloud call', () => {
  for (const unit of [1, 16]) {
    for (let inUse = 0; inUse < 40; inUse++) {
      const held = Math.ceil((inUse + base.spare) / unit) * unit;
      const settled = { ...base, unit, inUse, held };
      const gone = { ...settled, inUse: Math.max(0, inUse - 1) };
      assert.deepEqual(
        [blocksToAdd(settled), blocksToTakeBack(settled), blocksToAdd(gone), blocksToTakeBack(gone)],
        [0, 0, 0, 0],
        `${unit} ${inUse}`,
      );
    }
  }
});

test('cooling addresses are no reserve: all of a full pool freed at once asks for more', () => {
  assert.equal(blocksToAdd({ ...base, held: 10, cooling: 10 }), 4);
});

test('a maximum that no whole prefix fits into is not rounded up', () => {
  assert.equal(blocksToAdd({ ...base, unit: 16, held: 240, inUse: 240, waiting: 5 }), 0);
});

test('after the maximum was lowered, free addresses above it go back at once', () => {
  assert.equal(blocksToTakeBack({ ...base, spare: 100, held: 50, inUse: 20, maximum: 30 }), 20);
});

test('one /80 is worth what the node may hold, and a /28 sixteen less what is excluded', () => {
  const cidrs = (...texts: string[]) => texts.map(parseCidr);
  assert.equal(heldAddresses(cidrs('2001:db8::/80'), 6, [], 110), 110);
  assert.equal(blocksToAdd({ ...base, maximum: 110, unit: 110 }), 1);
  assert.equal(blocksToAdd({ ...base, maximum: 110, unit: 110, held: 110, inUse: 109, waiting: 3 }), 0);
  assert.equal(heldAddresses(cidrs('10.0.0.0/28', '10.0.1.1/32', '2001:db8::/80'), 4, cidrs('10.0.0.0/30', '10.0.0.1/32'), 250), 13);
});
