/** How the driver asks, and what it makes of answers: servers that lie, stall, hang up, and refuse for every reason of the documentation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import type { InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { isFailure, sentence } from '../../src/errors/failure.ts';
import { deadlines } from '../cloud/deadlines.ts';
import { keyText } from './key-file.ts';
import { fails, raw } from '../cloud/scripted-server.ts';
import { type Answer, inTurn, json, macOf, nicItem, refused, scripted } from './scripted.ts';
import { assertDecisions, toldRefusals } from '../cloud/decision-words.ts';
import { meanings } from '../../src/cloud/qingcloud/refusals.ts';

const nic = macOf(1) as NicId;
const instance = 'i-00000001' as InstanceId;
const vips = json({ vip_set: [], total_count: 0 });

test('each refusal of the documentation’s table is read as the table says, and each that the driver knows is in the table', async () => {
  await using server = await scripted();
  const rows = toldRefusals('qingcloud.md', /^\d{4}$/);
  assertDecisions(rows);
  for (const [code, known] of Object.entries(meanings)) {
    const words = rows.filter(({ labels }) => labels[0] === code).map(({ labels: [, message] }) => `${code}: ${message}`);
    const told = new Set(words.map((one) => known.findIndex(([fits]) => fits.test(one))));
    for (const index of known.keys())
      assert.ok(told.has(index), `${code}: ${String(known[index]?.[0])} is not in docs/clouds/qingcloud.md`);
  }
  for (const {
    labels: [code = '', message = ''],
    kind,
  } of rows) {
    server.answers = { '*': refused(Number(code), message) };
    const error: unknown = await server.cloud.detachNic(nic).catch((thrown: unknown) => thrown);
    assert.ok(isFailure(error), String(error));
    assert.equal(error.kind, kind, `${code} ${message}`);
    assert.ok(!sentence(error).includes('{'), sentence(error));
  }
});

test('a quota of a vxnet is a full subnet', async () => {
  await using server = await scripted();
  server.answers = {
    DescribeVxnets: json({ vxnet_set: [{ vxnet_id: 'vxnet-1' }], total_count: 1 }),
    DescribeNics: json({ nic_set: [], total_count: 0 }),
    CreateNics: refused(2500, 'QuotasExceeded, vxnet [vxnet-1] has 252 of at most 252 NICs'),
  };
  const request = { clientToken: 't', subnet: 'vxnet-1' as SubnetId, securityGroups: [], tags: {}, description: '' };
  await assert.rejects(server.cloud.createNic(request), fails('cloudSubnetFull', /vxnet-1 .*252/));
});

test('a quota of the account is told with what helps; an attach takes nothing of the account’s, so there it is the instance’s limit', async () => {
  await using server = await scripted();
  const none = json({ nic_set: [], total_count: 0 });
  const words = 'QuotasExceeded, instance [i-00000001] has 63 of at most 63 NICs';
  for (const [code, message] of [
    [1400, 'PermissionDenied, you can create up to [2] of it'],
    [2500, words],
  ] as const) {
    server.answers = { DescribeNics: none, DetachNics: refused(code, message), AttachNics: refused(code, message) };
    await assert.rejects(server.cloud.attachNic(nic, instance, 1), fails('cloudLimit', new RegExp(String(code))));
    server.answers = { '*': refused(code, message) };
    await assert.rejects(server.cloud.detachNic(nic), (error) => isFailure(error, 'cloudQuota') && /have QingCloud raise/.test(error.hint));
  }
});

test('a code that nobody has written down is judged by its thousands, and a message may be missing', async () => {
  await using server = await scripted();
  for (const [code, kind] of [
    [5999, 'cloudUnavailable'],
    [1999, 'cloudInvalid'],
  ] as const) {
    server.answers = { '*': json({ ret_code: code }) };
    await assert.rejects(server.cloud.network(), fails(kind, /no message/));
  }
});

test('what is not from the API is told from it', async () => {
  await using server = await scripted();
  const cases: readonly [Answer, Parameters<typeof fails>[0], RegExp][] = [
    [raw('<html>welcome</html>'), 'cloudGarbled', /no JSON/],
    [raw('<html>login</html>', 302), 'cloudGarbled', /HTTP 302/],
    [raw('<html>not here</html>', 404), 'cloudGarbled', /HTTP 404/],
    [raw('<html>bad gateway</html>', 502), 'cloudUnavailable', /HTTP 502/],
    [raw('slow down', 429), 'cloudThrottled', /HTTP 429/],
    [raw('[]'), 'cloudGarbled', /should be an object/],
    [raw('{}'), 'cloudGarbled', /ret_code should be a whole number/],
    [raw('x'.repeat(17 << 20)), 'cloudGarbled', /more than/],
    [(response) => response.destroy(), 'cloudUnavailable', /./],
  ];
  for (const [answer, kind, words] of cases) {
    server.answers = { '*': answer };
    await assert.rejects(server.cloud.network(), fails(kind, words));
  }
});

test('a list of another shape than is documented, or with what was not asked for, is not believed', async () => {
  await using server = await scripted();
  const used = { status: 'in-use', instance_id: instance };
  const lies: readonly [object, RegExp][] = [
    [{ nic_set: {} }, /nic_set should be a list/],
    [{ nic_set: [nicItem(1)], total_count: '1' }, /total_count should be a whole number/],
    [{ nic_set: [nicItem(1, { nic_id: 'nic-1' })] }, /nic_id should be an Ethernet address/],
    [{ nic_set: [nicItem(1, { status: 'lost' })] }, /status should be available or in-use/],
    [{ nic_set: [nicItem(1, { private_ip: '10.20.0' })] }, /private_ip should be an address/],
    [{ nic_set: [nicItem(1, { vxnet_id: '' })] }, /vxnet_id should be an id/],
    [{ nic_set: [nicItem(1, { ...used, sequence: null })] }, /sequence should be a whole number/],
    [{ nic_set: [nicItem(1, { nic_name: 'flatpod_c_n_s_i_', create_time: '' })] }, /create_time should be a moment/],
    [{ nic_set: [nicItem(1, { create_time: 'yesterday' })] }, /create_time should be a moment/],
    [{ nic_set: [nicItem(2)] }, /which was not asked for/],
  ];
  for (const [lie, words] of lies) {
    server.answers = { DescribeNics: json(lie), DescribeVips: vips };
    await assert.rejects(server.cloud.nics({ ids: [nic] }), fails('cloudGarbled', words));
  }
  server.answers = { DescribeNics: json({ nic_set: [nicItem(1, { ...used, instance_id: 'i-2', sequence: 1 })] }), DescribeVips: vips };
  await assert.rejects(server.cloud.nics({ instance }), fails('cloudGarbled', /not asked for/));
  server.answers = { DescribeNics: json({ nic_set: [nicItem(1, { private_ip: '', tags: null })] }), DescribeVips: vips };
  assert.equal((await server.cloud.nics({ ids: [nic] })).length, 1);
});

test('a clock that is off is corrected by the Date header, once, and from then on', async () => {
  await using server = await scripted();
  const now = (): { date: string } => ({ date: new Date(Date.now() + 3_600_000).toUTCString() });
  const expired: Answer = (response, asked) => refused(1300, 'RequestHasExpired', now())(response, asked);
  const none: Answer = (response, asked) => json({ nic_set: [], total_count: 0 }, now())(response, asked);
  server.answers = { DescribeNics: inTurn(expired, none) };
  assert.deepEqual(await server.cloud.nics({ ids: [nic] }), []);
  const ahead_ms = server.asked.map(({ query }) => Date.parse(query.get('time_stamp') ?? '') - Date.now());
  assert.ok(Math.abs(ahead_ms[0] ?? 0) < 60_000 && Math.abs((ahead_ms[1] ?? 0) - 3_600_000) < 60_000, String(ahead_ms));
  await server.cloud.nics({ ids: [nic] });
  assert.ok(Math.abs(Date.parse(server.asked[2]?.query.get('time_stamp') ?? '') - Date.now() - 3_600_000) < 60_000);
  server.answers = { '*': expired };
  await assert.rejects(server.cloud.detachNic(nic), fails('cloudCredentials', /1300.*our clock is 3[56]\d\d s behind the server’s/));
  assert.equal(server.asked.length, 5, 'once more, and then it is told');
});

test('keys that were exchanged are read, also those that the cloud refuses first', async () => {
  await using server = await scripted();
  const none = json({ nic_set: [], total_count: 0 });
  server.answers = {
    DescribeNics: (response, asked) => {
      if (asked.query.get('access_key_id') !== 'KEY') return none(response, asked);
      server.keys.replace(keyText('NEWKEY', 'NEW-SECRET'));
      refused(1200, 'AuthFailure, no such key')(response, asked);
    },
  };
  assert.deepEqual(await server.cloud.nics({ ids: [nic] }), []);
  assert.deepEqual(
    server.asked.map(({ query }) => query.get('access_key_id')),
    ['KEY', 'NEWKEY'],
  );
  server.answers = { '*': refused(1200, 'AuthFailure') };
  await assert.rejects(server.cloud.nics({ ids: [nic] }), fails('cloudCredentials', /1200/));
  assert.equal(server.asked.length, 3, 'the same keys are not tried again');
});

test('what is secret stands in no error and in no object, also when a server quotes it', async () => {
  await using server = await scripted();
  server.answers = { '*': refused(1200, 'AuthFailure, computed with THE-SECRET') };
  const error: unknown = await server.cloud.network().catch((thrown: unknown) => thrown);
  assert.ok(isFailure(error));
  for (const shown of [inspect(error, { depth: 20, showHidden: true }), sentence(error), JSON.stringify(error)])
    assert.ok(!shown.includes('THE-SECRET'), shown);
  assert.match(error.details, /computed with …/);
  assert.ok(!inspect(server.cloud, { depth: 20, showHidden: true }).includes('THE-SECRET'));
  assert.ok(server.asked.every(({ query }) => !query.toString().includes('THE-SECRET')));
});

test('a long call is sent by POST, a short one by GET, with the same parameters', async () => {
  await using server = await scripted();
  server.answers = { DescribeInstances: json({ instance_set: [], total_count: 0 }) };
  const ids = Array.from({ length: 100 }, (_, i) => `i-${String(i).padStart(8, '0')}` as InstanceId);
  await server.cloud.instances(ids.slice(0, 2));
  await server.cloud.instances(ids);
  assert.deepEqual(
    server.asked.map(({ method, path, query }) => [method, path, query.get('instances.1'), query.get('zone')]),
    [
      ['GET', '/iaas', ids[0], 'pek3a'],
      ['POST', '/iaas', ids[0], 'pek3a'],
    ],
  );
  assert.equal(server.asked[1]?.query.get('instances.100'), ids[99]);
});

test('10 000 NICs are read in pages of a hundred, each once, also when they shift meanwhile', async () => {
  await using server = await scripted();
  let shift = 0;
  server.answers = {
    DescribeNics: (response, asked) => {
      const [offset, limit] = ['offset', 'limit'].map((name) => Number(asked.query.get(name)));
      assert.equal(limit, 100);
      const name = (number: number): object => ({ nic_name: number % 1000 === 0 ? 'flatpod_c_n1_s_i_' : 'another' });
      const items = Array.from({ length: Math.max(0, Math.min(100, 10_000 - (offset ?? 0))) }, (_, i) =>
        Math.max(0, i + (offset ?? 0) - shift),
      );
      if (offset === 3000) shift = 1; // something older came in between
      json({ nic_set: items.map((number) => nicItem(number, name(number))), total_count: 10_000 })(response, asked);
    },
    DescribeVips: vips,
  };
  const found = await server.cloud.nics({ tags: { 'flatpod.dev/node': 'n1' } });
  assert.equal(found.length, 10);
  assert.equal(new Set(found.map(({ id }) => id)).size, 10);
});

test('a server that always promises more is left', async () => {
  await using server = await scripted();
  server.answers = { DescribeVxnets: json({ vxnet_set: [{ vxnet_id: 'vxnet-1' }], total_count: 1_000_000 }) };
  await assert.rejects(server.cloud.network(), fails('cloudGarbled', /500 pages/));
});

test('silence and half an answer are unavailability, and a changing call is sent once', async (t) => {
  const { given_ms, pass } = deadlines(t);
  await using server = await scripted({ deadline_ms: 60_000 });
  const half: Answer = (response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('{"ret_code":');
    setTimeout(() => response.destroy(), 10);
  };
  const used = json({ nic_set: [nicItem(1, { status: 'in-use', instance_id: instance, sequence: 1 })], total_count: 1 });
  for (const answer of [pass, half, (response: Parameters<Answer>[0]) => response.destroy()]) {
    server.answers = { DescribeNics: used, DetachNics: answer };
    const before = server.asked.length;
    await assert.rejects(server.cloud.detachNic(nic), fails('cloudUnavailable'));
    assert.equal(server.asked.slice(before).filter(({ action }) => action === 'DetachNics').length, 1);
  }
  assert.ok(
    given_ms.every((ms) => ms > 0 && ms <= 60_000),
    given_ms.join(),
  );
});

test('several VPCs of an account are told apart by their routers, and none is guessed', async () => {
  await using server = await scripted();
  const vxnet = (id: string, router: string, network: string) => ({
    vxnet_id: id,
    available_ip_count: 1,
    router: {
      router_id: router,
      ip_network: network,
      manager_ip: network.replace('0/24', '1'),
      dyn_ip_start: network.replace('0/24', '2'),
      dyn_ip_end: network.replace('0/24', '254'),
      vpc_network: network.replace(/\d+\.0\/24/, '0.0/16'),
    },
  });
  const all = [vxnet('vxnet-1', 'rtr-1', '10.20.1.0/24'), vxnet('vxnet-2', 'rtr-1', '10.20.2.0/24'), { vxnet_id: 'vxnet-0', router: null }];
  server.answers = { '*': json({ vxnet_set: all, total_count: 3 }) };
  assert.deepEqual(await server.cloud.network(), { cidrs: ['10.20.0.0/16'] });
  server.answers = { '*': json({ vxnet_set: [...all, vxnet('vxnet-3', 'rtr-2', '10.30.1.0/24')], total_count: 4 }) };
  await assert.rejects(server.cloud.network(), fails('cloudInvalid', /rtr-1, rtr-2/));
  await using named = await scripted({ router: 'rtr-2' });
  named.answers = server.answers;
  assert.deepEqual(await named.cloud.network(), { cidrs: ['10.30.0.0/16'] });
  named.answers = { '*': json({ vxnet_set: all, total_count: 3 }) };
  await assert.rejects(named.cloud.network(), fails('cloudNotFound', /rtr-2/));
});
