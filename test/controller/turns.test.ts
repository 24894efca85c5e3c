/** Whose turn it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turns } from '../../src/controller/turns.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';

/** Passes that last a second each. */
function bench(atOnce: number, deficits: Record<string, number>) {
  const clock = virtualClock();
  const began: string[] = [];
  let running = 0;
  let most = 0;
  const queue = turns(clock, atOnce, {
    async run(node) {
      began.push(node);
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => {
        clock.after(1000, resolve);
      });
      running--;
      return undefined;
    },
    deficit: (node) => deficits[node] ?? 0,
  });
  return { clock, queue, began, most: () => most };
}

test('of the nodes that wait for their turn the one with the most waiting Pods is first, and never more run than allowed', async () => {
  const { clock, queue, began, most } = bench(2, { c: 1, d: 30, e: 7, f: 30 });
  for (const node of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) queue.wake(node, 10);
  await clock.advance(10_000);
  assert.deepEqual(began, ['a', 'b', 'd', 'f', 'e', 'c', 'g']);
  assert.equal(most(), 2);
  await queue.stop();
});

test('a node whose deficit grows while it is in line moves forward', async () => {
  const deficits: Record<string, number> = { b: 5, c: 1 };
  const { clock, queue, began } = bench(1, deficits);
  for (const node of ['a', 'b', 'c']) queue.wake(node, 10);
  await clock.advance(500);
  deficits['c'] = 9;
  queue.wake('c', 10);
  await clock.advance(10_000);
  assert.deepEqual(began, ['a', 'c', 'b']);
  await queue.stop();
});
