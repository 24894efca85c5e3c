/** The driver for the emulated VPC against servers that lie, stall, hang up, and refuse for every reason of the API's document. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Cloud, InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { vpcCloud } from '../../src/cloud/vpc/vpc.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { testVpc } from '../vpc/support.ts';
import { deadlines } from './deadlines.ts';
import { fails, raw, scriptedServer } from './scripted-server.ts';
import { assertDecisions, toldRefusals } from './decision-words.ts';

interface Liar extends AsyncDisposable {
  readonly cloud: Cloud;
  answer: (response: ServerResponse, path: string) => void;
  readonly asked: string[];
}

async function liar(deadline_ms = 20_000, host = '127.0.0.1'): Promise<Liar> {
  const asked: string[] = [];
  const server = await scriptedServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    one.answer(response, request.url ?? '');
  }, host);
  const cloud = vpcCloud({ endpoint: server.url, deadline_ms });
  const one: Liar = {
    cloud,
    asked,
    answer: (response) => response.destroy(),
    async [Symbol.asyncDispose]() {
      cloud[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
  return one;
}

const json =
  (value: unknown, status = 200) =>
  (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };

const nicId = 'nic-0123456789abcdef0' as NicId;
const nic = {
  id: nicId,
  mac: '02:00:00:00:00:01',
  subnet: 'subnet-0123456789abcdef0',
  zone: 'z1',
  mtu: 1500,
  primary4: '10.20.0.5',
  blocks: ['10.20.0.6/32'],
  securityGroups: [],
  tags: { a: 'b' },
  description: '',
  createdAt_ms: 5,
};

test('an endpoint may be an IPv6 address', async () => {
  await using server = await liar(undefined, '::1');
  server.answer = json({ cidrs: ['10.20.0.0/16'] });
  assert.deepEqual(await server.cloud.network(), { cidrs: ['10.20.0.0/16'] });
});

test('an answer that is not what the document promises is refused with the place where it is wrong', async () => {
  await using server = await liar();
  const lies: [unknown, RegExp][] = [
    [{ items: 'none' }, /answer\.items should be a list/],
    [{ items: [null] }, /answer\.items\[0\] should be an object/],
    [{ items: [{ ...nic, mac: 'no' }] }, /answer\.items\[0\]\.mac should be an Ethernet address/],
    [{ items: [{ ...nic, blocks: ['10.20.0.6/31'] }] }, /blocks\[0\] should be a \/32, \/28, \/128 or \/80/],
    [{ items: [{ ...nic, blocks: ['10.20.0.7/28'] }] }, /blocks\[0\] should be a CIDR block/],
    [{ items: [{ ...nic, blocks: ['10.20.0.6/32', '10.20.0.6/32'] }] }, /without repetition/],
    [{ items: [{ ...nic, primary4: '10.20.0.500' }] }, /primary4 should be an address/],
    [{ items: [{ ...nic, attachment: { instance: 'i-1', deviceIndex: -1, state: 'attached' } }] }, /deviceIndex should be a whole number/],
    [
      { items: [{ ...nic, attachment: { instance: 'i-1', deviceIndex: 1, state: 'lost' } }] },
      /state should be attaching or attached or detaching/,
    ],
    [{ items: [{ ...nic, id: 'nic-other' }] }, /nic-other, which was not asked for/],
    [{ items: [{ ...nic, createdAt_ms: 1.5 }] }, /createdAt_ms should be a whole number/],
    [[], /answer should be an object/],
  ];
  for (const [lie, words] of lies) {
    server.answer = json(lie);
    await assert.rejects(server.cloud.nics({ ids: [nicId] }), fails('cloudGarbled', words));
  }
  server.answer = json({ items: [nic] });
  await assert.rejects(server.cloud.nics({ tags: { a: 'c' } }), fails('cloudGarbled', /not asked for/));
  assert.equal((await server.cloud.nics({ ids: [nicId] })).length, 1);
});

test('an assign is believed only when it gives exactly what was asked', async () => {
  await using server = await liar();
  for (const blocks of [
    [],
    ['10.20.0.6/32'],
    ['10.20.0.6/32', '10.20.0.16/28'],
    ['10.20.0.6/32', '10.20.0.6/32'],
    ['10.20.0.6/32', '10.20.0.7/32', '2001:db8::1/128'],
  ]) {
    server.answer = json({ blocks });
    await assert.rejects(server.cloud.assign(nicId, { addresses4: 2 }), fails('cloudGarbled'));
  }
  server.answer = json({ blocks: ['10.20.0.6/32', '10.20.0.7/32'] });
  assert.equal((await server.cloud.assign(nicId, { addresses4: 2 })).length, 2);
});

test('an assign by value is believed only when the answer has every block asked for, and no other beyond the counts', async () => {
  await using server = await liar();
  const these = ['10.20.0.6/32', '2001:db8::1/128'].map(parseCidr);
  for (const blocks of [
    [],
    ['10.20.0.6/32'],
    ['10.20.0.7/32', '2001:db8::1/128'],
    ['10.20.0.6/32', '2001:db8::1/128', '10.20.0.7/32'],
    ['10.20.0.6/32', '2001:db8::1/128', '2001:db8::2/128'],
  ]) {
    server.answer = json({ blocks });
    await assert.rejects(server.cloud.assign(nicId, { these }), fails('cloudGarbled', /lacks|were asked for|nobody asked for/));
  }
  const [more] = [parseCidr('10.20.0.7/32')];
  server.answer = json({ blocks: [more, ...these] });
  assert.deepEqual(await server.cloud.assign(nicId, { these, addresses4: 1 }), [more, ...these]);
});

test('a refusal names the address and its holder where the cloud does, and reads well where it does not', async () => {
  await using server = await liar();
  const these = [parseCidr('10.20.0.6/32')];
  const error = { reason: 'AddressTaken', message: 'because', remedy: '', requestId: 'r' };
  server.answer = json({ error: { ...error, address: '10.20.0.6', holder: 'nic-7' } }, 409);
  await assert.rejects(server.cloud.assign(nicId, { these }), fails('cloudAddressTaken', /^vpc cannot give 10\.20\.0\.6: nic-7 holds it /));
  server.answer = json({ error }, 409);
  await assert.rejects(
    server.cloud.assign(nicId, { these }),
    fails('cloudAddressTaken', /^vpc cannot give what was asked: another interface/),
  );
  server.answer = json({ error: { ...error, holder: 7 } }, 409);
  await assert.rejects(server.cloud.assign(nicId, { these }), fails('cloudGarbled', /holder should be text/));
});

test('another program at the address is told from the API', async () => {
  await using server = await liar();
  for (const [answer, words] of [
    [raw('<html>welcome</html>'), /no JSON/],
    [raw('<html>bad gateway</html>', 502), /no JSON/],
    [raw(''), /should be an object, not absent/],
    [json({ message: 'nope' }, 400), /answer\.error should be an object/],
    [raw('x'.repeat(17 << 20)), /more than/],
  ] as const) {
    server.answer = answer;
    await assert.rejects(server.cloud.network(), fails('cloudGarbled', words));
  }
});

test('silence, half an answer and a closed connection are unavailability, and a changing call is sent once', async (t) => {
  const { given_ms, pass } = deadlines(t);
  await using server = await liar(60_000);
  const half = (response: ServerResponse) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('{"blocks":');
    setTimeout(() => response.destroy(), 10);
  };
  for (const answer of [pass, half, (response: ServerResponse) => response.destroy()]) {
    server.answer = answer;
    const before = server.asked.length;
    await assert.rejects(server.cloud.assign(nicId, { addresses4: 1 }), fails('cloudUnavailable'));
    assert.equal(server.asked.length, before + 1);
  }
  assert.deepEqual(given_ms, [60_000, 60_000, 60_000]);
});

test('a port where nobody listens is unavailability that names the endpoint', async () => {
  const { cloud } = await liar().then(async (server) => {
    await server[Symbol.asyncDispose]();
    return server;
  });
  await assert.rejects(cloud.network(), fails('cloudUnavailable', /ECONNREFUSED|socket/));
});

test('a server that always has another page is left after a hundred', async () => {
  await using server = await liar(60_000);
  server.answer = json({ items: [], next: 'more' });
  await assert.rejects(server.cloud.nics({ ids: [nicId] }), fails('cloudGarbled', /100 pages/));
  assert.equal(server.asked.length, 100);
});

test('each reason of the API’s document has one meaning, and docs/clouds/vpc.md tells the same', async () => {
  await using server = await liar();
  const root = join(import.meta.dirname, '../..');
  const api = readFileSync(join(root, 'src/vpc/openapi.yaml'), 'utf8');
  const reasons = [...(/\n {4}Reason:\n {6}type: string\n {6}enum:\n((?: {8}- \w+\n)+)/.exec(api)?.[1] ?? '').matchAll(/- (\w+)/g)].map(
    ([, reason = '']) => reason,
  );
  assert.ok(reasons.length > 20);
  const rows = toldRefusals('vpc.md', /^`\w+`$/);
  assertDecisions(rows);
  const told = new Map(rows.map(({ labels: [reason = ''], kind }) => [reason, kind]));
  for (const reason of reasons) {
    server.answer = json({ error: { reason, message: 'because', remedy: '', requestId: 'r' } }, 418);
    const error: unknown = await server.cloud.assign(nicId, { addresses4: 1 }).catch((thrown: unknown) => thrown);
    assert.ok(isFailure(error), String(error));
    assert.equal(told.get(reason), error.kind, reason);
    // PublicPoolEmpty and the like cannot come here, and would read well all the same.
    assert.ok(!error.message.includes('{') && !error.details.includes('{'), error.message);
  }
  assert.deepEqual(new Set(told.keys()), new Set(reasons));
});

test('a reason nobody knows is judged by its status', async () => {
  await using server = await liar();
  for (const [status, kind] of [
    [429, 'cloudThrottled'],
    [500, 'cloudUnavailable'],
    [403, 'cloudDenied'],
    [404, 'cloudNotFound'],
    [409, 'cloudConflict'],
    [400, 'cloudInvalid'],
  ] as const) {
    server.answer = json({ error: { reason: 'Novelty', message: 'because', remedy: '', requestId: 'r' } }, status);
    await assert.rejects(server.cloud.detachNic(nicId), fails(kind, /Novelty: because|nic-/));
  }
});

test('lists of more than a page are read to the end', async () => {
  await using vpc = await testVpc();
  using cloud = vpcCloud({ endpoint: vpc.url });
  const made = await vpc.call('POST', '/v1/subnets', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/20' });
  const subnet = String(made.body.id) as SubnetId;
  const ids = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const one = await cloud.createNic({ clientToken: `t${i}`, subnet, securityGroups: [], tags: { all: 'of them' }, description: '' });
    ids.add(one.id);
  }
  const found = await cloud.nics({ tags: { all: 'of them' } });
  assert.deepEqual(new Set(found.map(({ id }) => id as string)), ids);
});

test('an assign by value of which a part was done, or whose answer was lost, is made whole by asking again', async () => {
  await using vpc = await testVpc();
  using cloud = vpcCloud({ endpoint: vpc.url });
  const made = await vpc.call('POST', '/v1/subnets', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/24' });
  const subnet = String(made.body.id) as SubnetId;
  const { id } = await cloud.createNic({ clientToken: 't', subnet, securityGroups: [], tags: {}, description: '' });
  const these = ['10.20.0.70/32', '10.20.0.32/28', '10.20.0.71/32'].map(parseCidr);
  const held = async () => (await cloud.nics({ ids: [id] }))[0]?.blocks;
  for (const effect of [{ kind: 'partial', keep: 2 }, { kind: 'loseAnswer' }]) {
    await vpc.call('POST', '/v1/faults', { call: 'AssignAddresses', count: 1, effect });
    await assert.rejects(cloud.assign(id, { these }), fails('cloudUnavailable'));
    assert.deepEqual(await held(), these.slice(0, effect.keep));
    assert.deepEqual(await cloud.assign(id, { these }), these);
    assert.deepEqual(await held(), these);
    await cloud.unassign(id, these);
  }
});

test('a batch of which the VPC did a part, an answer it lost and its throttling come out as what they are', async () => {
  await using vpc = await testVpc();
  using cloud = vpcCloud({ endpoint: vpc.url });
  const made = await vpc.call('POST', '/v1/subnets', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/24' });
  const { id } = await cloud.createNic({
    clientToken: 't',
    subnet: String(made.body.id) as SubnetId,
    securityGroups: [],
    tags: {},
    description: '',
  });
  const fault = (effect: object) => vpc.call('POST', '/v1/faults', { call: 'AssignAddresses', count: 1, effect });
  const held = async () => (await cloud.nics({ ids: [id] }))[0]?.blocks.length;
  await fault({ kind: 'partial', keep: 1 });
  await assert.rejects(cloud.assign(id, { addresses4: 2 }), fails('cloudUnavailable'));
  assert.equal(await held(), 1);
  await fault({ kind: 'loseAnswer' });
  await assert.rejects(cloud.assign(id, { addresses4: 1 }), fails('cloudUnavailable'));
  assert.equal(await held(), 2);
  await fault({ kind: 'throttle' });
  await assert.rejects(cloud.assign(id, { addresses4: 1 }), fails('cloudThrottled'));
  assert.equal(await held(), 2);
  await assert.rejects(cloud.unassign('nic-00000000000000000' as NicId, [parseCidr('10.20.0.9/32')]), fails('cloudNotFound'));
  await assert.rejects(cloud.instance('i-00000000000000000' as InstanceId), fails('cloudNotFound', /i-0/));
});
