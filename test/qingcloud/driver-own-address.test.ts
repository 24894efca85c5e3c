/** In a vxnet that hostnic has reserved whole a NIC of ours has one of hostnic's addresses for itself, when the cloud has none left. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { CloudNic, SubnetId } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { fails } from '../cloud/scripted-server.ts';
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
