/** Tags in Neutron's words, and the choice of free blocks: properties. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { chooseBlocks } from '../../src/cloud/openstack/choose.ts';
import { allWordsOf, own as ownWords, ownText, ownWordOf, tagsIn } from '../../src/cloud/openstack/tags.ts';
import { ipFromBigInt, ipToBigInt } from '../../src/net/address.ts';
import { aggregate, cidrOf, containsCidr, overlaps, parseCidr } from '../../src/net/cidr.ts';
import { spanOf, without } from '../../src/net/spans.ts';

test('any tags come back from their words, which are short and portable, whatever stands beside them', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }), fc.string({ unit: 'grapheme', maxLength: 300 })),
      (given) => {
        const tags = Object.fromEntries(Object.entries(given).filter(([key]) => key !== '__proto__'));
        const words = allWordsOf(tags);
        assert.ok(
          words.every((word) => word.length <= 60 && /^[A-Za-z0-9._~=:-]+$/.test(word)),
          words.join(),
        );
        const others = ['prod', 'fp:index=7', 'fp:key=00', 'not/ours=x', 'fp:part:00000000:0:2:half'];
        assert.deepEqual(tagsIn([...others, ...words].toReversed()), tags);
      },
    ),
  );
});

test('a value that lost one of its words is no tag, and an own word gives its text back', () => {
  const words = allWordsOf({ long: 'x'.repeat(100), short: 'y' });
  assert.deepEqual(tagsIn(words.slice(1)), { short: 'y' });
  assert.equal(ownText([ownWordOf(ownWords.block, '2001:db8::/80')], ownWords.block), '2001:db8::/80');
  assert.equal(ownText(['fp:block=~zz'], ownWords.block), undefined);
  assert.equal(ownText([], ownWords.block), undefined);
  // Neutron takes 60 characters.
  const long = '2001:db80:1234:5678:9abc:def0:1234:5678';
  for (const kind of [ownWords.primary6, ownWords.theirs, ownWords.block]) {
    const word = ownWordOf(kind, `${long}/128`);
    assert.ok(word.length <= 60, word);
    assert.equal(ownText([word], kind), `${long}/128`);
  }
});

const room = parseCidr('10.20.0.0/24');
const address = fc.nat(255).map((n) => ipFromBigInt(ipToBigInt('10.20.0.0' as Parameters<typeof ipToBigInt>[0]) + BigInt(n), 4));

test('what is chosen is free, aligned, in the room, and does not overlap; as much as there is', () => {
  fc.assert(
    fc.property(
      fc.array(address, { maxLength: 12 }),
      fc.array(address, { maxLength: 3 }),
      fc.nat(18),
      fc.boolean(),
      (taken, mine, wanted, isSingle) => {
        const length = isSingle ? 32 : 28;
        const own = mine.map((ip) => cidrOf(ip, 28));
        const spans = [...taken.map((ip) => cidrOf(ip, 32)), ...own].map(spanOf);
        const found = chooseBlocks({ family: 4, room: [spanOf(room)], taken: spans, own }, length, wanted);
        const blocked = [...taken.map((ip) => cidrOf(ip, 32)), ...own];
        for (const [i, block] of found.entries()) {
          assert.ok(containsCidr(room, block) && block.endsWith(`/${length}`));
          assert.ok(![...blocked, ...found.slice(0, i)].some((one) => overlaps(one, block)), block);
        }
        const all = Array.from({ length: 2 ** (length - 24) }, (_, i) =>
          cidrOf(ipFromBigInt(spanOf(room).start + BigInt(i * 2 ** (32 - length)), 4), length),
        );
        const free = all.filter((block) => !blocked.some((one) => overlaps(one, block))).length;
        assert.equal(found.length, Math.min(wanted, free));
      },
    ),
  );
});

test('blocks that are asked for one after the other become few pairs', () => {
  const subnet = parseCidr('10.20.0.0/20');
  const nics = Array.from({ length: 4 }, () => [] as ReturnType<typeof parseCidr>[]);
  for (let round = 0; round < 16; round++)
    for (const own of nics) {
      const taken = [...nics.flat(), parseCidr('10.20.0.0/30')].map(spanOf);
      own.push(...chooseBlocks({ family: 4, room: [spanOf(subnet)], taken, own }, 28, 1));
    }
  for (const own of nics) assert.equal(aggregate(own).length, 1, own.join());
});

test('a /80 is found beside what it must not touch', () => {
  const [subnet, pool] = ['2001:db8::/64', '2001:db8::/80'].map(parseCidr) as [ReturnType<typeof parseCidr>, ReturnType<typeof parseCidr>];
  const found = chooseBlocks({ family: 6, room: without([spanOf(subnet)], [spanOf(pool)]), taken: [], own: [] }, 80, 2);
  assert.equal(found.length, 2);
  assert.ok(found.every((block) => containsCidr(subnet, block) && !overlaps(pool, block)));
});
