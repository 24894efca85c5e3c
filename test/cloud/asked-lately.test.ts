/** What a driver asked for by value a moment ago, which the next choice leaves alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askedLately } from '../../src/cloud/asked-lately.ts';
import type { SubnetId } from '../../src/cloud/cloud.ts';

const [one, other] = ['subnet-1', 'subnet-2'] as [SubnetId, SubnetId]; // any ids will do

test('what is asked for is told while it is, and as asked for lately some seconds more, of its own subnet alone', () => {
  let now_ms = 1000;
  const asked = askedLately<string>(() => now_ms);
  const [both, none] = [new Set(['a', 'b']), new Set()];
  const over = asked.ask(one, ['a', 'b']);
  now_ms += 60_000;
  assert.deepEqual([asked.now(one), asked.lately(one), asked.lately(other)], [both, both, none]);
  over();
  assert.deepEqual([asked.now(one), asked.lately(one)], [none, both]);
  now_ms += 10_000;
  const second = asked.ask(one, ['b', 'c']);
  assert.deepEqual([asked.now(one), asked.lately(one)], [new Set(['b', 'c']), new Set(['a', 'b', 'c'])]);
  now_ms += 10_000;
  assert.deepEqual(asked.lately(one), new Set(['b', 'c']));
  second();
  now_ms += 20_000;
  assert.deepEqual(asked.lately(one), none);
});

test('what was given back is free for the next choice at once', () => {
  const asked = askedLately<string>(() => 1000);
  asked.ask(one, ['a', 'b'])();
  asked.ask(other, ['a'])();
  asked.forget(one, 'a');
  assert.deepEqual([asked.lately(one), asked.lately(other)], [new Set(['b']), new Set(['a'])]);
});
