/** Nodes that are gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noClaims } from '../../src/controller/claims/claims.ts';
import { departed } from '../../src/controller/cluster/departed.ts';
import { tagsFor } from '../../src/controller/tags.ts';
import { failure } from '../../src/errors/failure.ts';
import { createLog } from '../../src/log.ts';
import type { ClusterNode } from '../../src/store/kubernetes/core-objects.ts';
import type { InstanceId, NicId } from '../../src/cloud/cloud.ts';
import type { Cidr } from '../../src/net/cidr.ts';
import type { GrantedNic, NodeNetwork } from '../../src/store/node-network.ts';
import type { Condition } from '../../src/store/schema-parts.ts';
import { memoryCloud } from '../cloud/memory-cloud.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';

function bench() {
  const clock = virtualClock();
  const cloud = memoryCloud(clock);
  const at = cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const instance = cloud.launch('i-1', at);
  const nodes = new Set<string>();
  const removed: string[] = [];
  const forgotten: string[] = [];
  let conditions: readonly Condition[] = [];
  let granted: readonly GrantedNic[] = [];
  const one = (id: InstanceId): NodeNetwork => ({
    name: 'n1',
    spec: { instance: id, demand: [], returned: [] },
    status: { vpcCidrs: [], nics: granted, growth: [], conditions },
  });
  const node: ClusterNode = {
    name: 'n1',
    uid: 'u1',
    labels: {},
    annotations: {},
    isReady: true,
    providerId: undefined,
    addresses: undefined,
  };
  const start = () =>
    departed({
      cluster: 'test',
      networks: {
        list: async () => (removed.length > 0 ? [] : [one(instance)]),
        node: (name) => (nodes.has(name) ? node : undefined),
        remove: async (name) => void removed.push(name),
        writeConditions: async (_name, now) => void (conditions = now),
      },
      cloud,
      claims: noClaims,
      forget: (name) => forgotten.push(name),
      clock,
      log: createLog('test', 'error', () => undefined),
    });
  /** An interface that somebody else made and attached, with two blocks of which the Node was granted the first. */
  const foreign = async (): Promise<{ id: NicId; blocks: readonly Cidr[] }> => {
    const made = await cloud.createNic({ clientToken: 'theirs', subnet: at, securityGroups: [], tags: {}, description: '' });
    await cloud.attachNic(made.id, instance, 1);
    const blocks = await cloud.assign(made.id, { addresses4: 2 });
    const { id, mac, mtu } = made;
    granted = [{ id, mac, mtu, deviceIndex: 1, subnet: 'pods', blocks: blocks.slice(0, 1), reclaiming: [] }];
    return { id, blocks };
  };
  const blocksOf = (id: NicId): readonly Cidr[] | undefined => cloud.truth().find((nic) => nic.id === id)?.blocks;
  return { clock, cloud, at, instance, nodes, removed, forgotten, said: () => conditions[0], foreign, blocksOf, start };
}

test('as long as the instance lives the NodeNetwork stays and says why; when it is terminated our interfaces go, then the NodeNetwork', async () => {
  const { clock, cloud, at, instance, removed, forgotten, said, start } = bench();
  await cloud.createNic({
    clientToken: 'token',
    subnet: at,
    securityGroups: [],
    tags: tagsFor('test', 'n1', 'pods', 'token'),
    description: '',
  });
  const running = start();
  await clock.advance(20_000);
  assert.deepEqual([removed, said()?.reason], [[], 'NodeGone']);
  assert.match(said()?.message ?? '', /its instance i-1 runs/);
  cloud.terminate(instance);
  await clock.advance(20_000);
  assert.deepEqual([removed, forgotten, cloud.truth().filter(({ tags }) => tags['flatpod.dev/node'] === 'n1')], [['n1'], ['n1'], []]);
  await running.stop();
});

test('a Node that is there, or is there again, is left alone', async () => {
  const { clock, cloud, instance, nodes, removed, said, start } = bench();
  nodes.add('n1');
  const running = start();
  cloud.terminate(instance);
  await clock.advance(60_000);
  assert.deepEqual([removed, said()], [[], undefined]);
  await running.stop();
});

