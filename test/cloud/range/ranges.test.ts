/** Units, slices and what of a range may be given: properties. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { chooseFrom } from '../../../src/cloud/range/choose.ts';
import { countOf, inTheWay, maskOf, type PodRange, slicesOf, usableOf } from '../../../src/cloud/range/ranges.ts';
import { Slice } from '../../../src/cloud/range/slice.ts';
import { blocksOf, placesOf, SLICE_UNITS, unitAt } from '../../../src/cloud/range/units.ts';
import { type Ip, ipToBigInt, parseIp } from '../../../src/net/address.ts';
import { addressAt, addressesOf, cidrOf, contains, firstOf, hostCidr, lastOf, parseCidr } from '../../../src/net/cidr.ts';

function rangeOf(more: Partial<PodRange> = {}): PodRange {
  return { podSubnet: 'pods', since: '', parent: 'eth1', mtu: 1500, shared: false, exclude: [], ...more };
}

const slices = [parseCidr('10.1.16.0/20'), parseCidr('2001:db8::1000:0:0:0/68')];

test('blocks say exactly which units there are, and are the fewest that can', () => {
  const places = fc.uniqueArray(fc.nat(SLICE_UNITS - 1), { maxLength: 60 });
  fc.assert(
    fc.property(fc.constantFrom(...slices), places, (slice, chosen) => {
      const sorted = chosen.toSorted((a, b) => a - b);
      const blocks = blocksOf(slice, sorted);
      const back = blocks.flatMap((block) => {
        const { from, to } = placesOf(block) ?? { from: 0, to: 0 };
        return Array.from({ length: to - from }, (_, i) => from + i);
      });
      assert.deepEqual(back, sorted);
      assert.ok(blocks.length <= sorted.length);
    }),
  );
  assert.deepEqual(
    blocksOf(
      slices[0] ?? parseCidr('10.1.16.0/20'),
      Array.from({ length: SLICE_UNITS }, (_, i) => i),
    ),
    ['10.1.16.0/20'],
  );
});

test('a unit is an address, or an IPv6 /80; other blocks have places only from a unit to a slice', () => {
  assert.equal(unitAt(parseCidr('10.1.16.0/20'), 17), '10.1.16.17/32');
  assert.equal(unitAt(parseCidr('2001:db8::/68'), 1), '2001:db8:0:0:1::/80');
  assert.equal(placesOf(parseCidr('2001:db8::7/128')), undefined);
  assert.equal(placesOf(parseCidr('10.0.0.0/19')), undefined);
});

test('what may be given is from first to last, without network, broadcast, gateway and what is excluded: no more and no less', () => {
  const network = parseCidr('10.9.0.0/23');
  const inside = fc.nat(511).map((n) => addressAt(network, n));
  const block = fc.tuple(inside, fc.integer({ min: 26, max: 32 })).map(([ip, length]) => cidrOf(ip, length));
  const ends = fc.tuple(inside, inside).map(([a, b]): [Ip, Ip] => (ipToBigInt(a) <= ipToBigInt(b) ? [a, b] : [b, a]));
  fc.assert(
    fc.property(ends, inside, fc.array(block, { maxLength: 4 }), ([first, last], gateway, exclude) => {
      const usable = usableOf(rangeOf({ ipv4: { cidr: network, first, last, gateway }, exclude }), 4);
      const may = (ip: Ip): boolean =>
        ipToBigInt(ip) >= ipToBigInt(first) &&
        ipToBigInt(ip) <= ipToBigInt(last) &&
        ![gateway, firstOf(network), lastOf(network)].includes(ip) &&
        !exclude.some((one) => contains(one, ip));
      const expected = [...addressesOf(network)].filter(may).map(hostCidr);
      const found = (usable === undefined ? [] : [...slicesOf(usable)]).flatMap((slice) => {
        const mask = usable === undefined ? new Uint8Array() : maskOf(usable, slice);
        return [...mask.entries()].filter(([, is]) => is === 1).map(([place]) => unitAt(slice, place));
      });
      assert.deepEqual(found, expected);
      assert.equal(usable === undefined ? 0 : countOf(usable), expected.length);
    }),
  );
});

test('of an IPv6 network nodes get whole /80s, and none with the gateway in it', () => {
  const usable = usableOf(rangeOf({ ipv6: { cidr: parseCidr('fd00::/76'), gateway: parseIp('fd00::1') } }), 6);
  assert.ok(usable !== undefined);
  assert.equal(countOf(usable), 15);
  assert.deepEqual([...slicesOf(usable)], ['fd00::/68']);
});

test('a network of two addresses gives both (RFC 3021)', () => {
  const usable = usableOf(rangeOf({ ipv4: { cidr: parseCidr('10.0.0.0/31') } }), 4);
  assert.equal(usable && countOf(usable), 2);
});

test('of ranges in each other’s way the later one gives nothing; shared ones are never in the way of each other', () => {
  const one = rangeOf({ podSubnet: 'old', since: '2026-01-01', ipv4: { cidr: parseCidr('10.0.0.0/24') } });
  const two = rangeOf({ podSubnet: 'a-new', since: '2026-02-01', ipv4: { cidr: parseCidr('10.0.0.128/25') } });
  const apart = rangeOf({ podSubnet: 'apart', since: '2026-02-01', ipv4: { cidr: parseCidr('10.0.1.0/24') } });
  assert.deepEqual([...inTheWay([two, apart, one])], [['a-new', 'old']]);
  assert.deepEqual([...inTheWay([{ ...two, shared: true }, one])], [['a-new', 'old']], 'one alone is not enough');
  assert.deepEqual(
    [
      ...inTheWay([
        { ...two, shared: true },
        { ...one, shared: true },
      ]),
    ],
    [],
  );
  const upper = { ...two, ipv4: { cidr: parseCidr('10.0.0.0/24'), first: parseIp('10.0.0.128') } };
  const lower = { ...one, ipv4: { cidr: parseCidr('10.0.0.0/24'), last: parseIp('10.0.0.127') } };
  assert.deepEqual([...inTheWay([upper, lower])], [], 'halves of one network');
});

test('what is chosen is free and allowed, as much as is wanted or all there is; many come as aligned blocks', () => {
  const holder = { node: 'n1', podSubnet: 'pods' };
  const others = { node: 'n2', podSubnet: 'pods' };
  const cidr = parseCidr('10.1.16.0/20');
  const some = fc.uniqueArray(fc.nat(200), { maxLength: 150 });
  fc.assert(
    fc.property(some, some, fc.nat(300), (taken, barred, wanted) => {
      const slice = new Slice(cidr);
      slice.give(others, taken);
      const mask = new Uint8Array(SLICE_UNITS).fill(1, 0, 256);
      for (const place of barred) mask[place] = 0;
      const free = slice.freeIn(mask);
      const chosen = chooseFrom(slice, mask, holder, wanted);
      assert.equal(chosen.length, Math.min(wanted, free));
      assert.equal(new Set(chosen).size, chosen.length);
      assert.ok(chosen.every((place) => slice.isFree(place) && mask[place] === 1));
    }),
  );
  const slice = new Slice(cidr);
  slice.give(others, [0, 20]);
  const chosen = chooseFrom(slice, new Uint8Array(SLICE_UNITS).fill(1), holder, 32);
  assert.deepEqual(blocksOf(cidr, chosen), ['10.1.16.32/27']);
  assert.deepEqual(chooseFrom(slice, new Uint8Array(SLICE_UNITS).fill(1), others, 3), [1, 2, 3], 'beside its own');
});

test('what was written down is read as it was; of two that were written for one unit by mistake the first has it', () => {
  const cidr = parseCidr('10.1.16.0/20');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.uniqueArray(fc.nat(SLICE_UNITS - 1), { maxLength: 40 })), { maxLength: 4 }), (given) => {
      const slice = new Slice(cidr);
      for (const [n, places] of given) slice.give({ node: `n${n}`, podSubnet: 'pods' }, places);
      assert.ok(Slice.from(cidr, slice.shares()).isSame(slice));
    }),
  );
  const both = ['n1', 'n2'].map((node) => ({ node, podSubnet: 'pods', blocks: [parseCidr('10.1.16.4/32')] }));
  assert.equal(Slice.from(cidr, both).holderAt(4)?.node, 'n1');
});
