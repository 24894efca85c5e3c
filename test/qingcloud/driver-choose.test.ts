/** Which addresses are asked for when only their number is given. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { chooseBlocks, runsOf } from '../../src/cloud/qingcloud/choose.ts';
import { addToIp, type Ip, parseIp } from '../../src/net/address.ts';
import { addressesOf, cidrOf, hostCidr, lengthOf, parseCidr } from '../../src/net/cidr.ts';
import { isInRange } from '../../src/net/range.ts';

const range = { first: parseIp('10.20.0.2'), last: parseIp('10.20.0.254') };
const at = (offset: number): Ip => addToIp(parseIp('10.20.0.0'), offset);

test('what is chosen is free, in the range, aligned, as many as asked, and nothing twice; or there is not enough', () => {
  const taken = fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { maxLength: 250 });
  fc.assert(
    fc.property(taken, fc.nat(20), fc.nat(16), (offsets, addresses, prefixes) => {
      const used = new Set(offsets.map(at));
      const chosen = chooseBlocks(range, (ip) => used.has(ip), { addresses, prefixes });
      const free = Array.from({ length: 253 }, (_, i) => at(i + 2)).filter((ip) => !used.has(ip));
      const wholes = [...new Set(free.map((ip) => cidrOf(ip, 28)))].filter((block) =>
        [...addressesOf(block)].every((ip) => free.includes(ip)),
      );
      if (wholes.length < prefixes || free.length < addresses + 16 * prefixes) return assert.equal(chosen, undefined);
      assert.ok(chosen !== undefined);
      assert.deepEqual(
        [28, 32].map((length) => chosen.filter((block) => lengthOf(block) === length).length),
        [prefixes, addresses],
      );
      const all = chosen.flatMap((block) => [...addressesOf(block)]);
      assert.equal(new Set(all).size, all.length);
      assert.ok(all.every((ip) => isInRange(range, ip) && !used.has(ip)));
    }),
  );
});

test('single addresses are taken where a /28 is broken already, from the lowest on', () => {
  const used = new Set([at(33), at(200)]);
  const chosen = chooseBlocks(range, (ip) => used.has(ip), { addresses: 16, prefixes: 0 });
  assert.deepEqual(chosen?.slice(0, 2), [hostCidr(at(2)), hostCidr(at(3))]);
  assert.deepEqual(chosen.slice(14), [hostCidr(at(32)), hostCidr(at(34))]);
});

test('a /28 that was begun is finished before another is begun', () => {
  const begun = [parseCidr('10.20.0.64/28')];
  const chosen = chooseBlocks(range, (ip) => isInRange({ first: at(64), last: at(70) }, ip), { addresses: 0, prefixes: 2 }, begun);
  assert.deepEqual(chosen, ['10.20.0.64/28', '10.20.0.16/28'].map(parseCidr));
});

test('neighbours are one run, in whatever order they come', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(255)), (offsets) => {
      const runs = runsOf(offsets.map(at));
      const all = Array.from({ length: 256 }, (_, i) => at(i)).filter((ip) => runs.some((run) => isInRange(run, ip)));
      assert.deepEqual(all, offsets.toSorted((a, b) => a - b).map(at));
      for (const [i, run] of runs.entries()) assert.notEqual(runs[i + 1]?.first, addToIp(run.last, 1));
    }),
  );
});

test('of a large vxnet no more is looked at than needed, and all of it when it must be', () => {
  const large = { first: parseIp('10.20.0.2'), last: parseIp('10.20.255.254') };
  let looks = 0;
  const count = (): boolean => ++looks > 65_536;
  assert.equal(chooseBlocks(large, count, { addresses: 3, prefixes: 2 })?.length, 5);
  assert.ok(looks < 5000, String(looks));
  const free = parseCidr('10.20.255.224/28');
  assert.deepEqual(
    chooseBlocks(large, (ip) => cidrOf(ip, 28) !== free, { addresses: 0, prefixes: 1 }),
    [free],
  );
});