test('while the cloud does not say what became of the instance nothing is taken away', async () => {
  const { clock, cloud, instance, removed, start } = bench();
  const running = start();
  cloud.terminate(instance);
  cloud.fault = ({ name }) => (name === 'instance' ? 'loseAnswer' : 'none');
  await clock.advance(120_000);
  assert.deepEqual(removed, []);
  cloud.fault = () => 'none';
  await clock.advance(20_000);
  assert.deepEqual(removed, ['n1']);
  await running.stop();
});

test('of an interface that is not ours and outlives its machine goes what the Node was granted, before the NodeNetwork, and nothing else', async () => {
  const { clock, cloud, instance, removed, foreign, blocksOf, start } = bench();
  const { id, blocks } = await foreign();
  const running = start();
  await clock.advance(60_000);
  assert.deepEqual([blocksOf(id), removed], [blocks, []], 'the machine runs');
  cloud.terminate(instance);
  cloud.fault = ({ name }) => (name === 'unassign' ? 'loseRequest' : 'none');
  await clock.advance(60_000);
  assert.deepEqual([blocksOf(id), removed], [blocks, []], 'the cloud was not reached');
  cloud.fault = () => 'none';
  await clock.advance(20_000);
  assert.deepEqual([blocksOf(id), removed], [blocks.slice(1), ['n1']]);
  await running.stop();
});

test('what serves another machine by now keeps all it has', async () => {
  const { clock, cloud, at, instance, removed, foreign, blocksOf, start } = bench();
  const { id, blocks } = await foreign();
  cloud.terminate(instance);
  await cloud.attachNic(id, cloud.launch('i-2', at), 1);
  const running = start();
  await clock.advance(60_000);
  assert.deepEqual([blocksOf(id), removed], [blocks, ['n1']]);
  await running.stop();
});

test('a Node that comes back while the cloud is asked about its machine keeps its interfaces, and what it was granted', async () => {
  const { clock, cloud, at, instance, nodes, removed, foreign, blocksOf, start } = bench();
  const tags = tagsFor('test', 'n1', 'pods', 'token');
  const ours = await cloud.createNic({ clientToken: 'token', subnet: at, securityGroups: [], tags, description: '' });
  const { id, blocks } = await foreign();
  cloud.terminate(instance);
  cloud.fault = ({ name }) => {
    // The last that is asked before anything is taken away.
    if (name === 'nics') nodes.add('n1');
    return 'none';
  };
  const running = start();
  await clock.advance(60_000);
  assert.ok(nodes.has('n1'));
  assert.deepEqual([blocksOf(id), blocksOf(ours.id), removed], [blocks, [], []]);
  await running.stop();
});

test('an interface that cannot be unplugged from an instance that is gone keeps no other, nor what was granted on those of others', async () => {
  const { clock, cloud, at, instance, removed, foreign, blocksOf, start } = bench();
  const made = (clientToken: string) =>
    cloud.createNic({ clientToken, subnet: at, securityGroups: [], tags: tagsFor('test', 'n1', 'pods', clientToken), description: '' });
  const [stuck] = [await made('1'), await made('2')];
  const { id, blocks } = await foreign();
  await cloud.attachNic(stuck.id, instance, 2);
  let [asked, isDenied] = [0, true];
  cloud.fault = ({ name }) => {
    if (name === 'instance') return failure('cloudNotFound', { cloud: 'memory', object: instance, text: 'no' });
    if (name !== 'detachNic' || !isDenied) return 'none';
    asked++;
    return failure('cloudDenied', { cloud: 'memory', call: name, text: 'no' });
  };
  const running = start();
  await clock.advance(3_600_000);
  const ours = (): string[] => cloud.truth().flatMap((nic) => (nic.tags['flatpod.dev/node'] === 'n1' ? nic.id : []));
  assert.deepEqual([ours(), blocksOf(id), removed], [[stuck.id], blocks.slice(1), []]);
  assert.ok(asked > 1 && asked < 30, `${asked} times in an hour`);
  isDenied = false;
  await clock.advance(3_600_000);
  assert.deepEqual([ours(), removed], [[], ['n1']]);
  await running.stop();
});
