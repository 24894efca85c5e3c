/** Lines of a watch, however the bytes are cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { lineDecoder, LineTooLong } from '../../src/kube/lines.ts';

test('lines come out whole, once and in order, wherever the bytes are cut, also inside a character', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 30 }).map((line) => line.replaceAll('\n', ' '));
  fc.assert(
    fc.property(fc.array(text), fc.string({ unit: 'grapheme', maxLength: 10 }), fc.array(fc.nat(400)), (lines, tail, cuts) => {
      const rest = tail.replaceAll('\n', '');
      const bytes = Buffer.from([...lines, rest].join('\n'));
      const got: string[] = [];
      const decoder = lineDecoder(10_000, (line) => got.push(line));
      let from = 0;
      for (const cut of [...cuts.map((one) => Math.min(one, bytes.length)).sort((a, b) => a - b), bytes.length]) {
        decoder.push(bytes.subarray(from, cut));
        from = cut;
      }
      assert.deepEqual(
        got,
        lines.filter((line) => line.trim() !== ''),
      );
      assert.equal(decoder.rest, Buffer.byteLength(rest));
    }),
  );
});

test('a line without end is refused at its limit, not held', () => {
  const decoder = lineDecoder(100, () => assert.fail());
  decoder.push(Buffer.alloc(60, 'x'));
  assert.throws(() => decoder.push(Buffer.alloc(60, 'x')), LineTooLong);
});

test('the limit is of one line, not of all', () => {
  let lines = 0;
  const decoder = lineDecoder(100, () => lines++);
  for (let i = 0; i < 50; i++) decoder.push(Buffer.from(`${'x'.repeat(90)}\n`));
  assert.equal(lines, 50);
});
