/** IP addresses: one canonical text each. The oracles are Node's own: net.isIP for what is an address, URL for the canonical text of IPv6. */
import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  addToIp,
  compareIps,
  familyOf,
  ipFromBigInt,
  ipFromBytes,
  ipToBigInt,
  ipToBytes,
  parseIp,
  tryParseIp,
} from '../../src/net/address.ts';

const v4 = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value) => ipFromBigInt(value, 4));
// Groups that are often zero: what `::` is about.
const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
const v6 = fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) =>
  ipFromBigInt(
    groups.reduce((sum, each) => (sum << 16n) | BigInt(each), 0n),
    6,
  ),
);
const any = fc.oneof(v4, v6);

test('an address is the same after going through text, number and bytes', () => {
  fc.assert(
    fc.property(any, (ip) => {
      assert.equal(parseIp(ip), ip);
      assert.equal(ipFromBigInt(ipToBigInt(ip), familyOf(ip)), ip);
      assert.equal(ipFromBytes(ipToBytes(ip)), ip);
    }),
  );
});

test('IPv6 text is canonical as Node’s URL has it, from any spelling', () => {
  fc.assert(
    fc.property(v6, fc.boolean(), (ip, upper) => {
      assert.equal(`[${ip}]`, new URL(`http://[${ip}]/`).hostname);
      const groups = Array.from({ length: 8 }, (_, i) =>
        ((ipToBigInt(ip) >> BigInt(112 - 16 * i)) & 0xffffn).toString(16).padStart(4, '0'),
      );
      const long = groups.join(':');
      assert.equal(parseIp(upper ? long.toUpperCase() : long), ip);
      const low = ipToBytes(ip).subarray(12).join('.');
      assert.equal(parseIp(`${groups.slice(0, 6).join(':')}:${low}`), ip, 'with its end as IPv4');
    }),
  );
});

test('what is an address and what is none is decided as Node decides it', () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom('0', '1', '9', '.', '25'), maxLength: 15 }),
    fc.string({ unit: fc.constantFrom('0', 'f', 'G', ':', '::', '1.2.3.4', '12345'), maxLength: 12 }),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (each) => {
      // Node lets a zone through, we do not: a Pod's address has none.
      assert.equal(tryParseIp(each) !== undefined, isIPv4(each) || (isIPv6(each) && !each.includes('%')), JSON.stringify(each));
    }),
    { numRuns: 3000 },
  );
});

test('order is that of the numbers, IPv4 first', () => {
  fc.assert(
    fc.property(fc.array(any), (ips) => {
      const sorted = ips.toSorted(compareIps);
      for (const [i, ip] of sorted.entries()) {
        const next = sorted[i + 1];
        if (next === undefined) continue;
        assert.ok(familyOf(ip) < familyOf(next) || (familyOf(ip) === familyOf(next) && ipToBigInt(ip) <= ipToBigInt(next)));
      }
    }),
  );
});

test('adding moves by that many, and refuses to leave the family', () => {
  fc.assert(
    fc.property(v4, fc.integer({ min: -70_000, max: 70_000 }), (ip, by) => {
      const sum = ipToBigInt(ip) + BigInt(by);
      if (sum < 0n || sum >= 2n ** 32n) assert.throws(() => addToIp(ip, by), RangeError);
      else assert.equal(ipToBigInt(addToIp(ip, by)), sum);
    }),
  );
  assert.throws(() => addToIp(parseIp('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'), 1n), RangeError);
});

for (const bad of [
  '',
  '1',
  '1.2.3',
  '1.2.3.4.5',
  '01.2.3.4',
  '256.1.1.1',
  '1.2.3.4 ',
  ' 1.2.3.4',
  '+1.2.3.4',
  '1..2.3',
  '٣.1.1.1',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7::8:9',
  '::1.2.3',
  '::1.2.3.4:5',
  '1.2.3.4::',
  'fe80::1%eth0',
  '::g',
  '12345::',
  '[::1]',
  '0x1::',
]) {
  test(`is no address: ${JSON.stringify(bad)}`, () => {
    assert.equal(tryParseIp(bad), undefined);
    assert.throws(() => parseIp(bad), RangeError);
  });
}

test('IPv4-mapped addresses stay IPv6, and bytes of another number are refused', () => {
  assert.equal(parseIp('::FFFF:1.2.3.4'), '::ffff:102:304');
  for (const length of [0, 3, 5, 15, 17]) assert.throws(() => ipFromBytes(new Uint8Array(length)), RangeError);
});
