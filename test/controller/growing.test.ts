/** Growth: how many calls, which NIC, and what is said when it stops. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notesOf } from '../../src/controller/notes.ts';
import { failure } from '../../src/errors/failure.ts';
import { withoutChanges } from '../../src/cloud/limits/changes.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { agent, bench, demand, subnet } from './harness.ts';

const roomy = { nics: 4, addressSlotsPerNic: 64, ipv6SlotsPerNic: 4 };

function pods(spec: Record<string, unknown> = {}) {
  return subnet('pods', { cloudSubnet: 'subnet-a', default: true, ...spec });
}

test('fifty ADDs that wait make one assign call', async () => {
  const { clock, cloud, networks, controller, changes, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const subnets = [pods({ warm: { spare: 0 } })];
  const running = await controller({ subnets: () => subnets });
  for (let i = 1; i <= 50; i++) await demand(networks, instance, { waiting: i });
  await clock.advance(1000);
  assert.deepEqual(changes(), ['assign']);
  assert.equal((await status()).nics[0]?.blocks.length, 50);
  await running.stop();
});

test('what comes during a pass is one more pass, and one more call', async () => {
  const { clock, cloud, networks, controller, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const subnets = [pods({ warm: { spare: 0 } })];
  let once = true;
  cloud.fault = ({ name }) => {
    if (name === 'assign' && once) {
      once = false;
      for (let i = 11; i <= 20; i++) void demand(networks, instance, { waiting: i });
    }
    return 'none';
  };
  const running = await controller({ subnets: () => subnets });
  await demand(networks, instance, { waiting: 10 });
  await clock.advance(1000);
  assert.deepEqual(changes(), ['assign', 'assign']);
  await running.stop();
});

test('the fullest NIC is filled first; then a NIC is made, with the blocks it is born with, on the lowest free device index', async () => {
  const { clock, cloud, networks, controller, changes, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const subnets = [pods({ warm: { spare: 0 }, securityGroups: ['sg-pods'] })];
  const running = await controller({ subnets: () => subnets });
  await demand(networks, instance, { waiting: 5 });
  await clock.advance(2000);
  assert.deepEqual(changes(), ['assign', 'createNic', 'attachNic']);
  const granted = await status();
  assert.deepEqual(
    granted.nics.map(({ deviceIndex, blocks, subnet: of }) => [deviceIndex, blocks.length, of]),
    [
      [0, 3, 'pods'],
      [1, 2, 'pods'],
    ],
  );
  assert.deepEqual(notesOf(granted)?.intents, []);
  const [, second] = cloud.truth();
  assert.deepEqual(second?.securityGroups, ['sg-pods']);
  assert.equal(second?.tags['flatpod.dev/node'], 'n1');
  assert.equal(second?.tags['flatpod.dev/subnet'], 'pods');
  await running.stop();
});

test('a NIC made for a PodSubnet without security groups has those of the first NIC', async () => {
  const { clock, cloud, networks, controller } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const subnets = [pods({ useFirstNic: false })];
  const running = await controller({ subnets: () => subnets });
  await demand(networks, instance, {});
  await clock.advance(2000);
  assert.deepEqual(cloud.truth()[1]?.securityGroups, ['sg-node']);
  await running.stop();
});

test('the ceiling of the node stops growth and the status says so in numbers', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const subnets = [pods({ perNode: { maximum: 12 } })];
  const running = await controller({ subnets: () => subnets });
  await demand(networks, instance, { inUse: 12, waiting: 3 });
  await clock.advance(2000);
  const { nics, growth } = await status();
  assert.equal(nics[0]?.blocks.length, 12);
  assert.deepEqual(growth, [
    { subnet: 'pods', stoppedBy: 'ceiling', text: 'this node holds 12 of at most 12 addresses of pods (perNode.maximum)' },
  ]);
  await running.stop();
});

test('a full instance stops growth and the status says so in numbers', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const subnets = [pods({ warm: { spare: 0 } })];
  const running = await controller({ subnets: () => subnets });
  await demand(networks, instance, { waiting: 20 });
  await clock.advance(5000);
  const { nics, growth } = await status();
  assert.deepEqual(
    nics.map(({ blocks }) => blocks.length),
    [3, 3, 3],
  );
  assert.equal(growth[0]?.stoppedBy, 'instance');
  assert.match(growth[0]?.text ?? '', /t\.test is full: 3 of 3 interfaces attached, 4 address slots each; 11 more addresses wanted/);
  await running.stop();
});

test('a full subnet gives what it has, then is left alone for minutes, and the status says why', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/28'), roomy);
  const subnets = [pods({ warm: { spare: 0 } })];
  const running = await controller({ subnets: () => subnets });
  await demand(networks, instance, { waiting: 40 });
  await clock.advance(30_000);
  const { nics, growth } = await status();
  // 16 addresses, five of them the cloud's, one the NIC's own.
  assert.equal(nics[0]?.blocks.length, 10);
  assert.equal(growth[0]?.stoppedBy, 'subnet');
  assert.match(growth[0]?.text ?? '', /no room for .*0 addresses are free/);
  const calls = changes().length;
  assert.ok(calls < 12, `${calls} calls`);
  await clock.advance(30_000);
  assert.equal(changes().length, calls);
  await running.stop();
});

test('prefixes are counted as sixteen, and excluded addresses not at all', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const subnets = [pods({ unit: 'prefix', exclude: ['10.20.0.16/29'], warm: { spare: 10 } })];
  const running = await controller({ subnets: () => subnets });
  await demand(networks, instance, {});
  await clock.advance(2000);
  // The first /28 has eight usable addresses, so a second one is needed for ten.
  assert.deepEqual((await status()).nics[0]?.blocks, ['10.20.0.16/28', '10.20.0.32/28']);
  await running.stop();
});

test('in a dual-stack PodSubnet each NIC that serves has one /80', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6: '2001:db8::/64' }));
  const config = pods({ families: [4, 6], warm: { spare: 1 } });
  const running = await controller({ subnets: () => [config] });
  const node = await agent(networks, instance, config);
  await clock.advance(100);
  await node.want(5);
  await clock.advance(5000);
  const { nics } = await status();
  assert.equal(node.leases.length, 5);
  assert.deepEqual(
    nics.map(({ blocks }) => blocks.filter((block) => block.endsWith('/80')).length),
    [1, 1],
  );
  node.stop();
  await running.stop();
});

test('a PodSubnet of IPv6 alone needs one /80, however many Pods', async () => {
  const { clock, cloud, networks, controller, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6: '2001:db8::/64' }));
  const config = pods({ families: [6] });
  const running = await controller({ subnets: () => [config] });
  const node = await agent(networks, instance, config);
  await clock.advance(100);
  await node.want(200);
  await clock.advance(5000);
  assert.equal(node.leases.length, 200);
  assert.deepEqual(changes(), ['assign']);
  node.stop();
  await running.stop();
});

test('spare NICs are attached before anyone needs them, and only those', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { nics: 4 });
  const subnets = [pods({ warm: { spare: 1, spareNics: 1 } })];
  const running = await controller({ subnets: () => subnets });
  await demand(networks, instance, {});
  await clock.advance(600_000);
  assert.deepEqual(
    (await status()).nics.map(({ blocks }) => blocks.length),
    [1, 0],
  );
  assert.deepEqual(changes(), ['assign', 'createNic', 'attachNic']);
  await demand(networks, instance, { inUse: 1, waiting: 3 });
  await clock.advance(5000);
  // The spare NIC took two addresses at once, and another took its place.
  assert.deepEqual(
    (await status()).nics.map(({ blocks }) => blocks.length),
    [3, 2, 0],
  );
  await running.stop();
});

test('a subnet in another zone is not asked for, and the status says why', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  cloud.addSubnet('subnet-b', '10.20.1.0/24', { zone: 'b' });
  const running = await controller({ subnets: () => [pods({ cloudSubnet: 'subnet-b' })] });
  await demand(networks, instance, { waiting: 1 });
  await clock.advance(5000);
  assert.deepEqual(changes(), []);
  assert.match((await status()).growth[0]?.text ?? '', /subnet-b is in zone b, instance i-1 in a/);
  await running.stop();
});

test('one PodSubnet whose cloudSubnet is nonsense does not stop the others, and the status names it', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 20 });
  const bad = subnet('bad', { cloudSubnet: 'no such thing', namespaces: ['x'] });
  const running = await controller({ subnets: () => [pods({ cloudSubnet: 'subnet-a' }), bad] });
  const of = (name: string) => ({ subnet: name, inUse: 0, cooling: 0, waiting: 1 });
  await networks.writeSpec('n1', { instance, demand: [of('pods'), of('bad')], returned: [] });
  await clock.advance(5000);
  const { nics, growth } = await status();
  assert.ok((nics[0]?.blocks.length ?? 0) > 0);
  assert.match(growth.find((one) => one.subnet === 'bad')?.text ?? '', /no such thing/);
  await running.stop();
});

test('the status names PodSubnets in one order, whichever is served first: what changes nothing is not written', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const running = await controller({ subnets: () => ['b', 'a'].map((name) => subnet(name, { cloudSubnet: 'subnet-a' })) });
  const of = (name: string, inUse: number) => ({ subnet: name, inUse, cooling: 0, waiting: 0 });
  for (const [a, b] of [
    [0, 3],
    [3, 0],
  ] as const) {
    await networks.writeSpec('n1', { instance, demand: [of('b', b), of('a', a)], returned: [] });
    await clock.advance(5000);
    assert.deepEqual(
      (await status()).growth.map((one) => one.subnet),
      ['a', 'b'],
    );
  }
  await running.stop();
});

test('blocks that no Pod can have are not granted, whatever the cloud says', async () => {
  const { clock, cloud, networks, controller, status, lines } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 20 });
  const running = await controller({ subnets: () => [pods({ cloudSubnet: 'subnet-a' })] });
  const honest = cloud.nics.bind(cloud);
  const lies = ['8.8.8.8/32', '10.20.0.1/32', '127.0.0.0/28'].map(parseCidr);
  await demand(networks, instance, { waiting: 1 });
  await clock.advance(1000);
  cloud.nics = async (filter) => (await honest(filter)).map((nic) => ({ ...nic, blocks: [...nic.blocks, ...lies] }));
  await clock.advance(600_000);
  const { nics } = await status();
  assert.ok((nics[0]?.blocks.length ?? 0) > 0);
  assert.deepEqual(
    nics[0]?.blocks.filter((block) => lies.includes(block)),
    [],
  );
  assert.match(lines.join(''), /the cloud says that nic-\S+ has 8\.8\.8\.8\/32, 10\.20\.0\.1\/32, 127\.0\.0\.0\/28: outside of its subnet/);
  await running.stop();
});

test('with changes switched off no changing call is made, and the status says so', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({ subnets: () => [pods()], cloud: withoutChanges(cloud) });
  await demand(networks, instance, { waiting: 9 });
  await clock.advance(3_600_000);
  assert.deepEqual(changes(), []);
  const { growth, nics } = await status();
  assert.equal(growth[0]?.stoppedBy, 'switch');
  assert.match(growth[0]?.text ?? '', /switched off/);
  assert.equal(nics.length, 1);
  await running.stop();
});

test('a cloud that throttles is asked ever more seldom', async () => {
  const { clock, cloud, networks, controller, changes, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  cloud.fault = ({ name }) => (name === 'assign' ? failure('cloudThrottled', { cloud: 'memory', call: name, text: 'slow down' }) : 'none');
  const running = await controller({ subnets: () => [pods()] });
  for (let i = 0; i < 600; i++) {
    await demand(networks, instance, { waiting: i % 50 });
    await clock.advance(1000);
  }
  const storm = changes().length;
  assert.ok(storm >= 5 && storm <= 10, `${storm} calls in ten minutes`);
  assert.equal((await status()).growth[0]?.stoppedBy, 'cloud');
  cloud.fault = () => 'none';
  await clock.advance(600_000);
  assert.equal((await status()).growth[0]?.stoppedBy, 'none');
  await running.stop();
});

test('a cloud that cannot be read leaves the grants as they are and says why nothing grows', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const first = await controller({ subnets: () => [pods()] });
  await demand(networks, instance, {});
  await clock.advance(1000);
  await first.stop();
  const before = await status();
  cloud.fault = () => 'loseRequest';
  const second = await controller({ subnets: () => [pods()] });
  await demand(networks, instance, { waiting: 7 });
  await clock.advance(60_000);
  assert.deepEqual((await status()).nics, before.nics);
  assert.match((await status()).growth[0]?.text ?? '', /memory did not answer/);
  cloud.fault = () => 'none';
  await clock.advance(120_000);
  assert.equal((await status()).nics[0]?.blocks.length, 11);
  await second.stop();
});

test('secondary addresses the first NIC had before we came are nobody else’s business', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const [first] = cloud.truth();
  assert.ok(first);
  const [vip] = await cloud.assign(first.id, { addresses4: 1 });
  const config = pods({ warm: { spare: 2 } });
  for (let start = 0; start < 2; start++) {
    const running = await controller({ subnets: () => [config] });
    await demand(networks, instance, {});
    await clock.advance(200_000);
    const [nic] = (await status()).nics;
    assert.equal(nic?.blocks.length, 2);
    assert.ok(vip !== undefined && !nic?.blocks.includes(vip));
    await running.stop();
  }
});

test('an address that the cloud gives again while the agent lists it as returned counts: the ceiling holds when it is granted', async () => {
  const { clock, cloud, networks, controller, changes, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const subnets = [pods({ warm: { spare: 0 }, perNode: { maximum: 1 } })];
  const running = await controller({ subnets: () => subnets });
  const first = '10.20.0.5/32';
  await demand(networks, instance, { waiting: 1 }, { returned: [parseCidr(first)] });
  await clock.advance(2000);
  assert.deepEqual(cloud.truth()[0]?.blocks, [first], 'the cloud gives the lowest address');
  assert.deepEqual((await status()).nics[0]?.blocks, [], 'the agent would take its old promise for a new one');
  await demand(networks, instance, { waiting: 1 });
  await clock.advance(2000);
  assert.deepEqual((await status()).nics[0]?.blocks, [first]);
  assert.deepEqual(changes(), ['assign']);
  await running.stop();
});

for (const isMade of [true, false])
  test(`a token that the cloud refuses for good is not used again: ${isMade ? 'the NIC that was made with it is found by its tags, and is the only one' : 'the next call has another'}`, async () => {
    const { clock, cloud, networks, controller, status } = bench();
    const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
    const createNic = cloud.createNic.bind(cloud);
    const tokens: string[] = [];
    cloud.createNic = async (request) => {
      tokens.push(request.clientToken);
      if (tokens.length > 1) return await createNic(request);
      if (isMade) await createNic(request);
      throw failure('cloudInvalid', { cloud: 'memory', call: 'createNic', text: 'the token was used for another request' });
    };
    const running = await controller({ subnets: () => [pods({ useFirstNic: false, warm: { spare: 0 } })] });
    await demand(networks, instance, { waiting: 3 });
    await clock.advance(60_000);
    assert.deepEqual([tokens.length, new Set(tokens).size], isMade ? [1, 1] : [2, 2]);
    const { nics, growth } = await status();
    assert.equal(nics.flatMap(({ blocks }) => blocks).length, 3);
    assert.equal(growth[0]?.stoppedBy, 'none');
    await running.stop();
  });
