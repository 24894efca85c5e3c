/** Lists that change while they are read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allPages } from '../../src/cloud/qingcloud/pages.ts';

test('what goes from a list while it is read has none of the others overlooked', async () => {
  let all = Array.from({ length: 7 }, (_, i) => `vip-${i}`);
  let pages = 0;
  const found = await allPages(
    (one: string) => one,
    async (offset) => {
      const page = { items: all.slice(offset, offset + 3), total: all.length };
      // One of the first page goes, so that the others move up by one.
      if (++pages === 1) all = all.filter((one) => one !== 'vip-1');
      return Promise.resolve(page);
    },
  );
  for (const one of all) assert.ok(found.includes(one), `${one} is there and was not found`);
  assert.equal(pages, 4);
});
