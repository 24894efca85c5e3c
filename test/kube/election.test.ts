/** Elections by a Lease, on a virtual clock: who leads, who takes over, and that never two hold it at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Election, LONGEST_CALL_ms, stand } from '../../src/kube/election.ts';
import { createLog } from '../../src/log.ts';
import { type VirtualClock, virtualClock } from '../cloud/virtual-clock.ts';
import { type LeaseServer, leaseServer, type Process, processOn, type Weather } from './lease-server.ts';

const log = createLog('test', 'error');
const fair = (): Weather => ({ there_ms: 2, back_ms: 2 });

/** A candidate and what it was told. */
interface Standing {
  readonly process: Process;
  readonly election: Election;
  readonly told: string[];
}

function candidate(
  world: VirtualClock,
  server: LeaseServer,
  name: string,
  weather: () => Weather = fair,
  process = processOn(world),
): Standing {
  const told: string[] = [];
  const election = stand(server.api(process, weather), {
    namespace: 'kube-system',
    lease: 'l',
    candidate: name,
    log,
    clock: process,
    random: () => 0.5,
    began: (term) => told.push(`began ${term}`),
    ended: (why) => told.push(`ended: ${why}`),
  });
  return { process, election, told };
}

/** Steps down on a clock that must be moved for it. */
async function stopped(world: VirtualClock, ...all: Standing[]): Promise<void> {
  const done = Promise.all(all.map(({ election }) => election.stop()));
  await world.advance(6000);
  await done;
}

/** Who holds it, by name. */
const holders = (all: readonly Standing[]) => all.filter(({ election }) => election.holdsFor_ms() > 0);

test('of two candidates one leads, and renews as long as it runs', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  const all = [candidate(world, server, 'a'), candidate(world, server, 'b')];
  await world.advance(6000);
  const [leader] = holders(all);
  assert.ok(leader !== undefined && holders(all).length === 1);
  assert.deepEqual(leader.told, ['began 0']);
  assert.equal(leader.election.term, 0);
  for (const { election } of all) assert.equal(election.leader, leader.election.identity);
  const writes = server.writes;
  await world.advance(60_000);
  assert.deepEqual(leader.told, ['began 0']);
  assert.ok(leader.election.holdsFor_ms() > 6500);
  assert.equal(server.writes - writes, 60, 'a write every second');
  assert.ok(all.every(({ election }) => election.inTouch));
  await stopped(world, ...all);
});

test('a leader that stops gives the Lease back: the other leads within one try, in the next term', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  const a = candidate(world, server, 'a');
  await world.advance(5000);
  const b = candidate(world, server, 'b');
  await world.advance(3000);
  const stopping = a.election.stop();
  assert.equal(a.election.holdsFor_ms(), 0);
  await world.advance(10);
  await stopping;
  assert.equal(server.holder, '');
  assert.deepEqual(a.told, ['began 0', 'ended: it was stopped']);
  await world.advance(2500);
  assert.deepEqual(b.told, ['began 1']);
  await stopped(world, b);
});

test('a leader that was killed is followed after its Lease ran out, however wrong the times in it are', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  const a = candidate(world, server, 'a');
  await world.advance(5000);
  a.process.pause();
  // Its host's clock was a year ahead.
  assert.ok(server.stored !== undefined);
  const spec = server.stored['spec'] as object; // written by heldBy
  server.stored = { ...server.stored, spec: { ...spec, renewTime: '2999-01-01T00:00:00.000000Z' } };
  const b = candidate(world, server, 'b');
  await world.advance(7900);
  assert.deepEqual(b.told, []);
  await world.advance(1400);
  assert.deepEqual(b.told, ['began 1']);
  a.process.resume();
  await stopped(world, a, b);
});

test('a leader that was paused knows by its clock that it leads no more before anything of it runs', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  const a = candidate(world, server, 'a');
  await world.advance(5000);
  const b = candidate(world, server, 'b');
  await world.advance(2000);
  a.process.pause();
  await world.advance(30_000);
  // What a thread of it would see in the very moment it wakes up.
  assert.equal(a.election.holdsFor_ms(), 0);
  assert.ok(b.election.holdsFor_ms() > 0);
  a.process.resume();
  await world.advance(100);
  assert.deepEqual(a.told, ['began 0', 'ended: the Lease could not be renewed for 6.5 s']);
  assert.equal(a.election.term, undefined);
  await world.advance(60_000);
  assert.deepEqual(b.told, ['began 1']);
  await stopped(world, a, b);
});

