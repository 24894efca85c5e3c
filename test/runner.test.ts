/** What is read off Node's test runner. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counts } from './runner.ts';

const printed = [
  '✔ one (1ms)',
  '✖ two (2ms)',
  'ℹ tests 2',
  'ℹ pass 1',
  'ℹ fail 1',
  '',
  '✖ failing tests:',
  '',
  'test at a.test.ts:1:1',
  '✖ two (2ms)',
  '  AssertionError: 1 is not 2',
  '',
].join('\n');

test('the numbers, and what is said of the tests that failed, wherever the output is cut', () => {
  for (let at = 0; at <= printed.length; at++) {
    const { read, count, failures } = counts();
    for (const part of [printed.slice(0, at), printed.slice(at)]) read(part);
    assert.deepEqual([count('pass'), count('fail'), count('skipped')], [1, 1, 0]);
    assert.equal(failures(), 'test at a.test.ts:1:1\n✖ two (2ms)\n  AssertionError: 1 is not 2');
  }
});

test('nothing is said where nothing failed', () => {
  const { read, failures } = counts();
  read('✔ one (1ms)\nℹ pass 1\n');
  assert.equal(failures(), '');
});
