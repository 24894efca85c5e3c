/** The double refuses what the cloud refuses, and takes its time: each promise by raw calls, signed here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { canonical, signatureOf } from '../../src/vpc/qingcloud/signature.ts';
import { eventually } from '../life/lab.ts';
import { qingcloud } from '../../src/vpc/qingcloud/front.ts';
import { call } from '../vpc/support.ts';
import { key, otherKey, qingcloudDouble } from './double.ts';
import { heldTime } from './held-time.ts';

test("both vectors of QingCloud's documentation and client are signed alike", () => {
  const first = canonical([
    ['action', 'DescribeInstance'],
    ['instance.0', 'i-xxxxxxxx'],
    ['verbose', '1'],
    ['access_key_id', 'ENV_ACCESS_KEY_ID'],
    ['signature_method', 'HmacSHA256'],
    ['signature_version', '1'],
    ['time_stamp', '0001-01-01T00:00:00Z'],
  ]);
  assert.equal(
    encodeURIComponent(signatureOf('ENV_SECRET_ACCESS_KEY', 'HmacSHA256', 'GET', '/iaas', first)),
    'ZHa2iQ8PeyP1ktMF9C%2BDjOQBl537ti9RnYZ1Qqr6KRg%3D',
  );
  const second = canonical([
    ['zone', 'pek1'],
    ['count', '1'],
    ['vxnets.1', 'vxnet-0'],
    ['instance_type', 'small_b'],
    ['signature_version', '1'],
    ['signature_method', 'HmacSHA256'],
    ['instance_name', 'demo'],
    ['image_id', 'centos64x86a'],
    ['login_passwd', 'QingCloud20130712'],
    ['login_mode', 'passwd'],
    ['version', '1'],
    ['access_key_id', 'QYACCESSKEYIDEXAMPLE'],
    ['action', 'RunInstances'],
    ['time_stamp', '2013-08-27T14:30:10Z'],
  ]);
  assert.equal(
    encodeURIComponent(signatureOf('SECRETACCESSKEY', 'HmacSHA256', 'GET', '/iaas/', second)),
    '32bseYy39DOlatuewpeuW5vpmW51sD1A%2FJdGynqSpP8%3D',
  );
});

test('a signature that is wrong, for another path, or over another order or encoding is refused with 1200', async () => {
  await using double = await qingcloudDouble();
  assert.equal(await double.code('DescribeNics'), 0);
  assert.equal(await double.code('DescribeNics', {}, { path: '/iaas/' }), 0);
  assert.equal(await double.code('DescribeNics', {}, { key: { ...key, secretAccessKey: 'another' } }), 1200);
  assert.equal(await double.code('DescribeNics', {}, { key: { ...key, accessKeyId: 'NOBODYS' } }), 1200);
  assert.equal(await double.code('DescribeNics', { nic_name: 'a' }, { spoil: (query) => query.replace('nic_name=a', 'nic_name=b') }), 1200);
  const turned = (query: string): string => query.split('&').toReversed().join('&');
  assert.equal(await double.code('DescribeNics', {}, { spoil: turned }), 1200);
  assert.equal(await double.code('DescribeNics', {}, { arrange: turned }), 1200, 'signed out of order');
  assert.equal(await double.code('DescribeNics', { nic_name: 'a b' }), 0);
  assert.equal(await double.code('DescribeNics', { nic_name: 'a b' }, { spoil: (query) => query.replace('a%20b', 'a+b') }), 1200);
  assert.equal(await double.code('DescribeNics', { nic_name: 'ä*~' }, { spoil: (query) => query.replace('%2A', '*') }), 1200);
});

test('a form is signed like a query, and read in any order and with + for a space', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const made = await double.ok('CreateNics', { vxnet, nic_name: 'a b' }, { method: 'POST' });
  const turned = (form: string): string => form.split('&').toReversed().join('&').replace('%20', '+');
  const { nic_set } = await double.ok('DescribeNics', { nic_name: 'a b' }, { method: 'POST', spoil: turned });
  assert.deepEqual([nic_set.length, nic_set[0].nic_id], [1, made.nics[0].nic_id]);
  assert.equal(await double.code('DescribeNics', {}, { method: 'POST', key: { ...key, secretAccessKey: 'another' } }), 1200);
});

test('a time stamp more than 60 seconds off is refused with 1300, by the clock of the header Date', async (t) => {
  await using double = await qingcloudDouble();
  // Between asking and being read no time passes. Time stamps are of whole seconds.
  t.mock.timers.enable({ apis: ['Date'], now: Math.floor(Date.now() / 1000) * 1000 });
  for (const ahead_s of [-60, 60]) assert.equal(await double.code('DescribeNics', {}, { ahead_s }), 0);
  for (const ahead_s of [-61, 61]) assert.equal(await double.code('DescribeNics', {}, { ahead_s }), 1300);
  await double.turn({ clockAhead_ms: 3_600_000 });
  const refused = await double.act('DescribeNics');
  assert.equal(refused.body.ret_code, 1300);
  const ahead_s = Math.round((Date.parse(String(refused.headers['date'])) - Date.now()) / 1000);
  assert.equal(await double.code('DescribeNics', {}, { ahead_s }), 0);
});

test('unknown, repeated, missing and wrong parameters are refused with 1100, and lists with gaps', async () => {
  await using double = await qingcloudDouble();
  assert.equal(await double.code('DescribeNothing'), 1100);
  assert.equal(await double.code('DescribeNics', { colour: 'red' }), 1100);
  assert.equal(
    await double.code('DescribeNics', { nic_name: 'a' }, { arrange: (query) => query.replace('nic_name=a', 'nic_name=a&nic_name=a') }),
    1100,
  );
  assert.equal(await double.code('DescribeNics', { 'nics.1': 'a', 'nics.2': 'b' }), 0);
  assert.equal(await double.code('DescribeNics', { 'nics.1': 'a', 'nics.3': 'b' }), 1100);
  assert.equal(await double.code('DescribeNics', { 'nics.0': 'a', 'nics.1': 'b' }), 1100);
  assert.equal(await double.code('DescribeNics', { 'nics.01': 'a' }), 1100);
  assert.equal(await double.code('DescribeNics', { nics: 'a' }), 1100);
  assert.equal(await double.code('DescribeNics', { 'nics.1': 'a', 'nics.2.id': 'b' }), 1100);
  assert.equal(await double.code('DescribeNics', { 'nics.1.1': 'a' }), 1100);
  assert.equal(await double.code('DescribeNics', { limit: 'many' }), 1100);
  assert.equal(await double.code('DescribeNics', { zone: 'elsewhere' }), 1100);
  assert.equal(await double.code('CreateNics'), 1100, 'vxnet is missing');
  assert.equal(await double.code('DescribeNics', { signature_method: 'MD5' }), 1100);
  assert.equal(await double.code('DescribeNics', { time_stamp: 'now' }), 1100);
  const twelve = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`nics.${i + 1}`, 'a']));
  assert.equal(await double.code('DescribeNics', twelve), 0, 'the 10th sorts before the 2nd');
});

test('elsewhere than at the API there is a page for people, and no answer of the API', async () => {
  await using double = await qingcloudDouble();
  const { status, body } = await double.act('DescribeNics', {}, { path: '/api' });
  assert.deepEqual([status, typeof body], [404, 'string']);
  const long = await double.act(
    'DescribeNics',
    Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`nics.${i + 1}`, '52:54:00:00:00:01'])),
  );
  assert.equal(long.status, 414, 'long ones go by POST');
});

test('a NIC is made with an address and a name, attached by a job, detached by a job, and deleted', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const instance = await double.instance(vxnet);
  const [made] = (await double.ok('CreateNics', { vxnet, nic_name: 'of ours' })).nics;
  assert.match(made.nic_id, /^52:54:([0-9a-f]{2}:){3}[0-9a-f]{2}$/);
  assert.match(made.private_ip, /^10\.20\.0\.\d+$/);
  const shown = async () => (await double.ok('DescribeNics', { 'nics.1': made.nic_id })).nic_set[0];
  const before = await shown();
  assert.deepEqual(
    [before.nic_name, before.vxnet_id, before.instance_id, before.status, before.role],
    ['of ours', vxnet, '', 'available', 0],
  );
  assert.equal(before.owner, key.owner);
  const attach = { instance, 'nics.1': made.nic_id };
  const job = (await double.ok('AttachNics', attach)).job_id;
  assert.equal(await double.final(job), 'successful');
  const after = await shown();
  assert.deepEqual([after.instance_id, after.status, after.sequence], [instance, 'in-use', 1]);
  assert.equal(await double.code('AttachNics', attach), 1400, 'it is in use');
  assert.equal(await double.code('DeleteNics', { 'nics.1': made.nic_id }), 1400, 'it is in use');
  const [described] = (await double.ok('DescribeInstances', { 'instances.1': instance })).instance_set;
  assert.deepEqual(
    described.vxnets.map((one: { nic_id: string; role: number }) => [one.nic_id === made.nic_id, one.role]),
    [
      [false, 1],
      [true, 0],
    ],
  );
  assert.equal(await double.code('DetachNics', { 'nics.1': described.vxnets[0].nic_id }), 1400, 'the primary one stays');
  assert.equal(await double.final((await double.ok('DetachNics', { 'nics.1': made.nic_id })).job_id), 'successful');
  assert.equal(await double.code('DetachNics', { 'nics.1': made.nic_id }), 1400, 'it is not in use');
  await double.ok('DeleteNics', { 'nics.1': made.nic_id });
  assert.equal(await double.code('DeleteNics', { 'nics.1': made.nic_id }), 2100);
  assert.match((await double.act('DeleteNics', { 'nics.1': made.nic_id })).body.message, /ResourceNotFound/);
});

test('a job is pending, then working, then final, and nothing is done before; another change meanwhile is refused', async (t) => {
  const time = heldTime(t);
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const instance = await time.during(double.instance(vxnet));
  const [{ nic_id: nic }] = (await double.ok('CreateNics', { vxnet })).nics;
  await double.fault('AttachNics', { kind: 'jobTakes', ms: 1500 });
  const { job_id } = await double.ok('AttachNics', { instance, 'nics.1': nic });
  const jobNow = async () => (await double.ok('DescribeJobs', { 'jobs.1': job_id })).job_set[0];
  for (const [then_ms, status] of [
    [0, 'pending'],
    [499, 'pending'],
    [1, 'working'],
    [999, 'working'],
  ] as const) {
    time.pass(then_ms);
    const job = await jobNow();
    assert.equal(job.status, status);
    assert.equal(JSON.parse(job.directive).action, 'AttachNics');
    assert.equal(job.resource_ids, nic);
    assert.equal((await double.ok('DescribeNics', { 'nics.1': nic })).nic_set[0].status, 'available');
    assert.equal(await double.code('DeleteNics', { 'nics.1': nic }), 1400);
  }
  time.pass(1);
  assert.equal((await jobNow()).status, 'successful');
  assert.equal((await double.ok('DescribeNics', { 'nics.1': nic })).nic_set[0].status, 'in-use');
});

test('several jobs change the NICs of one instance, or one at a time: nobody here knows which, so it is a switch', async () => {
  await using double = await qingcloudDouble({ switches: { jobs_ms: [1, 1] } });
  const vxnet = await double.vxnet();
  const instance = await double.instance(vxnet);
  const nics: string[] = (await double.ok('CreateNics', { vxnet, count: 3 })).nics.map(({ nic_id }: { nic_id: string }) => nic_id);
  const attach = (nic: number) => double.act('AttachNics', { instance, 'nics.1': nics[nic] ?? '' });
  await double.fault('AttachNics', { kind: 'jobTakes', ms: 60_000 }, 2);
  assert.deepEqual([(await attach(0)).body.ret_code, (await attach(1)).body.ret_code], [0, 0]);
  await double.turn({ oneChangePerInstance: true });
  const another = await double.instance(vxnet, 'n2');
  const to = { instance: another, 'nics.1': nics[2] ?? '' };
  await double.fault('AttachNics', { kind: 'jobTakes', ms: 60_000 });
  await double.ok('AttachNics', to);
  const [{ nic_id: fourth }] = (await double.ok('CreateNics', { vxnet })).nics;
  assert.equal(await double.code('AttachNics', { instance: another, 'nics.1': fourth }), 1400);
});

test('a job may fail, fail in part, or never be listed', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const instance = await double.instance(vxnet);
  const nics: string[] = (await double.ok('CreateNics', { vxnet, count: 4 })).nics.map(({ nic_id }: { nic_id: string }) => nic_id);
  const attach = Object.fromEntries(nics.map((nic, i) => [`nics.${i + 1}`, nic]));
  const inUse = async () => (await double.ok('DescribeNics', { ...attach, status: 'in-use' })).total_count;
  await double.fault('AttachNics', { kind: 'jobFails', outcome: 'failed' });
  assert.equal(await double.final((await double.ok('AttachNics', { instance, ...attach })).job_id), 'failed');
  assert.equal(await inUse(), 0);
  await double.fault('AttachNics', { kind: 'jobFails', outcome: 'done with failure', keep: 3 });
  assert.equal(await double.final((await double.ok('AttachNics', { instance, ...attach })).job_id), 'done with failure');
  assert.equal(await inUse(), 3);
  await double.fault('AttachNics', { kind: 'jobVanishes' });
  const { job_id } = await double.ok('AttachNics', { instance, 'nics.1': nics[3] ?? '' });
  assert.deepEqual((await double.ok('DescribeJobs', { 'jobs.1': job_id })).job_set, []);
  await eventually('the fourth NIC is in use', async () => (await inUse()) === 4);
});

test('limits: 5 NICs in a call, 63 on an instance, 252 in a vxnet, 253 VIPs', async () => {
  await using double = await qingcloudDouble();
  const [vxnet, wide] = [await double.vxnet(), await double.vxnet('10.20.4.0/22', 'b')];
  const instance = await double.instance(vxnet);
  const nics: string[] = (await double.ok('CreateNics', { vxnet: wide, count: 63 })).nics.map(({ nic_id }: { nic_id: string }) => nic_id);
  const named = (ids: readonly string[]) => Object.fromEntries(ids.map((nic, i) => [`nics.${i + 1}`, nic]));
  assert.equal(await double.code('AttachNics', { instance, ...named(nics.slice(0, 6)) }), 1400);
  for (let from = 0; from < 60; from += 5) await double.ok('AttachNics', { instance, ...named(nics.slice(from, from + 5)) });
  await double.ok('AttachNics', { instance, ...named(nics.slice(60, 62)) });
  assert.equal(await double.code('AttachNics', { instance, ...named(nics.slice(62)) }), 2500);
  assert.equal(await double.code('CreateNics', { vxnet: wide, count: 200 }), 2500);
  await double.ok('CreateNics', { vxnet: wide, count: 189 });
  assert.equal(await double.code('CreateNics', { vxnet: wide }), 2500);
  await double.ok('AllocateVips', { vxnet_id: wide, count: 253 });
  assert.equal(await double.code('AllocateVips', { vxnet_id: wide }), 2500);
});

test('NICs without an address take none; addresses by value must be free in the vxnet', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const free = async () => (await double.ok('DescribeVxnets', { 'vxnets.1': vxnet })).vxnet_set[0].available_ip_count;
  const before = await free();
  const [bare] = (await double.ok('CreateNics', { vxnet, disable_ip: 1 })).nics;
  assert.deepEqual([bare.private_ip, await free()], ['', before]);
  const [made] = (await double.ok('CreateNics', { vxnet, 'private_ips.1': '10.20.0.77' })).nics;
  assert.deepEqual([made.private_ip, await free()], ['10.20.0.77', before - 1]);
  for (const ip of ['10.20.0.77', '10.20.0.1', '10.20.0.255', '10.20.1.7'])
    assert.equal(await double.code('CreateNics', { vxnet, 'private_ips.1': ip }), 1400, ip);
  assert.equal(await double.code('CreateNics', { vxnet, 'private_ips.1': 'x' }), 1100);
  assert.equal(await double.code('CreateNics', { vxnet: 'vxnet-00000000' }), 2100);
  await double.ok('ModifyNicAttributes', { nic: made.nic_id, nic_name: 'renamed', private_ip: '10.20.0.78' });
  const [shown] = (await double.ok('DescribeNics', { nic_name: 'renamed' })).nic_set;
  assert.deepEqual([shown.nic_id, shown.private_ip], [made.nic_id, '10.20.0.78']);
});

test('VIPs take their addresses away from NICs, by range and by count, until they are released', async (t) => {
  const time = heldTime(t);
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet('10.20.0.0/28');
  const free = async () => (await double.ok('DescribeVxnets', { 'vxnets.1': vxnet })).vxnet_set[0].available_ip_count;
  const before = await free();
  const { vips, job_id } = await double.ok('AllocateVips', {
    vxnet_id: vxnet,
    vip_range: '10.20.0.4-10.20.0.7',
    count: 4,
    vip_name: 'block',
  });
  assert.equal(await time.during(double.final(job_id)), 'successful');
  assert.deepEqual([vips.length, await free()], [4, before - 4]);
  const { vip_set } = await double.ok('DescribeVips', { 'vxnets.1': vxnet, vip_name: 'block' });
  assert.deepEqual(
    vip_set.map((vip: { vip_addr: string }) => vip.vip_addr),
    ['10.20.0.7', '10.20.0.6', '10.20.0.5', '10.20.0.4'],
  );
  assert.deepEqual([vip_set[3].vip_id, vip_set[3].vxnet_id, vip_set[3].owner], [vips[0], vxnet, key.owner]);
  assert.equal((await double.ok('CreateNics', { vxnet })).nics[0].private_ip, '10.20.0.8');
  for (const [range, count] of [
    ['10.20.0.7-10.20.0.9', 3],
    ['10.20.0.8-10.20.0.8', 1],
    ['10.20.0.1-10.20.0.4', 4],
    ['10.20.1.4-10.20.1.5', 2],
  ] as const)
    assert.equal(await double.code('AllocateVips', { vxnet_id: vxnet, vip_range: range, count }), 1400, range);
  for (const range of ['10.20.0.9-10.20.0.8', 'x', '10.20.0.9-10.20.0.10-10.20.0.11'])
    assert.equal(await double.code('AllocateVips', { vxnet_id: vxnet, vip_range: range }), 1100, range);
  for (const count of [{}, { count: 1 }, { count: 3 }])
    assert.equal(
      await double.code('AllocateVips', { vxnet_id: vxnet, vip_range: '10.20.0.9-10.20.0.10', ...count }),
      1100,
      'a range has as many',
    );
  assert.equal(await double.code('CreateNics', { vxnet, 'private_ips.1': '10.20.0.5' }), 1400);
  const counted = await double.ok('AllocateVips', { vxnet_id: vxnet, count: 2 });
  assert.equal(await time.during(double.final(counted.job_id)), 'successful');
  assert.equal(await double.code('ReleaseVips', { 'vips.1': 'vip-00000000' }), 2100);
  await double.fault('ReleaseVips', { kind: 'jobTakes', ms: 500 });
  const released = await double.ok('ReleaseVips', { 'vips.1': vips[0], 'vips.2': vips[1] });
  assert.equal(await double.code('ReleaseVips', { 'vips.1': vips[1] }), 1400, 'it is being released');
  time.pass(500);
  assert.equal(await double.final(released.job_id), 'successful');
  assert.equal((await double.ok('CreateNics', { vxnet })).nics[0].private_ip, '10.20.0.4');
});

test('of an allocation that fails in part only that part is left', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  await double.fault('AllocateVips', { kind: 'jobFails', outcome: 'done with failure', keep: 3 });
  const { job_id } = await double.ok('AllocateVips', { vxnet_id: vxnet, vip_range: '10.20.0.16-10.20.0.31', count: 16 });
  assert.equal(await double.final(job_id), 'done with failure');
  assert.equal((await double.ok('DescribeVips', { 'vxnets.1': vxnet })).total_count, 3);
  assert.equal((await double.ok('CreateNics', { vxnet, 'private_ips.1': '10.20.0.19' })).nics.length, 1);
});

test('pages hold 20 unless asked otherwise and never more than 100, newest first, so that what is made between two shifts the rest', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const made: string[] = [];
  const make = async (count: number): Promise<void> => {
    made.unshift(...(await double.ok('CreateNics', { vxnet, count })).nics.map(({ nic_id }: { nic_id: string }) => nic_id).toReversed());
  };
  for (const count of [50, 70]) await make(count);
  const list = async (parameters: Record<string, number>): Promise<string[]> => {
    const { nic_set, total_count } = await double.ok('DescribeNics', parameters);
    assert.equal(total_count, made.length);
    return nic_set.map(({ nic_id }: { nic_id: string }) => nic_id);
  };
  const first = await list({});
  assert.deepEqual(first, made.slice(0, 20));
  assert.deepEqual(await list({ limit: 500 }), made.slice(0, 100));
  assert.deepEqual(await list({ limit: 100, offset: 100 }), made.slice(100));
  assert.deepEqual(await list({ offset: 120 }), []);
  await make(1);
  assert.equal((await list({ offset: 20 }))[0], first.at(-1));
});

test('lists lag, answers are lost, late, cut and replaced by pages, as asked for', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const create = () => double.act('CreateNics', { vxnet, nic_name: 'mine' });
  const found = async () => (await double.ok('DescribeNics', { nic_name: 'mine' })).total_count;
  const fault = async (named: string, effect: object) => {
    assert.equal((await double.own('POST', '/v1/faults', { call: named, effect, count: 1 })).status, 201);
  };
  await fault('CreateNics', { kind: 'loseRequest' });
  assert.deepEqual([(await create()).status, await found()], [0, 0]);
  await fault('CreateNics', { kind: 'loseAnswer' });
  assert.deepEqual([(await create()).status, await found()], [0, 1]);
  await double.fault('CreateNics', { kind: 'truncate' });
  assert.deepEqual([(await create()).status, await found()], [0, 2]);
  await double.fault('CreateNics', { kind: 'html', status: 502 });
  assert.deepEqual([(await create()).status, await found()], [502, 2]);
  await double.fault('CreateNics', { kind: 'stall', ms: 20 });
  assert.deepEqual([(await create()).status, await found()], [0, 3]);
  await fault('DescribeNics', { kind: 'staleReads', ms: 600_000 });
  assert.deepEqual([await found(), await found()], [0, 3]);
  await fault('CreateNic', { kind: 'throttle' });
  assert.equal((await create()).body.ret_code, 2500, 'faults by the names of the own API strike too');
  for (const code of [2400, 2500, 5000, 5100]) {
    await double.fault('CreateNics', { kind: 'refuse', code });
    assert.equal((await create()).body.ret_code, code);
  }
  assert.equal(await found(), 3);
  assert.equal((await double.own('POST', '/v1/faults', { call: 'CreateNothing', effect: { kind: 'throttle' } })).status, 400);
});

test('each action is counted, refused ones too', async () => {
  await using double = await qingcloudDouble();
  await double.ok('DescribeVxnets');
  await double.ok('DescribeVxnets');
  await double.act('CreateNics');
  await double.act('DescribeNics', {}, { key: { ...key, secretAccessKey: 'wrong' } });
  assert.deepEqual(await double.counts(), { DescribeVxnets: 2, CreateNics: 1 });
});

test("owners are told apart: lists are filtered by them, and nobody changes what is another's", async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const [mine] = (await double.ok('CreateNics', { vxnet })).nics;
  const [theirs] = (await double.ok('CreateNics', { vxnet }, { key: otherKey })).nics;
  const { access_key_set } = await double.ok('DescribeAccessKeys', { 'access_keys.1': otherKey.accessKeyId }, { key: otherKey });
  assert.deepEqual([access_key_set.length, access_key_set[0].owner], [1, otherKey.owner]);
  assert.equal((await double.ok('DescribeNics')).total_count, 2);
  const { nic_set } = await double.ok('DescribeNics', { owner: key.owner });
  assert.deepEqual([nic_set.length, nic_set[0].nic_id], [1, mine.nic_id]);
  assert.equal(await double.code('DeleteNics', { 'nics.1': theirs.nic_id }), 1400);
  await double.turn({ denied: ['CreateNics'] });
  assert.equal(await double.code('CreateNics', { vxnet }), 1400);
  assert.equal(await double.code('DescribeNics'), 0);
});

test("a role's credentials are served, need their token, and end", async () => {
  await using double = await qingcloudDouble();
  const ask = async () => (await call(double.url, 'GET', '/latest/meta-data/security-credentials')).body;
  const role = await ask();
  assert.equal(role.ret_code, 0);
  assert.ok(role.expiration * 1000 > Date.now() + 3_000_000);
  const as = { key: { accessKeyId: role.access_key, secretAccessKey: role.secret_key }, path: '/iam' };
  assert.equal(await double.code('DescribeNics', { token: role.id_token }, as), 0);
  assert.equal(await double.code('DescribeNics', {}, as), 1200);
  assert.equal(await double.code('DescribeNics', { token: 'another' }, as), 1200);
  assert.equal(await double.code('DescribeNics', { token: role.id_token }), 1200, 'a key that is no role');
  await double.turn({ roleLifetime_ms: 1 });
  const short = await ask();
  const late = { key: { accessKeyId: short.access_key, secretAccessKey: short.secret_key }, path: '/iam' };
  await eventually('the key has ended', async () => (await double.code('DescribeNics', { token: short.id_token }, late)) === 1200);
});

test('tags are attached by their ids, which must exist', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const [{ nic_id: nic }] = (await double.ok('CreateNics', { vxnet })).nics;
  const { tag_id } = await double.ok('CreateTag', { tag_name: 'k8s' });
  const pair = (tag: string, resource = nic) => ({
    'resource_tag_pairs.1.tag_id': tag,
    'resource_tag_pairs.1.resource_type': 'nic',
    'resource_tag_pairs.1.resource_id': resource,
  });
  await double.ok('AttachTags', pair(tag_id));
  const [shown] = (await double.ok('DescribeNics', { 'nics.1': nic })).nic_set;
  assert.deepEqual([shown.tags.length, shown.tags[0].tag_id, shown.tags[0].tag_name], [1, tag_id, 'k8s']);
  assert.equal(await double.code('AttachTags', pair('tag-00000000')), 2100);
  assert.equal(await double.code('AttachTags', pair(tag_id, '52:54:00:00:00:00')), 2100);
  await double.ok('DetachTags', pair(tag_id));
  assert.deepEqual((await double.ok('DescribeNics', { 'nics.1': nic })).nic_set[0].tags, []);
});

test('names are found whole or in part: nobody here knows which, so it is a switch', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  await double.ok('CreateNics', { vxnet, nic_name: 'fp-node-1' });
  const found = async () => (await double.ok('DescribeNics', { nic_name: 'fp-' })).total_count;
  assert.equal(await found(), 0);
  await double.turn({ nameFilter: 'contains' });
  assert.equal(await found(), 1);
});

test('instances are terminated by a job, and their further NICs are left', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const instance = await double.instance(vxnet);
  const [{ nic_id: nic }] = (await double.ok('CreateNics', { vxnet })).nics;
  assert.equal(await double.final((await double.ok('AttachNics', { instance, 'nics.1': nic })).job_id), 'successful');
  assert.equal(await double.final((await double.ok('TerminateInstances', { 'instances.1': instance })).job_id), 'successful');
  assert.equal((await double.ok('DescribeInstances', { 'instances.1': instance })).instance_set[0].status, 'terminated');
  const { nic_set } = await double.ok('DescribeNics');
  assert.deepEqual([nic_set.length, nic_set[0].nic_id, nic_set[0].status], [1, nic, 'available']);
  assert.equal(await double.code('AttachNics', { instance, 'nics.1': nic }), 1400);
});

test('vxnets are made, join the router by a network of the VPC, and show it', async () => {
  await using double = await qingcloudDouble();
  const [router] = (await double.ok('DescribeRouters')).router_set;
  assert.equal(router.vpc_network, '10.20.0.0/16');
  const [vxnet] = (await double.ok('CreateVxnets', { vxnet_name: 'pods', vxnet_type: 1 })).vxnets;
  assert.equal(await double.code('CreateNics', { vxnet }), 2100, 'it has no network yet');
  const join = { router: router.router_id, vxnet, ip_network: '10.20.9.0/24' };
  assert.equal(await double.final((await double.ok('JoinRouter', join)).job_id), 'successful');
  assert.equal(await double.code('JoinRouter', join), 1400);
  const [shown] = (await double.ok('DescribeVxnets', { 'vxnets.1': vxnet })).vxnet_set;
  assert.deepEqual(
    [shown.vxnet_name, shown.vpc_router_id, shown.router.ip_network, shown.router.manager_ip, shown.router.vpc_network],
    ['pods', router.router_id, '10.20.9.0/24', '10.20.9.1', '10.20.0.0/16'],
  );
  const [{ private_ip }] = (await double.ok('CreateNics', { vxnet })).nics;
  assert.equal(private_ip, shown.router.dyn_ip_start);
});

test('load balancers are records whose changes take effect with an update', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const { loadbalancer_id: id, job_id } = await double.ok('CreateLoadBalancer', { vxnet, loadbalancer_name: 'web' });
  assert.equal(await double.final(job_id), 'successful');
  const { loadbalancer_listeners } = await double.ok('AddLoadBalancerListeners', {
    loadbalancer: id,
    'listeners.1.listener_port': 80,
    'listeners.1.listener_protocol': 'tcp',
  });
  await double.ok('AddLoadBalancerBackends', {
    loadbalancer_listener: loadbalancer_listeners[0],
    'backends.1.resource_id': 'i-00000000',
    'backends.1.port': 8080,
  });
  const shown = async () => (await double.ok('DescribeLoadBalancers', { 'loadbalancers.1': id })).loadbalancer_set[0];
  assert.deepEqual([(await shown()).is_applied, (await shown()).listeners], [0, []]);
  assert.equal(await double.final((await double.ok('UpdateLoadBalancers', { 'loadbalancers.1': id })).job_id), 'successful');
  const after = await shown();
  assert.deepEqual([after.is_applied, after.listeners[0].listener_port, after.listeners[0].backends[0].port], [1, 80, 8080]);
  assert.equal(await double.final((await double.ok('DeleteLoadBalancers', { 'loadbalancers.1': id })).job_id), 'successful');
  assert.equal(await double.code('UpdateLoadBalancers', { 'loadbalancers.1': id }), 2100);
});

test('what was done and what was begun outlives a restart', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const instance = await double.instance(vxnet);
  const [{ nic_id: nic }] = (await double.ok('CreateNics', { vxnet, nic_name: 'kept' })).nics;
  await double.ok('AllocateVips', { vxnet_id: vxnet, vip_range: '10.20.0.32-10.20.0.47', count: 16, vip_name: 'kept' });
  await double.fault('AttachNics', { kind: 'jobTakes', ms: 300 });
  const { job_id } = await double.ok('AttachNics', { instance, 'nics.1': nic });
  await double.restart();
  assert.equal((await double.ok('DescribeVips', { 'vxnets.1': vxnet, vip_name: 'kept' })).total_count, 16);
  assert.equal(await double.final(job_id), 'successful');
  assert.equal((await double.ok('DescribeNics', { nic_name: 'kept' })).nic_set[0].instance_id, instance);
});

test('whatever the parameters are, the answer is one of the API, and never a mistake of ours', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const instance = await double.instance(vxnet);
  const actions = [
    'CreateNics',
    'AttachNics',
    'AllocateVips',
    'DescribeNics',
    'ModifyNicAttributes',
    'AddSecurityGroupRules',
    'AttachTags',
    'JoinRouter',
  ];
  const names = [
    'vxnet',
    'vxnet_id',
    'count',
    'nics.1',
    'nics.2',
    'instance',
    'vip_range',
    'limit',
    'rules.1.priority',
    'nic',
    '__proto__',
    'a.1.__proto__',
  ];
  const value = fc.oneof(
    fc.constantFrom(vxnet, instance, '10.20.0.9', '10.20.0.0-10.20.0.9', '-1', '0', '3', ''),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
  );
  const parameters = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.stringMatching(/^[a-z_.0-9]{1,12}$/)), value, { maxKeys: 5 });
  const attempt = fc.asyncProperty(
    fc.constantFrom(...actions),
    parameters,
    fc.constantFrom('GET' as const, 'POST' as const),
    async (action, given, method) => {
      const code = await double.code(action, { ...given }, { method });
      assert.ok([0, 1100, 1200, 1300, 1400, 2100, 2500].includes(code), `${action} ${JSON.stringify(given)}: ${code}`);
    },
  );
  await fc.assert(attempt, { numRuns: 300 });
});

test('whatever comes instead of a query is refused', async () => {
  await using double = await qingcloudDouble();
  const pieces = fc.constantFrom('a', '=', '&', '%', '2', '+', '.', 'signature', 'access_key_id');
  const junk = fc.asyncProperty(fc.string({ unit: pieces, maxLength: 30 }), async (text) => {
    const code = await double.code('DescribeNics', {}, { spoil: () => text });
    assert.ok(code === 1100 || code === 1200, `${text}: ${code}`);
  });
  await fc.assert(junk, { numRuns: 200 });
});

test("VIPs are nobody else's from the start, and nobody's to speak for before their job is done", async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  await double.fault('AllocateVips', { kind: 'jobTakes', ms: 60_000 });
  await double.ok('AllocateVips', { vxnet_id: vxnet, vip_range: '10.20.0.16-10.20.0.31', count: 16 });
  assert.equal(await double.code('AllocateVips', { vxnet_id: vxnet, vip_range: '10.20.0.31-10.20.0.32', count: 2 }), 1400);
  assert.equal(await double.code('CreateNics', { vxnet, 'private_ips.1': '10.20.0.16' }), 1400);
  const { items } = (await double.own('GET', '/v1/nics')).body;
  assert.deepEqual(
    items.map(({ floating, blocks }: { floating: string; blocks: string[] }) => [floating, blocks.length]),
    [['by no NIC', 16]],
  );
});

test('no secret is told: not by the front when it is printed, nor by events, refusals and asides', async () => {
  const front = qingcloud({ listen: '127.0.0.1:0', accounts: [key, otherKey] });
  await using double = await qingcloudDouble();
  const role = (await call(double.url, 'GET', '/latest/meta-data/security-credentials')).body;
  await double.ok('DescribeAccessKeys');
  const refused = await double.act('DescribeNics', {}, { key: { ...key, secretAccessKey: 'another' } });
  await double.act(
    'DescribeNics',
    { token: role.id_token, x: 1 },
    { key: { accessKeyId: role.access_key, secretAccessKey: role.secret_key }, path: '/iam' },
  );
  const { items } = (await double.own('GET', '/v1/events')).body;
  const told = [inspect(front, { depth: 9, showHidden: true }), JSON.stringify([items, refused.body, await double.counts()])].join();
  for (const secret of [key.secretAccessKey, otherKey.secretAccessKey, role.secret_key, role.id_token, 'signature='])
    assert.ok(!told.includes(secret), secret);
});
