/** NodeNetworks are created a few at a time. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { createLog } from '../../../src/log.ts';
import { creations } from '../../../src/store/kubernetes/creations.ts';

const log = createLog('test', 'error');

/** An API whose creates end when they are told to. */
function slow() {
  const waiting: (() => void)[] = [];
  let most = 0;
  let made = 0;
  const api = {
    async create(): Promise<never> {
      most = Math.max(most, waiting.length + 1);
      await new Promise<void>((resolve) => waiting.push(resolve));
      made++;
      return undefined as never; // nobody looks at the answer
    },
  };
  return {
    api,
    most: () => most,
    made: () => made,
    end: async (): Promise<void> => {
      while (waiting.length > 0) {
        waiting.shift()?.();
        await nextTurn();
      }
    },
  };
}

test('a cluster of thousands of Nodes has at most eight creates under way, and each object is created', async () => {
  const { api, most, made, end } = slow();
  const some = creations(api, log, () => true);
  for (let i = 0; i < 3000; i++) some.want(`n${i}`);
  await end();
  assert.deepEqual([most(), made()], [8, 3000]);
  some.want('n3000');
  await end();
  assert.equal(made(), 3001);
});

test('a Node that went while it waited, or whose object came, costs nothing; nor does anything after the end', async () => {
  const { api, made, end } = slow();
  const wanted = new Set(Array.from({ length: 20 }, (_, i) => `n${i}`));
  const some = creations(api, log, (node) => wanted.has(node));
  for (const node of wanted) some.want(node);
  wanted.clear();
  await end();
  assert.equal(made(), 8);
  wanted.add('n1');
  some.stop();
  some.want('n1');
  await end();
  assert.equal(made(), 8);
});
