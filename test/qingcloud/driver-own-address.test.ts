/** In a vxnet that hostnic has reserved whole a NIC of ours has one of hostnic's addresses for itself, when the cloud has none left. */
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { CloudNic, SubnetId } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { fails, scriptedServer } from '../cloud/scripted-server.ts';
import { cutAt } from './cut.ts';
import type { Double } from './double.ts';
import { isWithin, request, reserved, reservedVxnet, within } from './reserved-vxnet.ts';

const cluster = { tags: { 'flatpod.dev/cluster': 'c' } };
const want = { addresses4: 2, within };

/** What hostnic leaves is in use too, as the thirteenth node finds it. */
async function fullVxnet() {
  await using building = new AsyncDisposableStack();
  const vxnet = building.use(await reservedVxnet());
  const { double, subnet } = vxnet;
  for (const [vip_range, count] of [
    ['10.20.0.4-10.20.0.15', 12],
    ['10.20.0.240-10.20.0.254', 15],
  ] as const) {
    const { job_id } = await double.ok('AllocateVips', { vxnet_id: subnet, vip_range, count, vip_name: 'others' });
    assert.equal(await double.final(job_id), 'successful');
  }
  const owned = building.move();
  return { ...vxnet, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Somebody gives that one up. */
async function freed(double: Double, subnet: SubnetId, ip: string): Promise<void> {
  const [{ vip_id }] = (await double.ok('DescribeVips', { 'vxnets.1': subnet, 'vip_addrs.1': ip })).vip_set;
  const { job_id } = await double.ok('ReleaseVips', { 'vips.1': vip_id });
  assert.equal(await double.final(job_id), 'successful');
}

/** The addresses of hostnic's that are not reserved by its name any more. */
async function lost(double: Double, subnet: SubnetId): Promise<string[]> {
  const names = await reserved(double, subnet);
  const all = Array.from({ length: 224 }, (_, i) => `10.20.0.${16 + i}`);
  return all.filter((ip) => names.get(ip) !== `hostnic_${subnet}`);
}

function isBorn({ primary4, blocks }: CloudNic): void {
  assert.ok(primary4 !== undefined && isWithin(hostCidr(primary4)), `its own address is ${primary4}`);
  assert.equal(blocks.length, 2);
  assert.ok(blocks.every(isWithin) && !blocks.includes(hostCidr(primary4)), blocks.join());
}

test('a NIC in a vxnet that is full has one of hostnic’s addresses for itself, of those alone that may be taken over', async () => {
  await using one = await fullVxnet();
  const { double, subnet, driver } = one;
  await assert.rejects(driver().createNic(request(subnet, want)), fails('cloudSubnetFull'));
  const cloud = driver('hostnic_');
  await assert.rejects(
    cloud.createNic(request(subnet, undefined, 'bare')),
    fails('cloudSubnetFull'),
    'where no blocks are asked for none may be',
  );
  assert.deepEqual(await lost(double, subnet), []);
  const nics: CloudNic[] = [];
  for (const token of ['a', 'b']) nics.push(await cloud.createNic(request(subnet, want, token)));
  nics.forEach(isBorn);
  const taken = nics.flatMap(({ primary4 = '', blocks }) => [primary4, ...blocks.map((block) => block.replace('/32', ''))]);
  assert.equal(new Set(taken).size, 6);
  assert.deepEqual((await lost(double, subnet)).toSorted(), taken.toSorted(), 'nothing else was touched');
});

test('many NICs that are made at once have different addresses', async () => {
  await using one = await fullVxnet();
  const { double, subnet, driver } = one;
  const cloud = driver('hostnic_');
  const nics = await Promise.all(['a', 'b', 'c', 'd'].map((token) => cloud.createNic(request(subnet, want, token))));
  nics.forEach(isBorn);
  assert.equal(new Set(nics.flatMap(({ primary4, blocks }) => [primary4, ...blocks])).size, 12);
  assert.equal((await lost(double, subnet)).length, 12);
});

test('where there are no more than the blocks need nothing is given up for the NIC itself', async () => {
  await using one = await fullVxnet();
  const { double, subnet, driver } = one;
  const few = { addresses4: 2, within: [parseCidr('10.20.0.64/31')] };
  await assert.rejects(driver('hostnic_').createNic(request(subnet, few)), fails('cloudSubnetFull'));
  assert.deepEqual(await lost(double, subnet), []);
});

test('an address whose NIC is refused is hostnic’s again', async () => {
  await using one = await fullVxnet();
  const { double, subnet, driver } = one;
  const cloud = driver('hostnic_');
  const refuse = { kind: 'refuse', code: 2500, message: 'QuotasExceeded, NICs of the account' };
  await double.fault('CreateNics', refuse, 2);
  await assert.rejects(cloud.createNic(request(subnet, want)), fails('cloudSubnetFull', /QuotasExceeded/));
  const counts = await double.counts();
  assert.deepEqual([counts['ReleaseVips'], await lost(double, subnet)], [1, []]);
  isBorn(await cloud.createNic(request(subnet, want)));
});

test('while the vxnet has addresses that a NIC might have, a refusal is the account’s affair: nothing of hostnic’s is touched', async () => {
  await using one = await reservedVxnet();
  const { double, subnet, driver } = one;
  const cloud = driver('hostnic_');
  const before = await double.counts();
  await double.fault('CreateNics', { kind: 'refuse', code: 2500, message: 'QuotasExceeded, you can create up to [100] nics' }, 4);
  for (const token of ['a', 'b'])
    await assert.rejects(cloud.createNic(request(subnet, want, token)), fails('cloudSubnetFull', /QuotasExceeded/));
  const after = await double.counts();
  for (const action of ['ReleaseVips', 'AllocateVips']) assert.equal(after[action], before[action], action);
  assert.equal(after['CreateNics'], 4, 'each was asked for once more, with a free address by name');
  const made = await cloud.createNic(request(subnet, want));
  assert.ok(made.primary4 !== undefined && !isWithin(hostCidr(made.primary4)), 'there is no other reason to wait');
});

/** A way to the double on which no NIC gets `held`, nor one that it is to choose an address for. `tried`: the addresses that NICs were asked for with. */
async function holding(target: string, held: string) {
  const tried: string[] = [];
  const server = await scriptedServer((asked, response) => {
    void (async () => {
      const sent = await text(asked);
      const query = new URLSearchParams(sent === '' ? new URL(asked.url ?? '', target).search : sent);
      const ip = query.get('private_ips.1');
      if (query.get('action') === 'CreateNics') tried.push(ip ?? 'any');
      const refusal =
        query.get('action') !== 'CreateNics'
          ? undefined
          : ip === null
            ? [2500, 'QuotasExceeded, no IP left']
            : [1400, 'PermissionDenied, in use'];
      if (refusal !== undefined && (ip === null || ip === held)) {
        response.end(JSON.stringify({ action: 'CreateNicsResponse', ret_code: refusal[0], message: refusal[1] }));
        return;
      }
      const headers = { 'content-type': asked.headers['content-type'] ?? 'text/plain' };
      const method = asked.method ?? 'GET';
      const answer = await fetch(`${target}${asked.url}`, { method, headers, ...(sent !== '' && { body: sent }) });
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
    })().catch(() => response.destroy());
  });
  return { origin: server.url, tried, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

for (const held of ['10.20.0.70', '10.20.0.254'])
  test(`${held}, which looks free and is refused, is asked for once: this NIC and the next have others`, async () => {
    await using one = await fullVxnet();
    const { double, subnet, driver } = one;
    await freed(double, subnet, held);
    await using way = await holding(double.url, held);
    const cloud = driver('hostnic_', way.origin);
    const primaries: string[] = [];
    for (const token of ['a', 'b']) {
      const made = await cloud.createNic(request(subnet, want, token));
      isBorn(made);
      primaries.push(made.primary4 ?? '');
    }
    assert.deepEqual(way.tried, ['any', held, primaries[0], 'any', primaries[1]]);
  });

test('a NIC for a claim, in a vxnet that is full, has one of hostnic’s for itself too', async () => {
  await using one = await fullVxnet();
  const { double, subnet, driver } = one;
  await freed(double, subnet, '10.20.0.70');
  const cloud = driver('hostnic_');
  const these = [parseCidr('10.20.0.70/32')];
  for (const [token, wanted] of [
    ['a', { these, within }],
    ['b', { within }],
  ] as const) {
    const { primary4, blocks } = await cloud.createNic(request(subnet, wanted, token));
    assert.deepEqual(blocks, token === 'a' ? these : []);
    assert.ok(primary4 !== undefined && isWithin(hostCidr(primary4)) && primary4 !== '10.20.0.70', `its own address is ${primary4}`);
  }
});

test('an address that could not be reserved again is the next NIC’s: no second one is given up', async () => {
  await using one = await fullVxnet();
  const { double, subnet, driver } = one;
  const cloud = driver('hostnic_');
  const refuse = { kind: 'refuse', code: 2500, message: 'QuotasExceeded, NICs of the account' };
  for (let attempt = 0; attempt < 3; attempt++) {
    await double.fault('CreateNics', refuse, 2);
    await double.fault('AllocateVips', { kind: 'refuse', code: 1400, message: 'PermissionDenied, not now' });
    await assert.rejects(cloud.createNic(request(subnet, want)), fails('cloudSubnetFull', /QuotasExceeded/));
  }
  assert.equal((await lost(double, subnet)).length, 1);
});

for (const forGood of [false, true])
  for (const number of [0, 1, 2, 3])
    test(`after change ${number} ${forGood ? 'the process ends' : 'the answer is lost'}: one NIC is had in the end, with an address and its blocks`, async () => {
      await using one = await fullVxnet();
      const { double, subnet, driver } = one;
      await using cut = await cutAt(double.url, number, forGood);
      const first = driver('hostnic_', cut.origin);
      await first.createNic(request(subnet, want)).catch((error: unknown) => assert.ok(isFailure(error), String(error)));
      assert.deepEqual(cut.changes.slice(0, 3), ['CreateNics', 'ReleaseVips', 'CreateNics'].slice(0, Math.max(1, cut.changes.length)));
      const cloud = driver('hostnic_');
      let made: CloudNic | undefined;
      for (let tries = 0; tries < 50 && made === undefined; tries++)
        made = await cloud.createNic(request(subnet, want)).catch(() => pause(25, undefined)); // jobs go on in real time
      assert.ok(made);
      const [only, ...more] = await cloud.nics(cluster);
      assert.ok(only !== undefined && more.length === 0);
      isBorn(only);
      assert.ok((await lost(double, subnet)).length <= 6, 'what a lost answer left free is few');
    });
