/** What the account of the cloud will soon have no more of is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Shortage } from '../../src/cloud/cloud.ts';
import { failure } from '../../src/errors/failure.ts';
import { bench } from './harness.ts';

test('a shortage is told at start and at a sweep once it comes, not again while it lasts, and again when it comes back', async () => {
  const { clock, cloud, controller, lines } = bench();
  let now: Shortage[] = [{ what: 'ports', text: '9 of 100 ports are left' }];
  let isDown = false;
  const shortages = (): Promise<Shortage[]> =>
    isDown
      ? Promise.reject(failure('cloudUnavailable', { cloud: 'memory', endpoint: 'http://cloud', call: 'shortages', text: 'no answer' }))
      : Promise.resolve(now);
  const running = await controller({ cloud: { ...cloud, shortages } });
  const told = (): number => lines.filter((line) => line.includes('ports are left')).length;
  await clock.advance(10);
  assert.equal(told(), 1, 'at start');
  now = [{ what: 'ports', text: '3 of 100 ports are left' }];
  await clock.advance(600_000);
  assert.equal(told(), 1, 'while it lasts');
  isDown = true;
  await clock.advance(600_000);
  isDown = false;
  await clock.advance(600_000);
  assert.equal(told(), 1, 'nobody knew better meanwhile');
  now = [];
  await clock.advance(600_000);
  now = [{ what: 'ports', text: '9 of 100 ports are left' }];
  await clock.advance(600_000);
  assert.equal(told(), 2, 'again');
  await running.stop();
});
