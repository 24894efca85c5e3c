/**
 * The answer to every changing request of the driver is lost once; whoever comes next repeats the call: it succeeds, nothing is left, nothing is given twice.
 * A request that is lost leaves Neutron as the answer before it did, so it is no case of its own here.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudNic, CreateNic, NicId } from '../../src/cloud/cloud.ts';
import { type OpenStackCloud, openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { containsCidr, parseCidr, tryParseCidr } from '../../src/net/cidr.ts';
import { eventually } from '../life/lab.ts';
import { type DriverGround, sharedGround } from './driver-ground.ts';
import { type FaultProxy, faultProxy } from './driver-proxy.ts';

interface Lab extends AsyncDisposable {
  readonly ground: DriverGround;
  readonly proxy: FaultProxy;
  /** A driver that knows nothing of what others began: as after a kill. */
  readonly fresh: () => OpenStackCloud;
}

async function lab(): Promise<Lab> {
  const ground = await sharedGround();
  const proxy = await faultProxy(ground.bed.authUrl);
  const clouds: OpenStackCloud[] = [];
  return {
    ground,
    proxy,
    fresh() {
      const variables = { ...ground.bed.environment('demo'), OS_AUTH_URL: proxy.authUrl };
      const cloud = openStackCloud({ credentials: { variables }, deadline_ms: 120_000 });
      clouds.push(cloud);
      return cloud;
    },
    async [Symbol.asyncDispose]() {
      for (const cloud of clouds) cloud[Symbol.dispose]();
      await proxy[Symbol.asyncDispose]();
      await ground.clean();
    },
  };
}

interface RawPort {
  readonly id: string;
  readonly device_owner: string;
  readonly device_id: string;
  readonly tags: string[];
  readonly fixed_ips: { readonly ip_address: string }[];
  readonly allowed_address_pairs: { readonly ip_address: string }[];
}

async function portsOf({ demo, network }: DriverGround): Promise<RawPort[]> {
  const all: RawPort[] = (await demo.network('GET', `/ports?network_id=${network}`)).body.ports;
  return all.filter(({ tags }) => tags.length > 0);
}

/** Only what is let through is reserved and only what is reserved is let through, and the driver shows the same. */
async function assertWhole(ground: DriverGround, nic: CloudNic): Promise<void> {
  const ports = await portsOf(ground);
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
  { proxy, fresh }: Lab,
  before: (cloud: OpenStackCloud) => Promise<NicId>,
  call: (cloud: OpenStackCloud, nic: NicId) => Promise<T>,
  check: (cloud: OpenStackCloud, nic: NicId, answer: T) => Promise<void>,
): Promise<number> {
  let losses = 0;
  for (let nth = 1; nth < 10; nth++) {
    proxy.plan();
    const nic = await before(fresh());
    proxy.plan({ nth, what: 'answer' });
    const error: unknown = await call(fresh(), nic).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const isDone = !proxy.lost;
    assert.ok(isDone ? error === undefined : isFailure(error, 'cloudUnavailable') || error === undefined, String(error));
    proxy.plan();
    if (isDone) break;
    losses++;
    await check(fresh(), nic, await call(fresh(), nic));
  }
  return losses;
}

const request = (ground: DriverGround, token: string, more: Partial<CreateNic> = {}): CreateNic => ({
  clientToken: `${token}-${Date.now()}`,
  subnet: ground.subnet,
  securityGroups: [],
  tags: { 'flatpod.dev/cluster': 'faults' },
  description: 'faults',
  ...more,
});

const nowOf = async (cloud: OpenStackCloud, nic: NicId): Promise<CloudNic> => {
  const [found] = await cloud.nics({ ids: [nic] });
  assert.ok(found !== undefined);
  return found;
};

test('a NIC with blocks is made once, whole, whatever answer was lost', async () => {
  await using it = await lab();
  const { ground } = it;
  let asked = request(ground, 'make');
  const losses = await eachLost(
    it,
    async () => {
      await ground.clean();
      asked = request(ground, 'make', { want: { prefixes4: 2, addresses4: 1 } });
      return 'none yet' as NicId;
    },
    (cloud) => cloud.createNic(asked),
    async (cloud, _, made) => {
      assert.equal(made.blocks.length, 3);
      assert.equal((await portsOf(ground)).length, 4);
      await assertWhole(ground, made);
      assert.deepEqual((await nowOf(cloud, made.id)).blocks.toSorted(), made.blocks.toSorted());
    },
  );
  assert.equal(losses, 2, 'the create and the pairs');
});

test('a counted assign whose answer was lost leaves what the next one uses, and nothing else', async () => {
  await using it = await lab();
  const { ground } = it;
  let made: NicId | undefined;
  const nic = async (cloud: OpenStackCloud): Promise<NicId> => (made ??= (await cloud.createNic(request(ground, 'assign'))).id);
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
      await assertWhole(ground, now);
    },
  );
  assert.equal(losses, 2, 'the reservation and the pair');
});

test('blocks by value are given once, and given back whole, whatever answer was lost', async () => {
  await using it = await lab();
  const { ground } = it;
  let made: NicId | undefined;
  const nic = async (cloud: OpenStackCloud): Promise<NicId> => (made ??= (await cloud.createNic(request(ground, 'these'))).id);
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
      assert.equal((await portsOf(ground)).length, 1);
    },
  );
});

test('attach, detach and delete end where they should, whatever answer was lost, and leave no port', async () => {
  await using it = await lab();
  const { ground } = it;
  let made: NicId | undefined;
  const nic = async (cloud: OpenStackCloud): Promise<NicId> =>
    (made ??= (await cloud.createNic(request(ground, 'plug', { want: { prefixes4: 1 } }))).id);
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
    async () => assert.deepEqual(await portsOf(ground), []),
  );
  assert.equal(losses, 2, 'the reservation and the NIC');
});
