/** Spans of addresses, against the same told address by address. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ipToBigInt, parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { freeBlocksIn, joined, meet, type Span, spanFrom, spanOf, without } from '../../src/net/spans.ts';

/** Few enough addresses that they can be counted one by one. */
const END = 80n;
const span = fc
  .tuple(fc.bigInt({ min: 0n, max: END }), fc.bigInt({ min: 0n, max: 20n }))
  .map(([start, more]): Span => ({ start, end: start + more }));
const spans = fc.array(span, { maxLength: 8 });

function addressesIn(of: readonly Span[]): Set<bigint> {
  const found = new Set<bigint>();
  for (const { start, end } of of) for (let at = start; at <= end; at++) found.add(at);
  return found;
}

/** They begin where the ones before ended, and one more at least lies between. */
function areApart(of: readonly Span[]): boolean {
  return of.every(({ start, end }, i) => start <= end && start > (of[i - 1]?.end ?? -2n) + 1n);
}

test('a block and a pair of addresses are spans with both their ends', () => {
  const [first, last] = [ipToBigInt(parseIp('10.0.0.16')), ipToBigInt(parseIp('10.0.0.31'))];
  assert.deepEqual(spanOf(parseCidr('10.0.0.16/28')), { start: first, end: last });
  assert.deepEqual(spanFrom(parseIp('10.0.0.16'), parseIp('10.0.0.31')), { start: first, end: last });
  assert.deepEqual(spanOf(parseCidr('::/0')), { start: 0n, end: 2n ** 128n - 1n });
});

test('two spans meet exactly when they share an address', () => {
  fc.assert(fc.property(span, span, (a, b) => assert.equal(meet(a, b), !addressesIn([a]).isDisjointFrom(addressesIn([b])))));
});

test('joined, and one taken from the other, they have the addresses of sets, in order and apart', () => {
  fc.assert(
    fc.property(spans, spans, (some, others) => {
      const [all, left] = [joined(some), without(some, others)];
      assert.deepEqual(addressesIn(all), addressesIn(some));
      assert.deepEqual(addressesIn(left), new Set([...addressesIn(all)].filter((at) => !addressesIn(others).has(at))));
      assert.ok(areApart(all) && areApart(left));
    }),
  );
});

test('the free blocks are all the aligned ones in the room that touch nothing taken, from the lowest on', () => {
  fc.assert(
    fc.property(spans, spans, fc.constantFrom(1n, 2n, 4n, 16n), (room, taken, size) => {
      const [inside, full] = [addressesIn(room), addressesIn(taken)];
      const expected: bigint[] = [];
      for (let at = 0n; at <= END + 20n; at += size) {
        const block = addressesIn([{ start: at, end: at + size - 1n }]);
        if (block.isSubsetOf(inside) && block.isDisjointFrom(full)) expected.push(at);
      }
      assert.deepEqual([...freeBlocksIn(room, taken, size)], expected);
    }),
  );
});

test('of a room with no end to speak of as many are found as are asked for', () => {
  const room = [spanOf(parseCidr('2001:db8::/32'))];
  const size = 2n ** 48n;
  const start = ipToBigInt(parseIp('2001:db8::'));
  const taken = [{ start, end: start }];
  assert.deepEqual([...freeBlocksIn(room, taken, size).take(3)], [start + size, start + 2n * size, start + 3n * size]);
});
