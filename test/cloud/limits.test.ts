/** Pace, backoff and the switch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Cloud, NicId } from '../../src/cloud/cloud.ts';
import { backoffs, pauseAfter, type PauseKind } from '../../src/cloud/limits/backoff.ts';
import { drained, fullBucket, takeToken } from '../../src/cloud/limits/bucket.ts';
import { withoutChanges, withoutReleases } from '../../src/cloud/limits/changes.ts';
import { fenced } from '../../src/cloud/limits/fenced.ts';
import { gathered } from '../../src/cloud/limits/gathered.ts';
import { paced, usualPace } from '../../src/cloud/limits/paced.ts';
import { withRanges } from '../../src/cloud/range/with-ranges.ts';
import { failure, isFailure } from '../../src/errors/failure.ts';
import { memoryCloud } from './memory-cloud.ts';
import { virtualClock } from './virtual-clock.ts';

const rates = fc.record({ perSecond: fc.integer({ min: 1, max: 100 }), burst: fc.integer({ min: 1, max: 100 }) });

test('in any stretch of time a bucket lets through no more than its burst and what has come back', () => {
  fc.assert(
    fc.property(rates, fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 60 }), (rate, gaps) => {
      let bucket = fullBucket(rate, 0);
      let now = 0;
      const made: number[] = [];
      for (const gap of gaps) {
        now += gap;
        const taken = takeToken(bucket, rate, now);
        bucket = taken.bucket;
        made.push(now + taken.wait_ms);
      }
      for (const from of made) {
        const within = made.filter((at) => at >= from && at <= from + 1000).length;
        assert.ok(within <= rate.burst + rate.perSecond + 1);
      }
    }),
  );
});

test('a clock that goes back refills nothing, and a drained bucket gives nothing before its pause is over', () => {
  const rate = { perSecond: 10, burst: 5 };
  const empty = drained(fullBucket(rate, 1_000_000), rate, 1_000_000, 4000);
  assert.equal(takeToken(empty, rate, 900_000).wait_ms, 4100);
  assert.equal(takeToken(empty, rate, 1_004_100).wait_ms, 0);
});

test('a pause grows with each refusal, never beyond its longest, and differs by chance', () => {
  const kinds = Object.keys(backoffs) as PauseKind[];
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (kind, attempt, chance) => {
        const pause = pauseAfter(kind, attempt, () => chance);
        const { first_ms, longest_ms } = backoffs[kind];
        assert.ok(pause >= first_ms / 2 && pause <= longest_ms);
        assert.ok(pauseAfter(kind, attempt + 1, () => chance) >= pause);
      },
    ),
  );
});

test('calls beyond the pace wait for their turn, and those that would wait too long are refused unsent', async () => {
  const clock = virtualClock();
  const cloud = memoryCloud(clock);
  const pace = { ...usualPace, rates: { ...usualPace.rates, read: { perSecond: 1, burst: 2 } }, longestWait_ms: 3000 };
  const slow = paced(cloud, pace, clock, () => 0.5);
  const answers = await Promise.all([...Array(8).keys()].map(async (i) => ({ i, call: slow.network().catch((error: unknown) => error) })));
  await clock.advance(0);
  assert.equal(cloud.calls.length, 2);
  await clock.advance(3000);
  assert.equal(cloud.calls.length, 5);
  const refused = (await Promise.all(answers.map(({ call }) => call))).filter((answer) => isFailure(answer, 'cloudThrottled'));
  assert.equal(refused.length, 3);
});

test('one throttled call makes all of its kind pause, and no other', async () => {
  const clock = virtualClock();
  const cloud = memoryCloud(clock);
  const slow = paced(cloud, usualPace, clock, () => 0.5);
  let angry = true;
  cloud.fault = ({ name }) =>
    angry && name === 'detachNic' ? failure('cloudThrottled', { cloud: 'memory', call: name, text: '' }) : 'none';
  await assert.rejects(slow.detachNic('nic-1' as NicId), (error) => isFailure(error, 'cloudThrottled'));
  angry = false;
  const later = slow.detachNic('nic-2' as NicId);
  await slow.deleteNic('nic-3' as NicId);
  assert.deepEqual(
    cloud.calls.map(({ name }) => name),
    ['detachNic', 'deleteNic'],
  );
  await clock.advance(5000);
  await later;
  assert.equal(cloud.calls.length, 3);
});

test('with the switch off every changing call is refused unsent, and reading goes on', async () => {
  const cloud = memoryCloud(virtualClock());
  const still = withoutChanges(cloud);
  const nic = 'nic-1' as NicId;
  const request = { clientToken: 't', subnet: cloud.addSubnet('subnet-a', '10.20.0.0/24'), securityGroups: [], tags: {}, description: '' };
  const instance = cloud.launch('i-1', request.subnet);
  for (const call of [
    () => still.createNic(request),
    () => still.attachNic(nic, instance, 1),
    () => still.detachNic(nic),
    () => still.deleteNic(nic),
    () => still.assign(nic, { addresses4: 1 }),
    () => still.unassign(nic, []),
  ]) {
    await assert.rejects(call(), (error) => isFailure(error, 'cloudChangesStopped'));
  }
  assert.equal((await still.nics({ instance })).length, 1);
  assert.ok(cloud.calls.every(({ changing }) => !changing));
});

test('with releases switched off what gives back is refused unsent, and the rest goes on', async () => {
  const cloud = memoryCloud(virtualClock());
  const keeping = withoutReleases(cloud);
  const request = { clientToken: 't', subnet: cloud.addSubnet('subnet-a', '10.20.0.0/24'), securityGroups: [], tags: {}, description: '' };
  const { id } = await keeping.createNic(request);
  const [block] = await keeping.assign(id, { addresses4: 1 });
  assert.ok(block !== undefined);
  for (const call of [() => keeping.detachNic(id), () => keeping.deleteNic(id), () => keeping.unassign(id, [block])])
    await assert.rejects(call(), (error) => isFailure(error, 'cloudReleasesStopped'));
  assert.deepEqual((await keeping.nics({ ids: [id] }))[0]?.blocks, [block]);
});

test('while another controller may lead, every changing call is refused unsent, and reading goes on', async () => {
  const cloud = memoryCloud(virtualClock());
  let left_ms = 9_999;
  const ours = fenced(cloud, () => left_ms, 10_000);
  const nic = 'nic-1' as NicId;
  const request = { clientToken: 't', subnet: cloud.addSubnet('subnet-a', '10.20.0.0/24'), securityGroups: [], tags: {}, description: '' };
  const instance = cloud.launch('i-1', request.subnet);
  for (const call of [
    () => ours.createNic(request),
    () => ours.attachNic(nic, instance, 1),
    () => ours.detachNic(nic),
    () => ours.deleteNic(nic),
    () => ours.assign(nic, { addresses4: 1 }),
    () => ours.unassign(nic, []),
  ]) {
    await assert.rejects(call(), (error) => isFailure(error, 'cloudFenced') && error.details.includes('9999 ms'));
  }
  assert.deepEqual((await ours.network()).cidrs.length, 1);
  assert.equal((await ours.instance(instance)).id, instance);
  assert.equal((await ours.subnets([request.subnet])).length, 1);
  assert.equal((await ours.nics({ instance })).length, 1);
  assert.ok(cloud.calls.every(({ changing }) => !changing));
  left_ms = 10_000;
  const made = await ours.createNic(request);
  await ours.attachNic(made.id, instance, 1);
  await ours.unassign(made.id, await ours.assign(made.id, { addresses4: 1 }));
  await ours.detachNic(made.id);
  await ours.deleteNic(made.id);
  assert.equal(cloud.calls.filter(({ changing }) => changing).length, 6);
});

test('a call that waited for its turn is fenced by who leads when the wait is over', async () => {
  const clock = virtualClock();
  const cloud = memoryCloud(clock);
  const leadsUntil_ms = clock.now_ms() + 12_000;
  const ours = fenced(cloud, () => leadsUntil_ms - clock.now_ms(), 10_000);
  const pace = { ...usualPace, rates: { ...usualPace.rates, delete: { perSecond: 0.2, burst: 1 } } };
  const slow = paced(ours, pace, clock, () => 0.5);
  await slow.deleteNic('nic-1' as NicId);
  const waiting = slow.deleteNic('nic-2' as NicId).catch((error: unknown) => error);
  await clock.advance(5_000);
  assert.ok(isFailure(await waiting, 'cloudFenced'));
  assert.equal(cloud.calls.length, 1);
});

test('whose addresses are is told to the cloud, whatever is between it and who asks', async () => {
  const clock = virtualClock();
  const memory = memoryCloud(clock);
  const told: Parameters<Cloud['assign']>[] = [];
  const cloud: Cloud = {
    ...memory,
    async assign(...asked) {
      told.push(asked);
      return [];
    },
  };
  const all = withRanges(
    gathered(
      paced(
        fenced(cloud, () => 60_000, 10_000),
        usualPace,
        clock,
        () => 0,
      ),
    ),
    memory,
  );
  const asked: Parameters<Cloud['assign']> = ['nic-1' as NicId, { addresses4: 1 }, { 'flatpod.dev/cluster': 'test' }];
  await all.assign(...asked);
  assert.deepEqual(told, [asked]);
});
