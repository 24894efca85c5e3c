/** Each reason for which a Pod gets no address, or not the one it asks for, leads to the error made for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Locks } from '../../src/agent/locks.ts';
import { now_ms, Pools } from '../../src/agent/pools.ts';
import { chooseSubnets } from '../../src/agent/subnet-choice.ts';
import type { NicId } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import type { GrantedNic, Growth } from '../../src/store/node-network.ts';
import { config, subnet } from './support.ts';

const nicOf = (id: string, name: string, ...blocks: string[]): GrantedNic => ({
  id: id as NicId, // the cloud's own word in these tests
  mac: parseMac('02:00:00:00:00:01'),
  subnet: name,
  deviceIndex: 0,
  mtu: 1500,
  blocks: blocks.map(parseCidr),
  reclaiming: [],
});
const nics = [
  nicOf('nic-1', 'a', '10.0.0.1/32', '10.0.0.2/32', '10.0.0.9/32'),
  nicOf('nic-2', 'b', '10.1.0.1/32', 'fd00::/80'),
  nicOf('nic-3', 'b', '10.1.0.2/32', 'fd00:1::/80'),
];

/** Pools of all subnets with the NICs above. */
function pools(growth: readonly Growth[] = []): Pools & Disposable {
  const made = new Pools(config.subnets, { demandChanged: () => undefined });
  assert.deepEqual(made.grant({ vpcCidrs: [], nics, growth }, new Set(nics.map(({ id }) => id))), []);
  return Object.assign(made, { [Symbol.dispose]: () => made.stop() });
}
const lease = (from: Pools, name: string, ...addresses: string[]) =>
  from.lease(subnet(name), { pod: 'default/web', requested: addresses.map(parseIp) }, 0);

test('an address asked for that another Pod has: FP131 addressInUse', async () => {
  using own = pools();
  await lease(own, 'a', '10.0.0.1');
  await assert.rejects(lease(own, 'a', '10.0.0.1'), { kind: 'addressInUse', details: 'PodSubnet a' });
});

test('an address asked for that rests: FP132 addressCooling, with the seconds that are left', async () => {
  using own = pools();
  const { addresses } = await lease(own, 'a', '10.0.0.1');
  own.release('a', addresses, now_ms() + 60_000);
  await assert.rejects(
    lease(own, 'a', '10.0.0.1'),
    (error) => isFailure(error, 'addressCooling') && /rests for (5\d|60) s/.test(error.details),
  );
});

test('an address asked for that spec.exclude names: FP133 addressExcluded', async () => {
  using own = pools();
  await assert.rejects(lease(own, 'a', '10.0.0.9'), { kind: 'addressExcluded' });
});

test('an address asked for that the node does not hold: FP134 addressNotHeld', async () => {
  using own = pools();
  await assert.rejects(lease(own, 'a', '192.0.2.1'), { kind: 'addressNotHeld' });
});

test('addresses of two interfaces, or two of one family, for one Pod: FP135 addressesUnfit', async () => {
  using own = pools();
  await assert.rejects(lease(own, 'b', '10.1.0.1', 'fd00:1::5'), { kind: 'addressesUnfit' });
  await assert.rejects(lease(own, 'b', '10.1.0.1', '10.1.0.2'), { kind: 'addressesUnfit' });
  await assert.rejects(lease(own, 'a', 'fd00::5'), (error) => isFailure(error));
});

test('no address left: FP130 addressesExhausted counts what is used, cooling, wanted and held, and names what stops growth and the remedy', async () => {
  for (const stoppedBy of ['none', 'instance', 'subnet', 'ceiling', 'cloud', 'switch'] as const) {
    using own = pools([{ subnet: 'a', stoppedBy, text: 'the numbers' }]);
    const first = await lease(own, 'a');
    await lease(own, 'a');
    own.release('a', first.addresses, now_ms() + 60_000);
    await assert.rejects(lease(own, 'a'), (error) => {
      assert.ok(isFailure(error, 'addressesExhausted'));
      assert.match(error.details, /^1 in use, 1 cooling \(next free in (5\d|60) s\), 1 wanted, [23] held by this node; growth stopped by /);
      assert.doesNotMatch(`${error.details}${error.hint}`, /[{}]|undefined/);
      return true;
    });
  }
});

test('no PodSubnet for the Pod: FP121 noSubnet says what was looked for and what there is', () => {
  const asking = { pod: 'default/web', namespace: 'default', subnet: undefined };
  assert.throws(() => chooseSubnets(config.subnets, { ...asking, subnet: 'c' }), {
    kind: 'noSubnet',
    details: /asks for c; there are a, b/,
  });
  const others = config.subnets.filter(({ spec }) => !spec.default);
  assert.throws(() => chooseSubnets(others, asking), {
    kind: 'noSubnet',
    details: /none names or selects namespace default .* there are b/,
  });
  assert.throws(() => chooseSubnets([], { ...asking, namespace: undefined }), { kind: 'noSubnet', details: /none at all/ });
});

test('verbs without end for one container: FP120 tooManyAtOnce, and those that wait are served', async () => {
  const locks = new Locks();
  const first = await locks.take('c1/eth0');
  const waiting = Array.from({ length: 32 }, async () => {
    using _turn = await locks.take('c1/eth0');
  });
  await assert.rejects(locks.take('c1/eth0'), { kind: 'tooManyAtOnce' });
  first[Symbol.dispose]();
  await Promise.all(waiting);
  assert.equal(locks.held('c1/eth0'), false);
});
