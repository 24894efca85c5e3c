/** The protobuf codec: what was encoded decodes, bytes of the specification mean what it says, and no bytes at all do harm. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bytesIn, decodeMessage, integerField, integerIn, mapField, mapIn, messageField, textField, textIn } from '../../src/cri/wire.ts';
import { isFailure } from '../../src/errors/failure.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const refused = (reason: RegExp) => (error: unknown) => isFailure(error, 'runtimeUnclear') && reason.test(error.details);
const fieldNumber = fc.integer({ min: 1, max: 0x1fff_ffff });

test("the documentation's own examples", () => {
  assert.equal(hex(integerField(1, 150)), '089601');
  assert.equal(hex(textField(2, 'testing')), '120774657374696e67');
  assert.equal(hex(messageField(3, integerField(1, 150))), '1a03089601');
  assert.equal(hex(integerField(1, -2)), '08feffffffffffffffff01');
});

test('integers, texts and messages decode to what was encoded, in any order, the last of several', () => {
  const wanted = fc.record({
    integer: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    text: fc.string({ unit: 'binary' }),
    earlier: fc.string({ unit: 'binary' }),
    parts: fc.array(fc.uint8Array()),
  });
  fc.assert(
    fc.property(wanted, fc.uniqueArray(fieldNumber, { minLength: 3, maxLength: 3 }), ({ integer, text, earlier, parts }, numbers) => {
      const [a = 1, b = 2, c = 3] = numbers;
      const repeated = parts.map((part) => messageField(c, part));
      const message = decodeMessage(Buffer.concat([textField(b, earlier), ...repeated, integerField(a, integer), textField(b, text)]));
      assert.equal(integerIn(message, a), BigInt.asUintN(64, integer));
      assert.equal(textIn(message, b), text);
      assert.deepEqual(bytesIn(message, c).map(hex), parts.map(hex));
    }),
  );
});

test('a map decodes to its pairs', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (pairs) => {
      assert.deepEqual(mapIn(decodeMessage(mapField(2, pairs)), 2), new Map(Object.entries(pairs)));
    }),
  );
});

test('an absent field is 0, no text, no message', () => {
  const message = decodeMessage(new Uint8Array());
  assert.deepEqual([integerIn(message, 1), textIn(message, 1), bytesIn(message, 1), mapIn(message, 1).size], [0n, '', [], 0]);
});

test('fields of fixed width are skipped', () => {
  const fixed = Buffer.from('09ffffffffffffffff15ffffffff', 'hex');
  assert.equal(textIn(decodeMessage(Buffer.concat([fixed, textField(3, 'here')])), 3), 'here');
});

test('bytes that break off, lie about a length, or use what protobuf 3 has not, are refused with the reason', () => {
  for (const [bytes, reason] of [
    ['08', /ends in the middle of a number/],
    ['08ffffffffffffffffffff01', /more than 10 bytes/],
    ['0a05616263', /a field of 5 bytes, of which 3 are there/],
    ['0affffffffffffffffff01', /a field of 18446744073709551615 bytes/],
    ['0901', /a field of 8 bytes/],
    ['0b', /wire type 3/],
    ['00', /number 0/],
  ] as const)
    assert.throws(() => decodeMessage(Buffer.from(bytes, 'hex')), refused(reason), bytes);
  assert.throws(() => textIn(decodeMessage(Buffer.from('0a01ff', 'hex')), 1), refused(/UTF-8/));
  assert.throws(() => textIn(decodeMessage(integerField(1, 1)), 1), refused(/a number instead of bytes/));
  assert.throws(() => integerIn(decodeMessage(textField(1, '')), 1), refused(/bytes instead of a number/));
});

test('any bytes decode or are refused, and so does what is in them', () => {
  const tags = fc.array(fc.constantFrom(0x08, 0x0a, 0x12, 0x09, 0x15, 0x00, 0x01, 0x7f, 0x80, 0xff), { maxLength: 40 });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        tags.map((bytes) => Uint8Array.from(bytes)),
      ),
      (bytes) => {
        try {
          const message = decodeMessage(bytes);
          for (const read of [integerIn, textIn, bytesIn, mapIn]) read(message, 1);
        } catch (error) {
          assert.ok(isFailure(error, 'runtimeUnclear'), String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});
