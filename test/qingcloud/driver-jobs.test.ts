/** Jobs are watched many at a time, ever more seldom, and not for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Api, ApiList } from '../../src/cloud/qingcloud/call.ts';
import { JobWatch } from '../../src/cloud/qingcloud/jobs.ts';
import { patienceFor } from '../../src/cloud/qingcloud/patience.ts';
import { refuse } from '../../src/cloud/wire/asked.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';

const call = { cloud: 'qingcloud', endpoint: 'e', call: 'DescribeJobs', object: 'jobs' };

interface Bench {
  readonly api: Api;
  /** What each call asked about, and when. */
  readonly asked: { readonly jobs: readonly string[]; readonly at_ms: number }[];
  /** What lists show. */
  readonly status: Map<string, string>;
  fails: boolean;
  /** A list that names one of these is refused. */
  readonly unknown: Set<string>;
}

function bench(clock: ReturnType<typeof virtualClock>): Bench {
  const start_ms = clock.now_ms();
  const never = (): never => assert.fail('this is not asked for');
  const one: Bench = {
    asked: [],
    status: new Map(),
    fails: false,
    unknown: new Set(),
    api: {
      call: never,
      async list<T>({ parameters, read }: ApiList<T>): Promise<T[]> {
        const jobs = parameters['jobs'];
        assert.ok(Array.isArray(jobs));
        one.asked.push({ jobs: jobs.map(String), at_ms: clock.now_ms() - start_ms });
        if (one.fails) throw new Error('not now');
        if (jobs.some((job) => one.unknown.has(String(job)))) throw refuse.notFound(call, '2100: ResourceNotFound');
        return Promise.resolve(
          [...one.status].filter(([id]) => jobs.includes(id)).map(([job_id, status]) => read({ job_id, status }, 'job')),
        );
      },
      asked: never,
      zone: never,
      now_ms: () => clock.now_ms(),
      close: () => undefined,
    },
  };
  return one;
}

test('all jobs are asked about in one call, ever more seldom', async () => {
  const clock = virtualClock();
  const { api, asked, status } = bench(clock);
  const jobs = new JobWatch(api, clock);
  const ends = Promise.all(['j-1', 'j-2', 'j-3'].map((job) => jobs.ended(job)));
  for (const job of ['j-1', 'j-2', 'j-3']) status.set(job, 'working');
  await clock.advance(20_000);
  assert.ok(asked.length < 15, String(asked.length));
  assert.ok(asked.every((one) => one.jobs.length === 3));
  const pauses = asked.map(({ at_ms }, i) => at_ms - (asked[i - 1]?.at_ms ?? 0));
  assert.ok(pauses.every((pause, i) => pause >= (pauses[i - 1] ?? 0)) && (pauses.at(-1) ?? 0) <= 3000, String(pauses));
  status.set('j-1', 'successful').set('j-2', 'done with failure').set('j-3', 'failed');
  await clock.advance(3000);
  assert.deepEqual(await ends, ['successful', 'done with failure', 'failed']);
  const before = asked.length;
  await clock.advance(60_000);
  assert.equal(asked.length, before, 'nothing runs while there are none');
  jobs.close();
});

test('a job that is not listed is waited for some seconds, also when it was listed before', async () => {
  const clock = virtualClock();
  const { api, status } = bench(clock);
  const jobs = new JobWatch(api, clock);
  const [late, vanishing] = [jobs.ended('j-late'), jobs.ended('j-vanishing')];
  status.set('j-vanishing', 'pending');
  await clock.advance(3000);
  status.delete('j-vanishing');
  status.set('j-late', 'successful');
  await clock.advance(3000);
  assert.equal(await late, 'successful');
  let end: string | undefined;
  void vanishing.then((how) => (end = how));
  await clock.advance(1000);
  assert.equal(end, undefined);
  await clock.advance(6000);
  assert.equal(end, 'unknown');
  jobs.close();
});

test('lists that fail end no job; its age does', async () => {
  const clock = virtualClock();
  const one = bench(clock);
  const jobs = new JobWatch(one.api, clock);
  let end: string | undefined;
  void jobs.ended('j-1').then((how) => (end = how));
  one.fails = true;
  await clock.advance(60_000);
  assert.equal(end, undefined);
  await clock.advance(300_000);
  assert.equal(end, 'unknown');
  jobs.close();
});

test('a job that the cloud does not know, and for which it refuses the list, hides no other, and is given up like one that is not listed', async () => {
  const clock = virtualClock();
  const { api, asked: calls, status, unknown } = bench(clock);
  const jobs = new JobWatch(api, clock);
  const start_ms = clock.now_ms();
  const ends = new Map<string, [string, number]>();
  unknown.add('j-gone');
  for (const job of ['j-gone', 'j-1', 'j-2']) void jobs.ended(job).then((end) => ends.set(job, [end, clock.now_ms() - start_ms]));
  status.set('j-1', 'working').set('j-2', 'successful');
  await clock.advance(1000);
  assert.deepEqual([...ends.keys()], ['j-2']);
  const before = calls.length;
  assert.ok(
    calls.slice(4).every((one) => one.jobs.length === 1 || !one.jobs.includes('j-gone')),
    'from then on it is asked for by itself',
  );
  await clock.advance(9000);
  const [how, after_ms] = ends.get('j-gone') ?? [];
  assert.ok(how === 'unknown' && after_ms !== undefined && after_ms > 5000 && after_ms < 10_000, `${how} after ${after_ms} ms`);
  assert.ok(calls.length - before < 20, `${calls.length - before} calls`);
  status.set('j-1', 'failed');
  await clock.advance(4000);
  assert.equal(ends.get('j-1')?.[0], 'failed');
  jobs.close();
});

test('jobs behind a list that fails are asked about all the same', async () => {
  const clock = virtualClock();
  const { api, status } = bench(clock);
  const first = {
    ...api,
    list: ((one, patience) =>
      Array.isArray(one.parameters['jobs']) && one.parameters['jobs'].includes('j-0')
        ? Promise.reject(new Error('not now'))
        : api.list(one, patience)) as Api['list'],
  };
  const jobs = new JobWatch(first, clock);
  for (let i = 0; i < 100; i++) void jobs.ended(`j-${i}`);
  const behind = jobs.ended('j-100');
  status.set('j-100', 'successful');
  await clock.advance(1000);
  assert.equal(await Promise.race([behind, Promise.resolve('still watched')]), 'successful');
  jobs.close();
});

test('who waits no longer than may be is told that it has not ended; the job is watched all the same', async () => {
  const clock = virtualClock();
  const { api, status } = bench(clock);
  const jobs = new JobWatch(api, clock);
  status.set('j-1', 'working');
  const waiting = jobs.allEnded(['j-1'], patienceFor(clock, 1000));
  await clock.advance(1000);
  assert.equal(await waiting, undefined);
  status.set('j-1', 'successful');
  const again = jobs.allEnded(['j-1'], patienceFor(clock, 10_000));
  await clock.advance(5000);
  assert.deepEqual(await again, ['successful']);
  jobs.close();
});

test('a driver that is closed waits for nothing', async () => {
  const clock = virtualClock();
  const jobs = new JobWatch(bench(clock).api, clock);
  const ended = jobs.ended('j-1');
  jobs.close();
  assert.equal(await ended, 'unknown');
  assert.equal(await jobs.ended('j-2'), 'unknown');
});
