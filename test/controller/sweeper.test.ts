/** NICs that nobody owns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import { tagsFor } from '../../src/controller/tags.ts';
import { failure } from '../../src/errors/failure.ts';
import { bench, demand, subnet } from './harness.ts';

const config = subnet('pods', { cloudSubnet: 'subnet-a', default: true });

function orphan(cloud: ReturnType<typeof bench>['cloud'], cluster: string, node: string) {
  const tags = tagsFor(cluster, node, 'pods', `token-${cluster}-${node}`);
  return cloud.createNic({
    clientToken: `token-${cluster}-${node}`,
    subnet: 'subnet-a' as SubnetId,
    securityGroups: [],
    tags,
    description: '',
  });
}

test('a NIC of a node that is gone is deleted after two sightings a minute apart, not after one', async () => {
  const { clock, cloud, controller, changes } = bench();
  cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const running = await controller({ subnets: () => [config], timings: { sweep_ms: 10 ** 9 } });
  const left = await orphan(cloud, 'test', 'gone');
  await orphan(cloud, 'another', 'gone');
  assert.deepEqual(await running.sweepOnce(), [], 'too young');
  await clock.advance(299_000);
  assert.deepEqual(await running.sweepOnce(), []);
  await clock.advance(2000);
  assert.deepEqual(await running.sweepOnce(), [], 'seen once');
  await clock.advance(59_000);
  assert.deepEqual(await running.sweepOnce(), [], 'seen twice, but at nearly the same time');
  await clock.advance(1000);
  assert.deepEqual(
    (await running.sweepOnce({ dryRun: true })).map(({ id }) => id),
    [left.id],
  );
  assert.ok(!changes().includes('deleteNic'), 'a dry run deletes nothing');
  assert.deepEqual(
    (await running.sweepOnce()).map(({ id }) => id),
    [left.id],
  );
  assert.deepEqual(
    cloud.truth().map(({ tags }) => tags['flatpod.dev/cluster']),
    ['another'],
  );
  await running.stop();
});

test('a NIC that is attached when it is about to be deleted stays', async () => {
  const { clock, cloud, controller } = bench();
  const other = cloud.launch('i-2', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({ subnets: () => [config], timings: { sweep_ms: 10 ** 9 } });
  const left = await orphan(cloud, 'test', 'gone');
  await clock.advance(301_000);
  await running.sweepOnce();
  await clock.advance(61_000);
  let reads = 0;
  cloud.fault = ({ name }) => {
    // Between the list and the deletion somebody takes it.
    if (name === 'nics' && ++reads === 2) void cloud.attachNic(left.id, other, 1);
    return 'none';
  };
  await running.sweepOnce();
  assert.equal(cloud.truth().length, 2);
  await running.stop();
});

test('what a node was granted or intends is not swept', async () => {
  const { clock, cloud, networks, controller } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const running = await controller({ subnets: () => [], timings: { sweep_ms: 10 ** 9 } });
  const intended = await orphan(cloud, 'test', 'n1');
  await demand(networks, instance, {});
  await running.stop();
  const since_ms = clock.now_ms();
  const intents = [{ token: 'token-test-n1', subnet: 'pods', cloudSubnet: intended.subnet, securityGroups: [], want: {}, since_ms }];
  await networks.writeStatus('n1', Object.assign({ vpcCidrs: [], nics: [], growth: [] }, { notes: { intents, foreign: [] } }));
  const still = await controller({ subnets: () => [], timings: { sweep_ms: 10 ** 9, debounce_ms: 10 ** 9 } });
  await still.stop();
  for (let i = 0; i < 3; i++) {
    await clock.advance(301_000);
    assert.deepEqual(await still.sweepOnce(), []);
  }
});

test('the sweeper runs by itself', async () => {
  const { clock, cloud, controller } = bench();
  cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const running = await controller({ subnets: () => [config] });
  await orphan(cloud, 'test', 'gone');
  await clock.advance(600_000);
  assert.deepEqual(cloud.truth(), []);
  await running.stop();
  assert.equal(clock.alarms, 0, 'nothing ticks after stop');
});

test('with releases switched off it only says what nobody owns, once each', async () => {
  const { clock, cloud, controller, changes, lines } = bench();
  cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const running = await controller({ subnets: () => [config], releases: false });
  const { id } = await orphan(cloud, 'test', 'gone');
  await clock.advance(1_800_000);
  assert.deepEqual(changes(), ['createNic']);
  assert.equal(lines.filter((line) => line.includes(`nobody owns ${id}`)).length, 1);
  await running.stop();
});

test('what cannot be unplugged from an instance that is gone keeps nothing else from being deleted, and goes when it can be', async () => {
  const { clock, cloud, controller, changes } = bench();
  const gone = cloud.launch('i-2', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const stuck = await orphan(cloud, 'test', 'gone');
  await cloud.attachNic(stuck.id, gone, 1);
  for (const node of ['b', 'c']) await orphan(cloud, 'test', node);
  let isDenied = true;
  cloud.fault = ({ name }) => {
    if (name === 'instance') return failure('cloudNotFound', { cloud: 'memory', object: gone, text: 'no' });
    return name === 'detachNic' && isDenied ? failure('cloudDenied', { cloud: 'memory', call: name, text: 'no' }) : 'none';
  };
  const running = await controller({ subnets: () => [config] });
  await clock.advance(7_200_000);
  const left = (): string[] => cloud.truth().flatMap(({ id, tags }) => (tags['flatpod.dev/cluster'] === 'test' ? id : []));
  assert.deepEqual(left(), [stuck.id]);
  const asked = changes().filter((name) => name === 'detachNic').length;
  assert.ok(asked > 1 && asked < 30, `${asked} times in two hours`);
  isDenied = false;
  await clock.advance(3_600_000);
  assert.deepEqual(left(), []);
  await running.stop();
});
