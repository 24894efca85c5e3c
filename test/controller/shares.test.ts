/** How what is left of a subnet is shared out among nodes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Sharer, sharesOf } from '../../src/controller/cluster/shares.ts';

const of = (node: string, more: Partial<Sharer> = {}): Sharer => ({ node, held: 0, used: 0, limit: 250, share: undefined, ...more });
const calm = { pledged: 0, isWanting: false };
const shared = (sharers: Sharer[], sharing: Parameters<typeof sharesOf>[1]) => Object.fromEntries(sharesOf(sharers, sharing).shares);

test('where there is plenty, each node may have what it can hold', () => {
  assert.deepEqual(shared([of('a'), of('b', { limit: 30 })], { total: 4000, ...calm }), { a: 250, b: 30 });
});

test('where there is not, each gets as much room for Pods as the others', () => {
  assert.deepEqual(shared([of('a', { held: 4, used: 4 }), of('b')], { total: 20, ...calm }), { a: 12, b: 8 });
});

test('as long as every Pod finds a node nothing moves', () => {
  const sharers = [of('a', { used: 10, held: 10, share: 10 }), of('b', { share: 10 })];
  assert.deepEqual(shared(sharers, { total: 20, ...calm }), { a: 10, b: 10 });
});

test('when Pods find none, room moves from where it is to where there is none, and rests in between', () => {
  const sharers = [of('a', { used: 10, held: 10, share: 10 }), of('b', { share: 10 })];
  const first = sharesOf(sharers, { total: 20, pledged: 0, isWanting: true });
  assert.deepEqual([Object.fromEntries(first.shares), first.taken], [{ a: 10, b: 5 }, 5]);
  const lowered = sharers.map((one) => ({ ...one, share: first.shares.get(one.node) }));
  assert.deepEqual(shared(lowered, { total: 20, pledged: 5, isWanting: false }), { a: 10, b: 5 });
  assert.deepEqual(shared(lowered, { total: 20, pledged: 0, isWanting: true }), { a: 15, b: 5 });
});

test('whatever nodes hold, use and can hold: no more is shared out than there is, and nobody gets less than it has', () => {
  const drawn = fc.array(
    fc.record({ held: fc.nat(30), used: fc.nat(30), limit: fc.nat(60), share: fc.option(fc.nat(60), { nil: undefined }) }),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(drawn, fc.nat(300), fc.nat(20), fc.boolean(), (list, total, pledged, isWanting) => {
      const sharers = list.map((one, i) => of(`n${i}`, one));
      const { shares, taken } = sharesOf(sharers, { total, pledged, isWanting });
      const sum = shares.values().reduce((all, one) => all + one, 0);
      const floors = sharers.reduce((all, { held, used }) => all + Math.max(held, used), 0);
      assert.ok(sum + pledged + taken <= Math.max(total, floors + pledged), `${sum} + ${pledged} + ${taken} of ${total}`);
      for (const { node, held, used, limit } of sharers) {
        const share = shares.get(node) ?? -1;
        assert.ok(share >= Math.max(held, used) && share <= Math.max(held, used, limit), `${node}: ${share}`);
      }
      if (!isWanting) {
        const again = sharesOf(
          sharers.map((one) => ({ ...one, share: shares.get(one.node) })),
          { total, pledged, isWanting },
        );
        assert.deepEqual([...again.shares], [...shares]);
      }
    }),
    { numRuns: 2000 },
  );
});