test('a leader that was paused while an answer was on its way does not lead by it', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  const a = candidate(world, server, 'a', () => ({ there_ms: 10, back_ms: 500 }));
  // Both looks that find no Lease, and the write, which the server has by now.
  while (server.stored === undefined) await world.advance(50);
  a.process.pause();
  await world.advance(60_000);
  a.process.resume();
  await world.advance(0);
  assert.deepEqual([a.told, a.election.holdsFor_ms()], [[], 0]);
  await world.advance(10_000);
  assert.deepEqual(a.told, ['began 1']);
  await stopped(world, a);
});

test('a leader whose renewals do not come through steps down after 6.5 s, before anybody else leads, and leads again when they do', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  let lost: Weather['lost'];
  const a = candidate(world, server, 'a', () => (lost === undefined ? fair() : { ...fair(), lost }));
  await world.advance(5000);
  lost = 'request';
  await world.advance(5500);
  assert.deepEqual(a.told, ['began 0']);
  assert.equal(a.election.inTouch, false);
  await world.advance(1100);
  assert.deepEqual(a.told, ['began 0', 'ended: the Lease could not be renewed for 6.5 s']);
  assert.equal(a.election.holdsFor_ms(), 0);
  lost = undefined;
  await world.advance(10_000);
  assert.deepEqual(a.told.slice(2), ['began 1'], 'nobody led in between: another term all the same');
  assert.equal(a.election.inTouch, true);
  await stopped(world, a);
});

test('how long a leader holds counts from before its renewal was sent, by a clock that may be a little slow', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  let back_ms = 2;
  const a = candidate(world, server, 'a', () => ({ there_ms: 0, back_ms }), processOn(world, 0.995));
  await world.advance(5000);
  const b = candidate(world, server, 'b', fair, processOn(world, 1.004));
  back_ms = 3000;
  const writes = server.writes;
  while (server.writes === writes) await world.advance(20);
  // The answer to this renewal comes 3 s after b could see it; then nothing more.
  await world.advance(3100);
  assert.ok(a.election.holdsFor_ms() > 0);
  a.process.pause();
  while (b.told.length === 0) {
    await world.advance(5);
    assert.ok(b.election.holdsFor_ms() === 0 || a.election.holdsFor_ms() === 0);
  }
  a.process.resume();
  await stopped(world, a, b);
});

test('an API server that takes 3 s costs nobody the lead: for once, and for every answer', async () => {
  for (const slow_ms of [3000, 13_000, 60_000]) {
    const world = virtualClock();
    const server = leaseServer(world);
    let back_ms = 2;
    const a = candidate(world, server, 'a', () => ({ there_ms: 2, back_ms }));
    await world.advance(5000);
    const b = candidate(world, server, 'b');
    await world.advance(3000);
    back_ms = 3000;
    await world.advance(slow_ms);
    back_ms = 2;
    await world.advance(10_000);
    assert.deepEqual([a.told, b.told], [['began 0'], []]);
    await stopped(world, a, b);
  }
});

test('one request that is never answered costs nobody the lead', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  let lost: Weather['lost'];
  const weather = (): Weather => {
    const one = lost === undefined ? fair() : { ...fair(), lost };
    lost = undefined;
    return one;
  };
  const a = candidate(world, server, 'a', weather);
  await world.advance(5000);
  for (const what of ['request', 'answer'] as const) {
    lost = what;
    await world.advance(15_000);
  }
  assert.deepEqual(a.told, ['began 0']);
  await stopped(world, a);
});

test('the fence is open all the time while the API server answers within a second, and now and then while it takes 3 s', async () => {
  for (const [back_ms, least] of [
    [1000, 1],
    [3000, 0.05],
  ] as const) {
    const world = virtualClock();
    const server = leaseServer(world);
    const a = candidate(world, server, 'a', () => ({ there_ms: 2, back_ms }));
    await world.advance(20_000);
    let open = 0;
    for (let look = 0; look < 1000; look++) {
      await world.advance(20);
      if (a.election.holdsFor_ms() >= LONGEST_CALL_ms) open++;
    }
    assert.ok(open / 1000 >= least, `open ${open / 10} % of the time with answers after ${back_ms} ms`);
    await stopped(world, a);
  }
});

test('a write of which no answer came is looked at, not forgotten: it may have been done', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  let answers = 0;
  const a = candidate(world, server, 'a', () => (++answers === 3 ? { ...fair(), lost: 'answer' } : fair()));
  await world.advance(15_000);
  assert.equal(server.holder, a.election.identity);
  assert.deepEqual(a.told, ['began 1']);
  await stopped(world, a);
});

