/** Each fault on request: what the caller sees, and what was done all the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testVpc, type TestVpc, withSubnet } from './support.ts';

const fault = async (vpc: TestVpc, call: string, effect: object, more: object = {}): Promise<string> => {
  const made = await vpc.call('POST', '/v1/faults', { call, effect, ...more });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body.id;
};
const nics = async (vpc: TestVpc): Promise<{ id: string; blocks: string[]; attachment?: { state: string } }[]> =>
  (await vpc.call('GET', '/v1/nics')).body.items;

test('error, throttling and a lost request do nothing; a count ends them', async () => {
  await using vpc = await testVpc();
  const subnet = await withSubnet(vpc);
  const create = () => vpc.call('POST', '/v1/nics', { clientToken: 't', subnet });
  await fault(vpc, 'CreateNic', { kind: 'error', reason: 'SubnetFull' }, { count: 1 });
  assert.deepEqual(await create().then(({ status, body }) => [status, body.error.reason]), [409, 'SubnetFull']);
  await fault(vpc, 'CreateNic', { kind: 'throttle' }, { count: 1 });
  const throttled = await create();
  assert.deepEqual([throttled.status, throttled.body.error.reason, throttled.headers['retry-after']], [429, 'Throttled', '1']);
  await fault(vpc, 'CreateNic', { kind: 'loseRequest' }, { count: 1 });
  assert.equal((await create()).status, 0);
  assert.deepEqual(await nics(vpc), []);
  assert.equal((await create()).status, 201);
});

test('an answer lost after success: the change is done, and the token finds it', async () => {
  await using vpc = await testVpc();
  const subnet = await withSubnet(vpc);
  await fault(vpc, 'CreateNic', { kind: 'loseAnswer' }, { count: 1 });
  assert.equal((await vpc.call('POST', '/v1/nics', { clientToken: 't', subnet })).status, 0);
  const [done] = await nics(vpc);
  assert.equal((await vpc.call('POST', '/v1/nics', { clientToken: 't', subnet })).body.id, done?.id);
});

test('part of a batch is done, and the answer is an error', async () => {
  await using vpc = await testVpc();
  const { id } = (await vpc.call('POST', '/v1/nics', { clientToken: 't', subnet: await withSubnet(vpc) })).body;
  await fault(vpc, 'AssignAddresses', { kind: 'partial', keep: 3 }, { count: 1 });
  const partly = await vpc.call('POST', `/v1/nics/${id}/assign`, { want: { addresses4: 5 } });
  assert.deepEqual([partly.status, partly.body.error.reason], [500, 'InternalError']);
  const blocks = (await nics(vpc))[0]?.blocks ?? [];
  assert.equal(blocks.length, 3);
  await fault(vpc, '*', { kind: 'partial' }, { count: 1 });
  assert.equal((await vpc.call('POST', `/v1/nics/${id}/unassign`, { blocks })).status, 500);
  assert.equal((await nics(vpc))[0]?.blocks.length, 2, 'half of three, rounded down');
});

test('stale reads show what was, then what is', async () => {
  await using vpc = await testVpc();
  const subnet = await withSubnet(vpc);
  const stale = await fault(vpc, 'ListNics', { kind: 'staleReads', ms: 600_000 });
  await vpc.call('POST', '/v1/nics', { clientToken: 't', subnet });
  assert.equal((await nics(vpc)).length, 0);
  assert.equal((await vpc.call('GET', '/v1/subnets')).body.items[0].free4, 250, 'other calls see it');
  await vpc.call('DELETE', `/v1/faults/${stale}`);
  assert.equal((await nics(vpc)).length, 1);
});

test('a NIC that will not detach stays detaching until the fault ends, and until a restart at the latest', async () => {
  await using vpc = await testVpc();
  const subnet = await withSubnet(vpc);
  const instance = (await vpc.call('POST', '/v1/instances', { name: 'n1', type: 'v1.medium', subnet })).body.id;
  const { id } = (await vpc.call('POST', '/v1/nics', { clientToken: 't', subnet })).body;
  const shown = async () => (await nics(vpc)).find((nic) => nic.id === id)?.attachment?.state;
  for (const end of [() => vpc.call('DELETE', '/v1/faults'), () => vpc.restart()]) {
    await vpc.call('POST', `/v1/nics/${id}/attach`, { instance, deviceIndex: 1 });
    await fault(vpc, 'DetachNic', { kind: 'detachStuck' }, { count: 1 });
    assert.equal((await vpc.call('POST', `/v1/nics/${id}/detach`)).status, 204);
    assert.equal(await shown(), 'detaching');
    assert.equal((await vpc.call('POST', `/v1/nics/${id}/detach`)).status, 204, 'asking again changes nothing');
    assert.equal((await vpc.call('DELETE', `/v1/nics/${id}`)).body.error.reason, 'InUse');
    assert.equal((await vpc.call('POST', `/v1/nics/${id}/attach`, { instance, deviceIndex: 1 })).body.error.reason, 'AlreadyAttached');
    await end();
    assert.equal(await shown(), undefined);
  }
});

test('delay holds the call back and then does it', async () => {
  await using vpc = await testVpc();
  await fault(vpc, 'GetNetwork', { kind: 'delay', ms: 30 }, { count: 1 });
  assert.equal((await vpc.call('GET', '/v1/network')).status, 200);
  const [event] = (await vpc.call('GET', '/v1/events')).body.items;
  assert.ok(event.duration_ms >= 29 && event.fault === 'delay', JSON.stringify(event));
});

test('the same seed hits the same calls', async () => {
  const pattern = async (seed: number): Promise<string> => {
    await using vpc = await testVpc();
    await fault(vpc, 'GetNetwork', { kind: 'throttle' }, { rate: 0.5, seed });
    let hits = '';
    for (let i = 0; i < 24; i++) hits += (await vpc.call('GET', '/v1/network')).status === 429 ? 'x' : '.';
    return hits;
  };
  const [first, again, other] = [await pattern(7), await pattern(7), await pattern(8)];
  assert.equal(first, again);
  assert.notEqual(first, other);
  assert.match(first, /x.*\.|\..*x/);
});

test('events tell each call and its outcome, in order, and can be waited for', async () => {
  await using vpc = await testVpc();
  await vpc.call('GET', '/v1/network');
  const waited = vpc.call('GET', '/v1/events?after=1&wait_ms=30000');
  await vpc.call('DELETE', '/v1/subnets/subnet-00000000000000000');
  const [event] = (await waited).body.items;
  assert.deepEqual([event.number, event.call, event.status, event.reason], [2, 'DeleteSubnet', 404, 'NotFound']);
  assert.match(event.text, /DeleteSubnet subnet-00000000000000000: NotFound: there is no subnet/);
});

test('faults are refused when they would mean nothing, and never disturb the calls about faults', async () => {
  await using vpc = await testVpc();
  for (const [body, field] of [
    [{ call: 'Reboot', effect: { kind: 'throttle' } }, 'call'],
    [{ effect: { kind: 'earthquake' } }, 'effect.kind'],
    [{ effect: { kind: 'delay' } }, 'effect.ms'],
    [{ effect: { kind: 'throttle' }, rate: 2 }, 'rate'],
    [{ effect: { kind: 'error', reason: 'Bored' } }, 'effect.reason'],
  ] as const) {
    assert.equal((await vpc.call('POST', '/v1/faults', body)).body.error.field, field);
  }
  await fault(vpc, '*', { kind: 'error' });
  assert.equal((await vpc.call('GET', '/v1/network')).status, 500);
  assert.deepEqual(
    (await vpc.call('GET', '/v1/faults')).body.items.map(({ hits }: { hits: number }) => hits),
    [1],
  );
  assert.equal((await vpc.call('DELETE', '/v1/faults')).status, 204);
  assert.equal((await vpc.call('GET', '/v1/network')).status, 200);
});
