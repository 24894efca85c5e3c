/** Load balancers behind the fence, the switches and the account's pace. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pacedBalancers } from '../../src/cloud/limits/paced-steps.ts';
import { allowedSteps, fencedSteps } from '../../src/cloud/limits/steps.ts';
import { turnstile, usualPace } from '../../src/cloud/limits/paced.ts';
import type { LoadBalancers, Step } from '../../src/cloud/load-balancers.ts';
import { fails } from './scripted-server.ts';
import { virtualClock } from './virtual-clock.ts';

const sent: string[] = [];
const balancers: LoadBalancers = {
  name: 'test',
  list: () => Promise.resolve([]),
  look: () => Promise.resolve({ state: 'absent' }),
  leave: () => Promise.resolve({ state: 'absent' }),
  perform: (step) => step.send(),
};
const step = (kind: Step['kind']): Step => ({
  kind,
  isRelease: kind === 'delete',
  text: `${kind}s it`,
  send: () => Promise.resolve(void sent.push(kind)),
});

test('without changes no step is sent, without releases none that gives back, and looking goes on', async () => {
  sent.length = 0;
  const none = allowedSteps(balancers, { changes: false, releases: true });
  await assert.rejects(none.perform(step('create')), fails('cloudChangesStopped', /creates it/));
  const keeping = allowedSteps(balancers, { changes: true, releases: false });
  await assert.rejects(keeping.perform(step('delete')), fails('cloudReleasesStopped', /deletes it/));
  await keeping.perform(step('unassign'));
  assert.deepEqual([sent, await none.leave({}), await keeping.list({})], [['unassign'], { state: 'absent' }, []]);
});

test('who may not be the leader for as long as a step can take sends none', async () => {
  sent.length = 0;
  let holds_ms = 4000;
  const fenced = fencedSteps(balancers, () => holds_ms, 4500);
  await assert.rejects(fenced.perform(step('assign')), fails('cloudFenced', /assigns it/));
  holds_ms = 4500;
  await fenced.perform(step('assign'));
  assert.deepEqual(sent, ['assign']);
});

test('steps wait for the buckets that all other calls of the account wait for', async () => {
  sent.length = 0;
  const clock = virtualClock();
  const turn = turnstile('test', usualPace, clock, () => 0.5);
  const paced = pacedBalancers(balancers, turn);
  const { burst } = usualPace.rates.create;
  for (let n = 0; n < burst; n++) await turn('create', 'createNic', () => Promise.resolve());
  const waiting = paced.perform(step('create'));
  await clock.advance(0);
  assert.deepEqual(sent, []);
  await clock.advance(1000);
  await waiting;
  assert.deepEqual(sent, ['create']);
});
