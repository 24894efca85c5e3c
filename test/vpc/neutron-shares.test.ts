/** Addresses that several ports may use are one port's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ipFromBigInt } from '../../src/net/address.ts';
import { addressesOf, type Cidr, cidrOf, parseCidr } from '../../src/net/cidr.ts';
import { type Claim, shares, without } from '../../src/vpc/neutron/shares.ts';

/** Blocks of a /24, so that they meet. */
const block = fc
  .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 24, max: 32 }))
  .map(([last, length]): Cidr => cidrOf(ipFromBigInt(0x0a000000n + BigInt(last), 4), length));
const claims = fc.array(
  fc.record({ port: fc.constantFrom('a', 'b', 'c'), block, isFixed: fc.boolean(), since_ms: fc.integer({ min: 0, max: 5 }) }),
  { maxLength: 12 },
);
const addressesIn = (blocks: Iterable<Cidr>): string[] => [...blocks].flatMap((one) => [...addressesOf(one)]);

test('what is left of a block is exactly the addresses that are not in the holes, each once', () => {
  fc.assert(
    fc.property(block, fc.array(block, { maxLength: 6 }), (whole, holes) => {
      const gone = new Set(addressesIn(holes));
      assert.deepEqual(
        addressesIn(without(whole, holes)),
        addressesIn([whole]).filter((ip) => !gone.has(ip)),
      );
    }),
  );
});

test('every address that is claimed and not taken is given to one port, which claimed it', () => {
  fc.assert(
    fc.property(claims, fc.array(block, { maxLength: 2 }), (all, taken) => {
      const shared = shares(all, taken);
      const given = [...shared].flatMap(([port, blocks]) => addressesIn(blocks).map((ip) => `${ip} ${port}`));
      const addresses = given.map((one) => one.split(' ')[0] ?? '');
      assert.equal(new Set(addresses).size, addresses.length, 'no address is given twice');
      const claimed = new Set(all.flatMap((claim) => addressesIn([claim.block]).map((ip) => `${ip} ${claim.port}`)));
      assert.ok(given.every((one) => claimed.has(one)));
      const gone = new Set(addressesIn(taken));
      const wanted = new Set(addressesIn(all.map((claim) => claim.block)).filter((ip) => !gone.has(ip)));
      assert.deepEqual([...wanted].toSorted(), addresses.toSorted());
    }),
  );
});

test('a fixed address comes before a pair, a smaller pair before a larger, a newer one before an older', () => {
  const claim = (port: string, text: string, since_ms = 0, isFixed = false): Claim => ({ port, block: parseCidr(text), since_ms, isFixed });
  const one = shares([claim('node', '10.0.0.0/30', 9), claim('vm', '10.0.0.1/32', 1, true)], []);
  assert.deepEqual(one.get('vm'), ['10.0.0.1/32']);
  assert.deepEqual(one.get('node'), ['10.0.0.0/32', '10.0.0.2/31']);
  const two = shares([claim('large', '10.0.0.0/24', 9), claim('small', '10.0.0.0/25', 1)], []);
  assert.deepEqual([two.get('small'), two.get('large')], [['10.0.0.0/25'], ['10.0.0.128/25']]);
  const three = shares([claim('old', '10.0.0.0/24', 1), claim('new', '10.0.0.0/24', 2)], []);
  assert.deepEqual([three.get('new'), three.get('old')], [['10.0.0.0/24'], []]);
});
