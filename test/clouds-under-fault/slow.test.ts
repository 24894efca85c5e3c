/** Clouds that take their time: nobody waits for another node's call, and what is never answered in time is found by looking. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fronts } from './fronts.ts';
import { servedBesideMany, servedMeanwhile } from './held-up.ts';
import { lifeThrottled, lifeUnanswered, lifeWithSlowAttach } from './slow.ts';

/** The calls that make an interface. */
const creates = /^(POST \/v1\/nics|CreateNetworkInterface|CreateNics)$/;

for (const kind of fronts) {
  for (const what of ['request', 'answer'] as const)
    test(`${kind.name}: while the ${what} of any changing call of one node is held, other nodes are served`, async (t) => {
      const held = await servedMeanwhile(kind, what);
      t.diagnostic(held.join(', '));
      assert.ok(held.length >= 2);
    });

  test(`${kind.name}: while interfaces of twenty nodes are asked for in vain, a node that needs addresses alone gets them`, async (t) => {
    t.diagnostic(`${await servedBesideMany(kind, creates)} calls were not answered`);
  });

  test(`${kind.name}: changes that are all done and never answered in time are found by looking, and nothing is made twice`, async (t) => {
    const { calls } = await lifeUnanswered(kind);
    t.diagnostic(`${calls} requests`);
  });

  test(`${kind.name}: throttled in waves, nodes that need another kind of call are served meanwhile, the others afterwards, and few calls are wasted`, async (t) => {
    const { wasted } = await lifeThrottled(kind, creates);
    t.diagnostic(`${wasted} calls were throttled`);
  });
}

for (const kind of fronts.filter(({ name }) => name === 'aws'))
  test(`${kind.name}: an interface that takes two minutes to be attached keeps nobody from addresses that are there`, () =>
    lifeWithSlowAttach(kind));
