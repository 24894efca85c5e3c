/** CIDR blocks. The oracle for "lies within" is Node's BlockList. */
import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bitsOf, type Family, type Ip, familyOf, ipFromBigInt, ipToBigInt, parseIp } from '../../src/net/address.ts';
import {
  addressAt,
  addressesOf,
  aggregate,
  cidrFamily,
  cidrOf,
  contains,
  containsCidr,
  firstOf,
  hostCidr,
  isHost,
  lastOf,
  lengthOf,
  overlaps,
  parseCidr,
  sayCidr,
  sizeOf,
  splitPrefix,
  tryParseCidr,
  type Cidr,
} from '../../src/net/cidr.ts';

const ipOf = (family: Family) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bitsOf(family)) - 1n }).map((value) => ipFromBigInt(value, family));
const blockOf = (family: Family) => fc.tuple(ipOf(family), fc.nat(bitsOf(family))).map(([ip, length]) => cidrOf(ip, length));
const family = fc.constantFrom<Family>(4, 6);
/** A block, and an address that lies within or nearby. */
const pair = family.chain((each) =>
  fc.tuple(blockOf(each), ipOf(each), fc.bigInt({ min: -3n, max: 3n })).map(([block, far, off]) => {
    const near = ipToBigInt(off < 0n ? firstOf(block) : lastOf(block)) + off;
    const fits = near >= 0n && near >> BigInt(bitsOf(each)) === 0n;
    return { block, ips: fits ? [far, ipFromBigInt(near, each)] : [far] };
  }),
);
const typeOf = (ip: Ip) => (familyOf(ip) === 4 ? 'ipv4' : 'ipv6');

test('a block is the same after going through text', () => {
  fc.assert(fc.property(family.chain(blockOf), (block) => assert.equal(parseCidr(block), block)));
});

test('an address lies within a block exactly when Node says so', () => {
  fc.assert(
    fc.property(pair, ({ block, ips }) => {
      const list = new BlockList();
      list.addSubnet(firstOf(block), lengthOf(block), typeOf(firstOf(block)));
      for (const ip of ips) assert.equal(contains(block, ip), list.check(ip, typeOf(ip)), `${block} ${ip}`);
    }),
  );
});

test('first, last and size agree, and each address of a small block is in it once, in order', () => {
  fc.assert(
    fc.property(
      family.chain((each) => fc.tuple(ipOf(each), fc.integer({ min: bitsOf(each) - 6, max: bitsOf(each) }))),
      ([ip, length]) => {
        const block = cidrOf(ip, length);
        const all = [...addressesOf(block)];
        assert.equal(BigInt(all.length), sizeOf(block));
        assert.deepEqual([all[0], all.at(-1)], [firstOf(block), lastOf(block)]);
        for (const [i, each] of all.entries()) assert.equal(addressAt(block, i), each);
        assert.ok(all.includes(ip));
      },
    ),
  );
});

test('blocks overlap exactly when one contains the other’s first address', () => {
  fc.assert(
    fc.property(
      family.chain((each) => fc.tuple(blockOf(each), blockOf(each))),
      ([a, b]) => {
        assert.equal(overlaps(a, b), contains(a, firstOf(b)) || contains(b, firstOf(a)));
        assert.equal(containsCidr(a, b), contains(a, firstOf(b)) && contains(a, lastOf(b)));
      },
    ),
  );
});

test('families never mix', () => {
  assert.equal(contains(parseCidr('0.0.0.0/0'), parseIp('::')), false);
  assert.equal(overlaps(parseCidr('0.0.0.0/0'), parseCidr('::/0')), false);
  assert.deepEqual([cidrFamily(hostCidr(parseIp('::1'))), hostCidr(parseIp('10.0.0.1'))], [6, '10.0.0.1/32']);
});

test('offsets outside of a block are refused', () => {
  for (const offset of [-1, 16]) assert.throws(() => addressAt(parseCidr('10.0.0.0/28'), offset), RangeError);
  assert.equal(addressAt(parseCidr('2001:db8::/64'), 2n ** 64n - 1n), '2001:db8::ffff:ffff:ffff:ffff');
});

test('an interface address keeps its host bits; a block has none', () => {
  assert.deepEqual(splitPrefix('10.0.0.1/24'), { ip: '10.0.0.1', length: 24 });
  assert.equal(tryParseCidr('10.0.0.1/24'), undefined);
  assert.equal(parseCidr('2001:DB8:0::/64'), '2001:db8::/64');
});

for (const bad of [
  '',
  '/',
  '10.0.0.0',
  '10.0.0.0/',
  '/24',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/08',
  '10.0.0.0/+8',
  '10.0.0.0/8/8',
  '10.0.0.0/ 8',
  '10.0.0.0/1e1',
  '::/129',
  '::/1000',
  '10.0.0.0/255.0.0.0',
]) {
  test(`is no block: ${JSON.stringify(bad)}`, () => {
    assert.equal(tryParseCidr(bad), undefined);
    assert.throws(() => parseCidr(bad), RangeError);
  });
}

test('one address alone is said without its length, and every other block as it is', () => {
  fc.assert(
    fc.property(family.chain(blockOf), (block) => {
      assert.equal(isHost(block), sizeOf(block) === 1n);
      assert.equal(sayCidr(block), isHost(block) ? String(firstOf(block)) : block);
    }),
  );
  assert.deepEqual(['10.0.0.7/32', '10.0.0.0/28', '2001:db8::7/128', '::/0'].map(parseCidr).map(sayCidr), [
    '10.0.0.7',
    '10.0.0.0/28',
    '2001:db8::7',
    '::/0',
  ]);
});

test('aggregated blocks hold exactly the same addresses, and could not be fewer of any two', () => {
  const block = fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 24, max: 32 }))
    .map(([last, length]) => cidrOf(parseIp(`10.0.0.${last}`), length));
  const held = (cidrs: readonly Cidr[]): string[] => [...new Set(cidrs.flatMap((cidr) => [...addressesOf(cidr)]))].toSorted();
  fc.assert(
    fc.property(fc.array(block, { maxLength: 12 }), (cidrs) => {
      const joined = aggregate(cidrs);
      assert.deepEqual(held(joined), held(cidrs));
      for (const [i, a] of joined.entries()) {
        for (const b of joined.slice(i + 1)) {
          assert.ok(!overlaps(a, b));
          const whole = lengthOf(a) === 0 ? a : cidrOf(firstOf(a), lengthOf(a) - 1);
          assert.ok(lengthOf(a) !== lengthOf(b) || !containsCidr(whole, b), `${a} and ${b} are ${whole}`);
        }
      }
    }),
  );
});
