/** Reservations that hostnic made of a whole vxnet are taken over, address by address as they are needed, also when that is cut at any call. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { addressesOf, type Cidr, hostCidr } from '../../src/net/cidr.ts';
import { cutAt } from './cut.ts';
import type { Double } from './double.ts';
import { isWithin, request, reserved, reservedVxnet, within } from './reserved-vxnet.ts';

/** What a PodSubnet excludes, since Pods of hostnic have it. */
const inUse = '10.20.0.104';

/** What is not the NIC's is reserved as before; outside of the blocks nothing was touched. */
async function nothingElseChanged(double: Double, subnet: SubnetId, held: readonly Cidr[], besides = 0): Promise<void> {
  const now = await reserved(double, subnet);
  const own = new Set(held.flatMap((block) => [...addressesOf(block)]));
  let open = 0;
  for (let last = 16; last <= 239; last++) {
    const ip = `10.20.0.${last}` as Parameters<typeof hostCidr>[0];
    if (own.has(ip)) assert.match(now.get(ip) ?? '', /^flatpod_/, ip);
    else if (now.get(ip) !== `hostnic_${subnet}`) {
      assert.ok(isWithin(hostCidr(ip)), `${ip} is reserved as ${now.get(ip)}`);
      open++;
    }
  }
  assert.ok(open <= besides, `${open} addresses lost their reservation`);
}

test('what hostnic has reserved is given within the blocks that are asked for, and is somebody else’s without the option', async () => {
  await using one = await reservedVxnet();
  const { double, subnet, driver } = one;
  const { id } = await driver().createNic(request(subnet));
  await assert.rejects(driver().assign(id, { addresses4: 1, within }), (error) => isFailure(error, 'cloudSubnetFull'));
  await assert.rejects(
    driver('hostnic_').assign(id, { prefixes4: 1 }),
    (error) => isFailure(error, 'cloudSubnetFull'),
    'only within blocks',
  );
  const given = await driver('hostnic_').assign(id, { prefixes4: 1, addresses4: 3, within });
  assert.deepEqual([given.length, given.every(isWithin)], [4, true]);
  assert.deepEqual((await driver().nics({ ids: [id] }))[0]?.blocks.toSorted(), given.toSorted());
  await nothingElseChanged(double, subnet, given);
  assert.equal((await reserved(double, subnet)).get(inUse), `hostnic_${subnet}`);
  await assert.rejects(driver('hostnic_').assign(id, { addresses4: 6, within }), (error) => isFailure(error, 'cloudSubnetFull'));
  await nothingElseChanged(double, subnet, given);
});

test('where nothing may be given back nothing that hostnic has reserved is taken over', async () => {
  await using one = await reservedVxnet();
  const { double, subnet, driver, configured } = one;
  const { id } = await driver().createNic(request(subnet));
  await assert.rejects(configured(false).assign(id, { addresses4: 1, within }), (error) => isFailure(error, 'cloudSubnetFull'));
  await nothingElseChanged(double, subnet, []);
  assert.equal((await configured(true).assign(id, { addresses4: 1, within })).length, 1);
});

test('a NIC is born with addresses that hostnic has reserved', async () => {
  await using one = await reservedVxnet();
  const { double, subnet, driver } = one;
  const made = await driver('hostnic_').createNic(request(subnet, { addresses4: 2, within }));
  assert.deepEqual([made.blocks.length, made.blocks.every(isWithin)], [2, true]);
  await nothingElseChanged(double, subnet, made.blocks);
});

test('many that ask at once get different addresses', async () => {
  await using one = await reservedVxnet();
  const { double, subnet, driver } = one;
  const cloud = driver('hostnic_');
  const nics: NicId[] = [];
  for (const token of ['a', 'b', 'c']) nics.push((await cloud.createNic(request(subnet, undefined, token))).id);
  const given = (await Promise.all(nics.map((nic) => cloud.assign(nic, { addresses4: 7, within })))).flat();
  assert.equal(new Set(given).size, 21);
  await nothingElseChanged(double, subnet, given);
});

for (const forGood of [false, true])
  for (const number of [0, 1, 2])
    test(`after change ${number} ${forGood ? 'the process ends' : 'the answer is lost'}: what was asked is had in the end, and nothing else is touched`, async () => {
      await using one = await reservedVxnet();
      const { double, subnet, driver } = one;
      const { id } = await driver().createNic(request(subnet));
      const want = { addresses4: 4, within };
      await using cut = await cutAt(double.url, number, forGood);
      const first: Cidr[] = await driver('hostnic_', cut.origin)
        .assign(id, want)
        .catch((error: unknown) => {
          assert.ok(isFailure(error, 'cloudUnavailable'), String(error));
          return [];
        });
      assert.deepEqual(cut.changes.slice(0, 2), ['ReleaseVips', 'AllocateVips'].slice(0, Math.max(1, cut.changes.length)));
      // As the controller does: what is there is read back, the rest is asked for anew.
      const cloud = driver('hostnic_');
      const held = async (): Promise<readonly Cidr[]> => (await cloud.nics({ ids: [id] }))[0]?.blocks ?? [];
      for (let tries = 0; tries < 50 && (await held()).length < 4; tries++) {
        const missing = 4 - (await held()).length;
        await cloud.assign(id, { ...want, addresses4: missing }).catch(() => pause(25)); // jobs go on in real time
      }
      const there = await held();
      assert.ok(first.every((block) => there.includes(block)));
      assert.deepEqual([there.length, there.every(isWithin)], [4, true]);
      // Those whose release was carried out and whose place was taken by others are free, and are given next.
      await nothingElseChanged(double, subnet, there, 4);
    });
