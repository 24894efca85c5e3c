/** Ethernet addresses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { localMac, macFromBytes, macToBytes, parseMac, tryParseMac } from '../../src/net/mac.ts';

const six = fc.uint8Array({ minLength: 6, maxLength: 6 });

test('an Ethernet address is the same after going through bytes and upper-case text', () => {
  fc.assert(
    fc.property(six, (bytes) => {
      const mac = macFromBytes(bytes);
      assert.deepEqual(macToBytes(mac), bytes);
      assert.equal(parseMac(mac.toUpperCase()), mac);
    }),
  );
});

test('a derived address is unicast and locally administered, and always the same for the same seed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 32 }), (seed) => {
      const before = Uint8Array.from(seed);
      const mac = localMac(seed);
      assert.equal((macToBytes(mac)[0] ?? 0) & 0b11, 0b10);
      assert.equal(localMac(seed), mac);
      assert.deepEqual(seed, before);
    }),
  );
});

for (const bad of [
  '',
  '02:00:00:00:00',
  '02:00:00:00:00:00:00',
  '02-00-00-00-00-00',
  '2:0:0:0:0:0',
  '02:00:00:00:00:0g',
  ' 02:00:00:00:00:00',
  '02:00:00:00:00:00\n',
]) {
  test(`is no Ethernet address: ${JSON.stringify(bad)}`, () => {
    assert.equal(tryParseMac(bad), undefined);
    assert.throws(() => parseMac(bad), RangeError);
  });
}

test('bytes of another number are refused', () => {
  for (const length of [0, 5, 7]) assert.throws(() => macFromBytes(new Uint8Array(length)), RangeError);
});
