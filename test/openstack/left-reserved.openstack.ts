/** What an unassign leaves that died when the address pairs were away and the reservations not, on a NIC that is never changed again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NicId } from '../../src/cloud/cloud.ts';
import { startController } from '../../src/controller/controller.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { createLog } from '../../src/log.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { demand, memoryNetworks } from '../controller/harness.ts';
import { desk } from './driver-desk.ts';

const tags = { 'flatpod.dev/cluster': 'bed' };

test('reservations that their NIC does not let through go with the sweep, seen twice; those it lets through stay, also when the NIC is the server’s own', async () => {
  await using it = await desk('bed');
  const { ground } = it;
  const cloud = it.open();
  const [first] = await cloud.nics({ instance: ground.instance });
  assert.ok(first !== undefined);
  const [gone, stays] = [parseCidr('10.20.0.100/32'), parseCidr('10.20.0.120/32')];
  await cloud.assign(first.id, { these: [gone, stays] }, tags);
  let later_ms = 0;
  const networks = memoryNetworks();
  await demand(networks, ground.instance, {});
  const controller = await startController({
    cluster: 'bed',
    networks,
    subnets: () => [],
    cloud,
    log: createLog('test', 'error', () => undefined),
    clock: { now_ms: () => Date.now() + later_ms, after: () => () => undefined },
    random: () => 0.5,
    timings: { sweep_ms: 10 ** 9 },
  });
  try {
    assert.deepEqual(await cloud.nics({ tags }), [], 'both are let through');
    const pairs = [{ ip_address: '10.20.0.120', mac_address: first.mac }];
    const cut = await ground.demo.network('PUT', `/ports/${first.id}`, { port: { allowed_address_pairs: pairs } });
    assert.equal(cut.status, 200, JSON.stringify(cut.body));
    const [now] = await cloud.nics({ instance: ground.instance });
    assert.deepEqual(now?.blocks, [stays], 'nobody would unassign it again');
    later_ms += 301_000;
    assert.deepEqual(await controller.sweepOnce(), [], 'seen once');
    later_ms += 61_000;
    const swept = await controller.sweepOnce();
    assert.deepEqual(
      swept.map(({ blocks }) => blocks),
      [[gone]],
    );
    const reserved = (await it.ports()).filter((port) => port.device_owner === 'flatpod:block');
    assert.deepEqual(
      reserved.map(({ fixed_ips: [one] }) => one?.ip_address),
      ['10.20.0.120'],
    );
    // An id of Neutron's own.
    const other = reserved[0]?.id as NicId;
    await assert.rejects(cloud.deleteNic(other), (error: unknown) => isFailure(error, 'cloudConflict'));
  } finally {
    await controller.stop();
    await cloud.unassign(first.id, [gone, stays]);
  }
});