test('who is told of a later term leads in one after it, and goes on from there', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  const a = candidate(world, server, 'a');
  await world.advance(5000);
  a.election.outrank(41);
  assert.equal(a.election.holdsFor_ms(), 0);
  await world.advance(2000);
  a.election.outrank(7);
  await world.advance(2000);
  assert.deepEqual(a.told, ['began 0', 'ended: term 41 was there before', 'began 42']);
  await stopped(world, a);
  const b = candidate(world, server, 'b');
  await world.advance(2000);
  assert.deepEqual(b.told, ['began 43']);
  await stopped(world, b);
});

test('somebody who labels the Lease neither ends the leading nor prolongs it', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  const label = (version: string): void => {
    const metadata = { ...(server.stored?.['metadata'] as object), labels: { team: version }, resourceVersion: version }; // of an object
    server.stored = { ...server.stored, metadata };
  };
  const a = candidate(world, server, 'a');
  await world.advance(5000);
  label('x1');
  await world.advance(10_000);
  assert.deepEqual(a.told, ['began 0']);
  assert.match(JSON.stringify(server.stored), /"team":"x1"/, 'and the label stays');
  const b = candidate(world, server, 'b');
  await world.advance(3000);
  a.process.pause();
  for (let second = 0; second < 10; second++) {
    label(`y${second}`);
    await world.advance(1000);
  }
  assert.deepEqual(b.told, ['began 1']);
  a.process.resume();
  await stopped(world, a, b);
});

test('a Lease that is deleted comes back with its leader; one who saw it waits as if it were there', async () => {
  const world = virtualClock();
  const server = leaseServer(world);
  const a = candidate(world, server, 'a');
  await world.advance(5000);
  const b = candidate(world, server, 'b');
  await world.advance(3000);
  server.stored = undefined;
  await world.advance(5000);
  assert.equal(server.holder, a.election.identity);
  assert.deepEqual([a.told, b.told], [['began 0'], []]);
  a.process.pause();
  server.stored = undefined;
  await world.advance(7500);
  assert.deepEqual(b.told, []);
  await world.advance(4000);
  assert.deepEqual(b.told, ['began 1']);
  a.process.resume();
  await stopped(world, a, b);
});

test('never two hold the Lease at once, whatever is slow, lost or stopped', async () => {
  const weather = fc.record(
    {
      there_ms: fc.integer({ min: 0, max: 6000 }),
      back_ms: fc.integer({ min: 0, max: 6000 }),
      lost: fc.constantFrom('request' as const, 'answer' as const),
    },
    { requiredKeys: ['there_ms', 'back_ms'] },
  );
  const calm = fc.record({ there_ms: fc.integer({ max: 50, min: 0 }), back_ms: fc.integer({ min: 0, max: 50 }) });
  const event = fc.record({
    who: fc.integer({ min: 0, max: 2 }),
    what: fc.constantFrom('pause', 'resume', 'restart', 'wait'),
    then_ms: fc.integer({ min: 1, max: 20_000 }),
  });
  const rates = fc.tuple(...[0, 1, 2].map(() => fc.double({ min: 0.996, max: 1.004, noNaN: true })));
  const schedule = fc.tuple(
    fc.array(fc.oneof({ weight: 3, arbitrary: calm }, weather), { minLength: 1, maxLength: 40 }),
    fc.array(event, { minLength: 1, maxLength: 12 }),
    rates,
  );
  await fc.assert(
    fc.asyncProperty(schedule, async ([skies, events, speeds]) => {
      const world = virtualClock();
      const server = leaseServer(world);
      let at = 0;
      const sky = (): Weather => skies[at++ % skies.length] ?? fair();
      const start = (i: number) => candidate(world, server, `c${i}`, sky, processOn(world, speeds[i] ?? 1, i * 1e6));
      const all = [start(0), start(1), start(2)];
      const gone: Standing[] = [];
      const check = (): void =>
        assert.ok(
          holders([...all, ...gone]).length <= 1,
          holders([...all, ...gone])
            .map(({ election }) => election.identity)
            .join(' and '),
        );
      for (const { who, what, then_ms } of events) {
        const one = all[who];
        if (what === 'pause') one?.process.pause();
        if (what === 'resume') one?.process.resume();
        if (what === 'restart' && one !== undefined) {
          void one.election.stop();
          gone.push(one);
          all[who] = start(who);
        }
        for (let passed = 0; passed < then_ms; passed += 250) {
          await world.advance(Math.min(250, then_ms - passed));
          check();
        }
      }
      for (const { process } of all) process.resume();
      await stopped(world, ...all);
      check();
    }),
    { numRuns: 40 },
  );
});
