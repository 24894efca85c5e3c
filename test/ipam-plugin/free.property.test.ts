/** The search for a free address against the plain way to do it: look at one after the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { firstFree, mayBeGiven, type SearchedRange, startOf } from '../../src/ipam/ranges/free.ts';
import { type Ip, ipFromBigInt, ipToBigInt } from '../../src/net/address.ts';

const at = (n: number): Ip => ipFromBigInt(BigInt(0x0a00_0000 + n), 4);
const numberOf = (ip: Ip): number => Number(ipToBigInt(ip)) - 0x0a00_0000;
const span = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 12 }))
  .map(([first, more]) => ({ first, last: first + more }));
const asRange = ({ first, last }: { first: number; last: number }) => ({ first: at(first), last: at(last) });

/** Ranges that do not overlap, in any order. */
const ranges = fc
  .uniqueArray(fc.integer({ min: 0, max: 80 }), { minLength: 2, maxLength: 8 })
  .map((cuts) => cuts.toSorted((a, b) => a - b))
  .map((cuts) => cuts.flatMap((first, i) => (i % 2 === 0 && cuts[i + 1] !== undefined ? [{ first, last: (cuts[i + 1] ?? 0) - 1 }] : [])))
  .chain((found) => fc.shuffledSubarray(found, { minLength: found.length }));
const used = fc.uniqueArray(fc.integer({ min: 0, max: 80 }), { maxLength: 81 });

/** Runs of a set of numbers, as the store tells them. */
function usedUntilIn(taken: ReadonlySet<number>): (ip: Ip) => Ip | undefined {
  return (ip) => {
    let n = numberOf(ip);
    if (!taken.has(n)) return undefined;
    while (taken.has(n + 1)) n++;
    return at(n);
  };
}

function searched(found: readonly { first: number; last: number }[], skip: readonly { first: number; last: number }[]): SearchedRange[] {
  return found.map((range) => ({ ...asRange(range), skip: skip.map(asRange) }));
}

const numbersOf = (found: readonly { first: number; last: number }[]): number[] =>
  found.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));

test('from any start the first free address in the order of the ranges is found, once around; nothing is found only when there is nothing', () => {
  fc.assert(
    fc.property(ranges, used, fc.array(span, { maxLength: 3 }), fc.option(fc.nat(200)), (found, taken, skip, start) => {
      const all = numbersOf(found);
      const begin = start === null ? 0 : start % all.length;
      const round = [...all.slice(begin), ...all.slice(0, begin)];
      const skipped = new Set(numbersOf(skip));
      const free = round.find((n) => !taken.includes(n) && !skipped.has(n));
      const from = start === null ? undefined : at(all[begin] ?? 0);
      assert.equal(firstFree(searched(found, skip), from, usedUntilIn(new Set(taken))), free === undefined ? undefined : at(free));
    }),
    { numRuns: 2000 },
  );
});

test('in each order every address is given once before the ranges are exhausted', () => {
  fc.assert(
    fc.property(
      ranges,
      used,
      fc.array(span, { maxLength: 2 }),
      fc.constantFrom('lowest', 'next', 'random'),
      fc.infiniteStream(fc.nat()),
      (found, before, skip, order, numbers) => {
        const taken = new Set(before);
        const where = searched(found, skip);
        const expected = numbersOf(found).filter((n) => !taken.has(n) && mayBeGiven(where, at(n)));
        const given: number[] = [];
        let last: Ip | undefined;
        for (;;) {
          const below = (limit: bigint): bigint => BigInt(numbers.next().value) % limit;
          const ip = firstFree(where, startOf(order, where, last, below), usedUntilIn(taken));
          if (ip === undefined) break;
          assert.equal(taken.has(numberOf(ip)), false);
          taken.add(numberOf(ip));
          given.push(numberOf(ip));
          last = ip;
        }
        assert.deepEqual(
          given.toSorted((a, b) => a - b),
          expected.toSorted((a, b) => a - b),
        );
        if (order === 'lowest') assert.deepEqual(given, expected);
      },
    ),
    { numRuns: 500 },
  );
});

test('after the last address of a family there is no next one, and the search ends', () => {
  const end = ipFromBigInt(0xffff_ffffn, 4);
  const range = { first: ipFromBigInt(0xffff_fffen, 4), last: end, skip: [] };
  assert.equal(
    firstFree([range], end, () => end),
    undefined,
  );
  assert.equal(
    firstFree([range], undefined, (ip) => (ip === end ? undefined : ip)),
    end,
  );
});
