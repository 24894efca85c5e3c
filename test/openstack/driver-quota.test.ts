/** The quota of a project, where Neutron does not tell it, or tells nonsense. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../src/errors/failure.ts';
import { json, liar } from './driver-liar.ts';

const portsAre = (port: object): ReturnType<typeof json> => json({ quota: { port, network: {} } });

test('who is not told the quota hears nothing of it, and neither does who has enough', async () => {
  await using one = await liar();
  for (const status of [403, 404]) {
    one.answer = json({ NeutronError: { type: 'PolicyNotAuthorized', message: 'no', detail: '' } }, status);
    assert.deepEqual(await one.cloud.shortages(), [], `${status}`);
  }
  for (const enough of [
    { used: 90, reserved: 0, limit: 100 },
    { used: 5000, reserved: 9, limit: -1 },
  ]) {
    one.answer = portsAre(enough);
    assert.deepEqual(await one.cloud.shortages(), [], JSON.stringify(enough));
  }
  assert.ok(one.asked.every(({ method, path }) => method === 'GET' && path.endsWith('/details')));
});

test('what is reserved counts as used, and a quota below what is used leaves nothing', async () => {
  await using one = await liar();
  for (const [quota, left] of [
    [{ used: 90, reserved: 1, limit: 100 }, 'has 9 of its 100 ports left'],
    [{ used: 120, reserved: 0, limit: 100 }, 'has 0 of its 100 ports left'],
  ] as const) {
    one.answer = portsAre(quota);
    const [found] = await one.cloud.shortages();
    assert.ok(found !== undefined && found.text.includes(left), found?.text ?? left);
  }
});

test('a quota that cannot be read is no quota that is met', async () => {
  await using one = await liar();
  for (const wrong of [{}, { used: '3', reserved: 0, limit: 100 }, { used: 3, reserved: 0, limit: 0.5 }]) {
    one.answer = portsAre(wrong);
    await assert.rejects(one.cloud.shortages(), (error: unknown) => isFailure(error, 'cloudGarbled'), JSON.stringify(wrong));
  }
});
