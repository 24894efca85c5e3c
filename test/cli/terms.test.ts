/** Terms of leading follow each other without waiting for each other. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { orOver, terms } from '../../src/cli/terms.ts';
import { failure } from '../../src/errors/failure.ts';
import { createLog } from '../../src/log.ts';

const log = createLog('test', 'error');
const never = new Promise<never>(() => undefined);

test('a term is told at once that it is over, and the next begins though the one before still works', async () => {
  const told: string[] = [];
  const { promise: work, resolve: done } = Promise.withResolvers<void>();
  const all = terms(async (term, over) => {
    told.push(`begins ${term}`);
    over.addEventListener('abort', () => told.push(`over ${term}`));
    await orOver(never, over);
    await work;
    told.push(`ends ${term}`);
  }, log);
  all.began(3);
  all.ended();
  all.began(4);
  assert.deepEqual(told, ['begins 3', 'over 3', 'begins 4']);
  assert.equal(await all.stop(1), false, 'what is under way does not end');
  done();
  assert.equal(await all.stop(10_000), true);
  assert.deepEqual(told.slice(3), ['over 4', 'ends 3', 'ends 4']);
});

test('a term that cannot be led is a failure, unless it was over by then', async () => {
  const all = terms(async (term, over) => {
    if (term === 1) await orOver(never, over);
    throw failure('internal', { what: `term ${term}` });
  }, log);
  all.began(1);
  all.ended();
  let failed = false;
  all.failed.catch(() => (failed = true));
  await nextTurn();
  assert.equal(failed, false);
  all.began(2);
  await assert.rejects(all.failed, /term 2/);
  assert.equal(await all.stop(10_000), true);
});

test('waiting for something ends with the term, also when that was over before, and passes on what fails', async () => {
  const over = new AbortController();
  await orOver(Promise.resolve(), over.signal);
  await assert.rejects(orOver(Promise.reject(new Error('broken')), over.signal), /broken/);
  over.abort();
  await orOver(never, over.signal);
});
