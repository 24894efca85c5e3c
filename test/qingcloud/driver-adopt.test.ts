/** Reservations that hostnic made of a whole vxnet are taken over, address by address as they are needed, also when that is cut at any call. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateNic, NicId, SubnetId, Wanted } from '../../src/cloud/cloud.ts';
import { qingCloud } from '../../src/cloud/qingcloud/qingcloud.ts';
import { cloudOf } from '../../src/cli/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { addressesOf, type Cidr, containsCidr, hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { cloud as cloudConfig } from '../../src/store/clouds.ts';
import { memoryCloud } from '../cloud/memory-cloud.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';
import { cutAt } from './cut.ts';
import { type Double, key, qingcloudDouble, zone } from './double.ts';
import { keyFile } from './key-file.ts';

const within = [parseCidr('10.20.0.64/28'), parseCidr('10.20.0.96/29')];
/** What a PodSubnet excludes, since Pods of hostnic have it. */
const inUse = '10.20.0.104';

function request(subnet: SubnetId, want?: Wanted): CreateNic {
  const tags = { 'flatpod.dev/cluster': 'c' };
  return { clientToken: 't', subnet, securityGroups: [], tags, description: '', ...(want && { want }) };
}

/** A vxnet of which hostnic has reserved 10.20.0.16 to 10.20.0.239, by one call, as it does. */
async function stage() {
  await using building = new AsyncDisposableStack();
  const double = building.use(await qingcloudDouble());
  const subnet = (await double.vxnet()) as SubnetId;
  const name = `hostnic_${subnet}`;
  const { job_id } = await double.ok('AllocateVips', { vxnet_id: subnet, vip_range: '10.20.0.16-10.20.0.239', vip_name: name });
  assert.equal(await double.final(job_id), 'successful');
  const keys = building.use(keyFile(key.accessKeyId, key.secretAccessKey)).path;
  const drivers = building.use(new DisposableStack());
  const driver = (adoptVips?: string, origin = double.url) =>
    drivers.use(
      qingCloud({
        credentials: { from: 'file', path: keys },
        endpoint: `${origin}/iaas`,
        zone,
        ...(adoptVips !== undefined && { adoptVips }),
      }),
    );
  /** The cloud as a controller has it by such a configuration. */
  const configured = (releases: boolean) => {
    const where = cloudConfig.parse({
      type: 'qingcloud',
      endpoint: `${double.url}/iaas`,
      zone,
      credentialsFile: keys,
      adoptVips: 'hostnic_',
      releases,
    });
    return drivers.use(
      cloudOf(where, memoryCloud(virtualClock()), { subnets: () => [], fence: (cloud) => cloud, fenceSteps: (part) => part }),
    );
  };
  const owned = building.move();
  return { double, subnet, driver, configured, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** By address, the name that it is reserved by. */
async function reserved(double: Double, subnet: SubnetId): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const offset of [0, 100, 200])
    for (const { vip_addr, vip_name } of (await double.ok('DescribeVips', { 'vxnets.1': subnet, limit: 100, offset })).vip_set)
      found.set(vip_addr, vip_name);
  return found;
}

const isWithin = (block: Cidr): boolean => within.some((one) => containsCidr(one, block));

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
  await using one = await stage();
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
  await using one = await stage();
  const { double, subnet, driver, configured } = one;
  const { id } = await driver().createNic(request(subnet));
  await assert.rejects(configured(false).assign(id, { addresses4: 1, within }), (error) => isFailure(error, 'cloudSubnetFull'));
  await nothingElseChanged(double, subnet, []);
  assert.equal((await configured(true).assign(id, { addresses4: 1, within })).length, 1);
});

test('a NIC is born with addresses that hostnic has reserved', async () => {
  await using one = await stage();
  const { double, subnet, driver } = one;
  const made = await driver('hostnic_').createNic(request(subnet, { addresses4: 2, within }));
  assert.deepEqual([made.blocks.length, made.blocks.every(isWithin)], [2, true]);
  await nothingElseChanged(double, subnet, made.blocks);
});

test('many that ask at once get different addresses', async () => {
  await using one = await stage();
  const { double, subnet, driver } = one;
  const cloud = driver('hostnic_');
  const nics: NicId[] = [];
  for (const token of ['a', 'b', 'c']) nics.push((await cloud.createNic({ ...request(subnet), clientToken: token })).id);
  const given = (await Promise.all(nics.map((nic) => cloud.assign(nic, { addresses4: 7, within })))).flat();
  assert.equal(new Set(given).size, 21);
  await nothingElseChanged(double, subnet, given);
});

for (const forGood of [false, true])
  for (const number of [0, 1, 2])
    test(`after change ${number} ${forGood ? 'the process ends' : 'the answer is lost'}: what was asked is had in the end, and nothing else is touched`, async () => {
      await using one = await stage();
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
        await cloud.assign(id, { ...want, addresses4: missing }).catch(() => undefined);
      }
      const there = await held();
      assert.ok(first.every((block) => there.includes(block)));
      assert.deepEqual([there.length, there.every(isWithin)], [4, true]);
      // Those whose release was carried out and whose place was taken by others are free, and are given next.
      await nothingElseChanged(double, subnet, there, 4);
    });
