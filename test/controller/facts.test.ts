/** What all nodes share is read once for all of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsOf } from '../../src/controller/facts.ts';
import { failure, isFailure } from '../../src/errors/failure.ts';
import { memoryCloud } from '../cloud/memory-cloud.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';

const KEEP_ms = 10_000;

test('many who ask at the same time have a subnet read once, and again when that is old', async () => {
  const clock = virtualClock();
  const cloud = memoryCloud(clock);
  const ids = new Set([cloud.addSubnet('subnet-a', '10.20.0.0/24')]);
  const facts = factsOf(cloud, clock, KEEP_ms);
  const all = await Promise.all(Array.from({ length: 16 }, () => facts([], ids)));
  assert.ok(all.every(({ subnets }) => subnets.size === 1));
  assert.deepEqual(cloud.calls.map(({ name }) => name).toSorted(), ['network', 'subnets']);
  await clock.advance(KEEP_ms);
  await facts([], ids);
  assert.equal(cloud.calls.length, 4);
});

test('a read that failed fails for all who waited for it, and is made again for the next', async () => {
  const clock = virtualClock();
  const cloud = memoryCloud(clock);
  const ids = new Set([cloud.addSubnet('subnet-a', '10.20.0.0/24')]);
  const facts = factsOf(cloud, clock, KEEP_ms);
  cloud.fault = () => failure('cloudThrottled', { cloud: 'memory', call: 'subnets', text: 'slower' });
  const got = await Promise.allSettled([facts([], ids), facts([], ids)]);
  assert.ok(got.every((one) => one.status === 'rejected' && isFailure(one.reason, 'cloudThrottled')));
  cloud.fault = () => 'none';
  assert.equal((await facts([], ids)).subnets.size, 1);
});
