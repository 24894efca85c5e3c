/**
 * The answer to every changing request of the driver is lost once; whoever comes next repeats the call: it succeeds, nothing is left, nothing is given twice.
 * A request that is lost leaves Neutron as the answer before it did, so it is no case of its own here.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudNic, NicId } from '../../src/cloud/cloud.ts';
import type { OpenStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { containsCidr, parseCidr, tryParseCidr } from '../../src/net/cidr.ts';
import { eventually } from '../life/lab.ts';
import { type Desk, desk } from './driver-desk.ts';

/** Only what is let through is reserved and only what is reserved is let through, and the driver shows the same. */
async function assertWhole(it: Desk, nic: CloudNic): Promise<void> {
  const ports = await it.ports();
  const reserved = ports
    .filter((port) => port.device_owner === 'flatpod:block')
    .flatMap(({ fixed_ips }) => fixed_ips.map((one) => one.ip_address));
  const pairs = ports.find(({ id }) => id === nic.id)?.allowed_address_pairs.map((one) => one.ip_address) ?? [];
  const blocks = pairs.map((text) => tryParseCidr(text) ?? parseCidr(`${text}/32`));
  assert.ok(
    reserved.every((ip) => blocks.some((block) => containsCidr(block, parseCidr(`${ip}/32`)))),
    `${reserved.join()} in ${pairs.join()}`,
  );
  assert.equal(new Set(reserved).size, reserved.length);
  assert.equal(
    blocks.reduce((sum, block) => sum + 2 ** (32 - Number(block.split('/')[1])), 0),
    reserved.length,
  );
  assert.ok(nic.blocks.every((one) => blocks.some((block) => containsCidr(block, one))));
}

/** Runs the call once for each changing request it makes, whose answer is lost. `check` sees the repeated call's answer. */
async function eachLost<T>(
  { proxy, open }: Desk,
  before: (cloud: OpenStackCloud) => Promise<NicId>,
  call: (cloud: OpenStackCloud, nic: NicId) => Promise<T>,
  check: (cloud: OpenStackCloud, nic: NicId, answer: T) => Promise<void>,
): Promise<number> {
  let losses = 0;
  for (let nth = 1; nth < 10; nth++) {
    proxy.plan();
    const nic = await before(open());
    proxy.plan({ nth, what: 'answer' });
    const error: unknown = await call(open(), nic).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const isDone = !proxy.lost;
    assert.ok(isDone ? error === undefined : isFailure(error, 'cloudUnavailable') || error === undefined, String(error));
    proxy.plan();
    if (isDone) break;
    losses++;
    await check(open(), nic, await call(open(), nic));
  }
  return losses;
}

const nowOf = async (cloud: OpenStackCloud, nic: NicId): Promise<CloudNic> => {
  const [found] = await cloud.nics({ ids: [nic] });
  assert.ok(found !== undefined);
  return found;
};

test('a NIC with blocks is made once, whole, whatever answer was lost', async () => {
  await using it = await desk('faults');
  const { ground } = it;
  let asked = it.request();
  const losses = await eachLost(
    it,
    async () => {
      await ground.clean();
      asked = it.request({ want: { prefixes4: 2, addresses4: 1 } });
      return 'none yet' as NicId;
    },
    (cloud) => cloud.createNic(asked),
    async (cloud, _, made) => {
      assert.equal(made.blocks.length, 3);
      assert.equal((await it.ports()).length, 4);
      await assertWhole(it, made);
      assert.deepEqual((await nowOf(cloud, made.id)).blocks.toSorted(), made.blocks.toSorted());
    },
  );
  assert.equal(losses, 2, 'the create and the pairs');
});

test('a counted assign whose answer was lost leaves what the next one uses, and nothing else', async () => {
  await using it = await desk('faults');
  let made: NicId | undefined;
  const nic = async (cloud: OpenStackCloud): Promise<NicId> => (made ??= (await cloud.createNic(it.request())).id);
  let held = 0;
  const losses = await eachLost(
    it,
    nic,
    (cloud, id) => cloud.assign(id, { prefixes4: 1 }),
    async (cloud, id, answer) => {
      assert.equal(answer.length, 1);
      const now = await nowOf(cloud, id);
      // When the last answer alone was lost, the block was given: a count is not repeatable, and the controller reads back before it asks again.
      assert.ok(now.blocks.length === held + 1 || now.blocks.length === held + 2, now.blocks.join());
      held = now.blocks.length;
      await assertWhole(it, now);
    },
  );
  assert.equal(losses, 2, 'the reservation and the pair');
});

test('blocks by value are given once, and given back whole, whatever answer was lost', async () => {
  await using it = await desk('faults');
  let made: NicId | undefined;
  const nic = async (cloud: OpenStackCloud): Promise<NicId> => (made ??= (await cloud.createNic(it.request())).id);
  const these = ['10.20.0.64/28', '10.20.0.100/32', '2001:db8:20::77/128'].map(parseCidr);
  await eachLost(
    it,
    async (cloud) => {
      const id = await nic(cloud);
      await cloud.unassign(id, these);
      return id;
    },
    (cloud, id) => cloud.assign(id, { these }),
    async (cloud, id, answer) => {
      assert.deepEqual(answer, these);
      assert.deepEqual((await nowOf(cloud, id)).blocks.toSorted(), these.toSorted());
    },
  );
  await eachLost(
    it,
    async (cloud) => {
      const id = await nic(cloud);
      await cloud.assign(id, { these });
      return id;
    },
    (cloud, id) => cloud.unassign(id, these),
    async (cloud, id) => {
      assert.deepEqual((await nowOf(cloud, id)).blocks, []);
      assert.equal((await it.ports()).length, 1);
    },
  );
});

test('attach, detach and delete end where they should, whatever answer was lost, and leave no port', async () => {
  await using it = await desk('faults');
  const { ground } = it;
  let made: NicId | undefined;
  const nic = async (cloud: OpenStackCloud): Promise<NicId> =>
    (made ??= (await cloud.createNic(it.request({ want: { prefixes4: 1 } }))).id);
  const detached = async (cloud: OpenStackCloud, id: NicId): Promise<void> => {
    await cloud.detachNic(id);
    await eventually('it is detached', async () => (await nowOf(cloud, id)).attachment === undefined, 60);
  };
  await eachLost(
    it,
    async (cloud) => {
      const id = await nic(cloud);
      await detached(cloud, id);
      return id;
    },
    (cloud, id) => cloud.attachNic(id, ground.instance, 1),
    async (cloud, id) => {
      const now = await nowOf(cloud, id);
      assert.deepEqual([now.attachment?.instance, now.attachment?.deviceIndex], [ground.instance, 1]);
      assert.equal(now.blocks.length, 1);
    },
  );
  await eachLost(
    it,
    async (cloud) => {
      const id = await nic(cloud);
      await cloud.attachNic(id, ground.instance, 1);
      return id;
    },
    (cloud, id) => cloud.detachNic(id),
    async (cloud, id) => {
      await eventually('it is detached', async () => (await nowOf(cloud, id)).attachment === undefined, 60);
    },
  );
  const losses = await eachLost(
    it,
    async (cloud) => {
      if (made !== undefined && (await cloud.nics({ ids: [made] })).length === 0) made = undefined;
      const id = await nic(cloud);
      await detached(cloud, id);
      return id;
    },
    (cloud, id) => cloud.deleteNic(id),
    async () => assert.deepEqual(await it.ports(), []),
  );
  assert.equal(losses, 2, 'the reservation and the NIC');
});
