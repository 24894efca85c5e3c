/** A NIC and an address that is being taken over do not meet in a vxnet: the cloud would give the one to the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cloud, CreateNic, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { type CallFault, faultProxy } from '../cloud/fault-proxy.ts';
import { eventually } from '../life/lab.ts';
import { qingCloudDialect } from './dialect.ts';
import { isWithin, request, reserved, reservedVxnet } from './reserved-vxnet.ts';

const address = parseCidr('10.20.0.64/32');
const want = { addresses4: 1, within: [address] };

/**
 * A vxnet whose lowest free address is beyond what hostnic has, so that the cloud gives a NIC whatever of that is free; and a NIC that wants one. `held`: the call
 * that is held up, until `letGo`.
 */
async function stage(held: 'ReleaseVips' | 'CreateNics', what: 'request' | 'answer') {
  await using building = new AsyncDisposableStack();
  const vxnet = building.use(await reservedVxnet());
  const { double, subnet, driver } = vxnet;
  const others = { vxnet_id: subnet, vip_range: '10.20.0.4-10.20.0.15', count: 12, vip_name: 'others' };
  await double.final((await double.ok('AllocateVips', others)).job_id);
  const proxy = building.use(await faultProxy(double.url, qingCloudDialect));
  const cloud = driver('hostnic_', proxy.url);
  const { id } = await cloud.createNic(request(subnet, undefined, 'first'));
  const { promise: until, resolve: letGo } = Promise.withResolvers<void>();
  building.defer(letGo);
  const changes: string[] = [];
  let reads = 0;
  proxy.befall = ({ name, isRead }): CallFault | undefined => {
    if (isRead) reads++;
    else changes.push(name);
    return name === held && changes.filter((one) => one === held).length === 1 ? { kind: 'hold', what, until } : undefined;
  };
  const owned = building.move();
  return {
    ...vxnet,
    cloud,
    nic: id,
    changes,
    letGo,
    /** Whether the address is nobody's. */
    isFree: async () => !(await reserved(double, subnet)).has('10.20.0.64'),
    /** Begins it, and has it come as far as it comes. */
    async begun<T>(work: () => Promise<T>): Promise<Promise<T>[]> {
      const before = reads;
      const working = work();
      await eventually('it has read what it goes by', () => reads > before);
      // What goes on beside it takes longer than its next step.
      for (let i = 0; i < 5; i++) await cloud.nics({ ids: [id] });
      return [working];
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function addressOf(cloud: Cloud, making: Promise<{ readonly id: NicId }> | undefined): Promise<string | undefined> {
  const made = await making;
  assert.ok(made);
  return (await cloud.nics({ ids: [made.id] }))[0]?.primary4;
}

const another = (subnet: SubnetId): CreateNic => request(subnet, undefined, 'second');

test('a NIC that is asked for while an address is being taken over is made afterwards, and has another', async () => {
  await using at = await stage('ReleaseVips', 'answer');
  const { double, subnet, cloud, nic, changes } = at;
  const assigning = cloud.assign(nic, want);
  await eventually('the address is free', at.isFree);
  const [making] = await at.begun(() => cloud.createNic(another(subnet)));
  assert.deepEqual(changes, ['ReleaseVips']);
  const elsewhere = (await double.vxnet('10.20.1.0/24', 'b')) as SubnetId;
  assert.equal((await cloud.createNic(request(elsewhere, undefined, 'third'))).subnet, elsewhere, 'in another vxnet nobody waits');
  at.letGo();
  assert.deepEqual(await assigning, [address]);
  assert.equal(await addressOf(cloud, making), '10.20.0.241');
  assert.deepEqual(
    changes.filter((name) => /Vips|CreateNics/.test(name)),
    ['ReleaseVips', 'CreateNics', 'AllocateVips', 'CreateNics'],
  );
});

test('an address is not taken over while a NIC is being made, which would get it', async () => {
  await using at = await stage('CreateNics', 'request');
  const { subnet, cloud, nic, changes } = at;
  const [making] = await at.begun(() => cloud.createNic(another(subnet)));
  const [assigning] = await at.begun(() => cloud.assign(nic, want));
  assert.deepEqual(changes, ['CreateNics']);
  assert.equal(await at.isFree(), false);
  at.letGo();
  assert.equal(await addressOf(cloud, making), '10.20.0.241');
  assert.deepEqual(await assigning, [address]);
});

test('a take-over that is refused leaves the vxnet to those who wait', async () => {
  await using at = await stage('ReleaseVips', 'answer');
  const { double, subnet, cloud, nic } = at;
  await double.fault('AllocateVips', { kind: 'refuse', code: 1100 });
  const assigning = cloud.assign(nic, want);
  await eventually('the address is free', at.isFree);
  const [making] = await at.begun(() => cloud.createNic(another(subnet)));
  at.letGo();
  await assert.rejects(assigning, (error) => isFailure(error, 'cloudInvalid'));
  assert.equal(isWithin(parseCidr(`${await addressOf(cloud, making)}/32`)), true, 'it is nobody’s then');
});
