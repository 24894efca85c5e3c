/** A list of subnets that lacks one proves nothing: what an agent knows of the subnet is its Pods' way out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cloud } from '../../src/cloud/cloud.ts';
import type { GrantedNic } from '../../src/store/node-network.ts';
import { agent, type Bench, bench, demand, subnet } from './harness.ts';

const config = subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 1 } });
const cidr6 = '2001:db8:0:1::/64';

/** The cloud, whose lists of subnets are empty while that is so. */
function forgetful({ cloud }: Bench, isBlind: () => boolean): Cloud {
  return { ...cloud, subnets: async (named) => (await cloud.subnets(named)).filter(() => !isBlind()) };
}

function placeOf({ id, cidr4, cidr6: six, gateway4, gateway6 }: GrantedNic): object {
  return { id, cidr4, six, gateway4, gateway6 };
}

test('a subnet that one list lacks keeps its CIDRs and gateways on every NIC that was granted', async () => {
  const one = bench();
  const { clock, cloud, networks, controller, status } = one;
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6 }));
  let isBlind = false;
  const running = await controller({ subnets: () => [config], cloud: forgetful(one, () => isBlind) });
  const node = await agent(networks, instance, config);
  await node.want(5);
  await clock.advance(5000);
  const before = (await status()).nics.map(placeOf);
  assert.equal(before.length, 2);
  assert.ok(before.every((nic) => Object.values(nic).every((value) => value !== undefined)));
  isBlind = true;
  for (let passed_ms = 0; passed_ms < 1_200_000; passed_ms += 30_000) {
    await clock.advance(30_000);
    assert.deepEqual((await status()).nics.map(placeOf), before);
  }
  assert.equal(node.leases.length, 5);
  // What is to go goes all the same, and a controller that was born blind knows no less.
  await running.stop();
  const next = await controller({ subnets: () => [config], cloud: forgetful(one, () => isBlind) });
  await node.want(1);
  await clock.advance(600_000);
  assert.deepEqual((await status()).nics.map(placeOf), before.slice(0, 1));
  node.stop();
  await next.stop();
});

test('a NIC in a subnet that nobody knows is granted as soon as its CIDR and gateway are known, and not before', async () => {
  const one = bench();
  const { clock, cloud, networks, controller, status } = one;
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  let isBlind = false;
  cloud.moving_ms = 10_000;
  // The list is read anew with each pass.
  const running = await controller({ subnets: () => [config], cloud: forgetful(one, () => isBlind), timings: { fullRead_ms: 1000 } });
  await demand(networks, instance, { inUse: 3, waiting: 2 });
  await clock.advance(5000);
  assert.ok(cloud.calls.some(({ name }) => name === 'attachNic'));
  isBlind = true;
  await clock.advance(20_000);
  assert.equal(cloud.truth().filter(({ attachment }) => attachment?.state === 'attached').length, 2);
  assert.deepEqual(
    (await status()).nics.map(({ deviceIndex }) => deviceIndex),
    [0],
  );
  isBlind = false;
  await clock.advance(5000);
  const { nics } = await status();
  assert.equal(nics.length, 2);
  assert.ok(nics.every(({ cidr4, gateway4 }) => cidr4 === '10.20.0.0/24' && gateway4 === '10.20.0.1'));
  await running.stop();
});
