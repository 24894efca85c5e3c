/** A controller that has just begun to lead, and has not read yet how many interfaces an instance may have by somebody's word. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noClaims, type Unserved, type WantedAddresses } from '../../src/controller/claims/claims.ts';
import type { ControllerOptions } from '../../src/controller/controller.ts';
import { parseIp } from '../../src/net/address.ts';
import { bench, demand, subnet } from './harness.ts';

const roomy = { nics: 4, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4 };
const inNics = subnet('pods', { cloudSubnet: 'subnet-a', default: true, datapath: 'nic', useFirstNic: false, warm: { spare: 0 } });

function unread(nicsPerInstance: number) {
  let isUnread = true;
  let observed = 0;
  const options: Partial<ControllerOptions> = {
    isUnread: () => isUnread,
    nicsPerInstance: () => (isUnread ? undefined : nicsPerInstance),
    observe: () => void observed++,
  };
  return { options, observed: () => observed, read: () => void (isUnread = false) };
}

test('no interface is made before the limit is read, nobody is told of one that there is not, and then there are as many as it says', async () => {
  const one = bench();
  one.subnets = [inNics];
  const instance = one.cloud.launch('i-1', one.cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  await demand(one.networks, instance, { waiting: 3 });
  const { options, observed, read } = unread(2);
  const controller = await one.controller(options);
  await one.clock.advance(4000);
  const { growth, notes } = await one.status();
  assert.deepEqual([one.changes(), growth, observed()], [[], [{ subnet: 'pods', stoppedBy: 'none', text: '' }], 0]);
  assert.deepEqual((notes as { intents?: unknown } | undefined)?.intents, [], 'nothing is noted of what no call was made for');
  read();
  controller.wake('n1');
  await one.clock.advance(30_000);
  assert.deepEqual(one.changes(), ['createNic', 'attachNic']);
  assert.equal((await one.status()).growth[0]?.stoppedBy, 'instance');
  assert.ok(observed() > 0);
  await controller.stop();
});

test('an interface that the one before made is plugged in when the limit is read, and no other is made in its place', async () => {
  const one = bench();
  one.subnets = [inNics];
  const instance = one.cloud.launch('i-1', one.cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  await demand(one.networks, instance, { waiting: 1 });
  one.cloud.fault = ({ name }) => (name === 'createNic' ? 'loseAnswer' : 'none');
  const before = await one.controller();
  for (let i = 0; i < 100 && !one.changes().includes('createNic'); i++) await one.clock.advance(10);
  await before.stop();
  one.cloud.fault = () => 'none';
  const { options, read } = unread(2);
  const next = await one.controller(options);
  await one.clock.advance(4000);
  assert.deepEqual(one.changes(), ['createNic']);
  read();
  next.wake('n1');
  await one.clock.advance(30_000);
  assert.deepEqual(one.changes(), ['createNic', 'attachNic']);
  assert.equal((await one.status()).nics.filter(({ use }) => use === 'pod').length, 1);
  await next.stop();
});

test('what interfaces that are there can take is assigned all the same', async () => {
  const one = bench();
  one.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 0 } })];
  const instance = one.cloud.launch('i-1', one.cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  await demand(one.networks, instance, { waiting: 2 });
  const controller = await one.controller(unread(4).options);
  await one.clock.advance(4000);
  assert.deepEqual(one.changes(), ['assign']);
  await controller.stop();
});

test('a claim does not hear that it has to wait before it is known what there is room for', async () => {
  const one = bench();
  one.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, useFirstNic: false, warm: { spare: 0 } })];
  const at = one.cloud.addSubnet('subnet-a', '10.20.0.0/24');
  // Its cloud allows no other either: that is as true later.
  const instance = one.cloud.launch('i-1', at, { ...roomy, nics: 1 });
  await demand(one.networks, instance, {});
  const wanted: WantedAddresses = { uid: 'u', subnet: 'pods', cloudSubnet: at, these: [parseIp('10.20.0.9')], any4: false, beside: [] };
  const told: Unserved[] = [];
  const { options, read } = unread(1);
  const controller = await one.controller({
    ...options,
    claims: {
      ...noClaims,
      on: (...of) => ({ ...noClaims.on(...of), wanted: [wanted] }),
      unserved: async (those) => void told.push(...those),
    },
  });
  await one.clock.advance(4000);
  assert.equal(told.length, 0);
  read();
  controller.wake('n1');
  await one.clock.advance(4000);
  assert.deepEqual(
    told.map(({ stop }) => stop.stoppedBy),
    ['instance'],
  );
  await controller.stop();
});
