/** Claims beside another program on the same machine: what is on interfaces of its own, and what the first one had before us, stays as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { type ClusterBench, clusterBench } from './cluster-bench.ts';
import { subnet } from './harness.ts';

const kept = '10.20.0.21';
const prefix = '10.20.0.16/28';

/** An IPClaim whose Pod's node is gone for good: its address is on no node. */
function keep(b: ClusterBench): void {
  b.addClaim('db-0', { pod: 'db-0' });
  const held = { address: kept, subnet: 'pods', pod: 'db-0', phase: 'Reserved', since: '2026-01-01T00:00:00.000Z' };
  b.kube.put({ ...resources.ipClaims, namespace: 'shop' }, { metadata: { name: 'db-0' }, status: { addresses: [held] } });
}

function firstNic(b: ClusterBench, node: string): NicId {
  const first = b.cloud.truth().find(({ attachment }) => attachment?.instance === b.instanceOf(node) && attachment.deviceIndex === 0);
  assert.ok(first);
  return first.id;
}

/** One of aws-node's, by its tags. */
async function othersNic(b: ClusterBench, node: string): Promise<NicId> {
  const instance = b.instanceOf(node);
  const tags = { 'node.k8s.amazonaws.com/instance_id': instance };
  const made = await b.cloud.createNic({
    clientToken: 'aws-node',
    subnet: 'subnet-a' as SubnetId,
    securityGroups: [],
    tags,
    description: 'aws-K8S',
  });
  await b.cloud.attachNic(made.id, instance, 3);
  return made.id;
}

function blocksOf(b: ClusterBench, nic: NicId): readonly string[] {
  return b.cloud.truth().find(({ id }) => id === nic)?.blocks ?? [];
}

const places = [
  ['the first interface, before us', true, firstNic, 'before'],
  ['the first interface, which serves none of our Pods, in our time', false, firstNic, 'later'],
  ['an interface of its own, before us', true, othersNic, 'before'],
  ['an interface of its own, in our time', true, othersNic, 'later'],
] as const;

for (const [where, useFirstNic, nicOf, when] of places) {
  test(`a prefix with a kept address in it that another program has on ${where}, stays where it is, and is no Pod’s`, async () => {
    await using b = clusterBench();
    b.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, useFirstNic, warm: { spare: 1 } })];
    keep(b);
    b.addNode('n1');
    const nic = await nicOf(b, 'n1');
    const take = async (): Promise<void> => assert.deepEqual(await b.cloud.assign(nic, { prefixes4: 1 }), [prefix]);
    if (when === 'before') await take();
    await b.lead();
    await b.pass(3000);
    if (when === 'later') await take();
    const pods = Array.from({ length: 20 }, (_, i) => `p-${i}`);
    for (const name of pods) b.addPod(name, 'n1');
    // Beyond the next read of everything.
    await b.pass(400_000);
    assert.ok(blocksOf(b, nic).includes(prefix), `it was taken away: ${blocksOf(b, nic).join(', ')}`);
    for (const name of pods) assert.match(b.addressOf(name) ?? '', /^10\.20\.0\.(?!(1[6-9]|2\d|3[01])$)/);
    b.addPod('db-0', 'n1', { 'flatpod.dev/ip': 'fixed' });
    await b.pass(20_000);
    assert.match(b.problemOf('db-0') ?? '', /10\.20\.0\.21/, 'its Pod is told');
  });
}

test('what somebody else has on the node’s first interface is not asked for: the Pod is told, and is served on another node once it is free', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  b.addNode('n2');
  const nic = firstNic(b, 'n1');
  const [block] = await b.cloud.assign(nic, { addresses4: 1 });
  const address = block?.replace('/32', '') ?? '';
  await b.lead();
  await b.pass(2000);
  b.cloud.calls.length = 0;
  b.kube.calls.length = 0;
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': address });
  await b.pass(60_000);
  const assigns = b.cloud.calls.filter(({ name }) => name === 'assign');
  assert.deepEqual(assigns, [], 'the cloud was asked');
  assert.ok(b.kube.calls.length < 100, `${b.kube.calls.length} calls of the API in a minute`);
  assert.equal(b.addressOf('db-0'), undefined);
  assert.match(b.problemOf('db-0') ?? '', new RegExp(`^${address} is somebody else's: the node's first interface had it before`));
  assert.match(b.claim('db-0')?.status.conditions[0]?.message ?? '', new RegExp(`^Pod db-0: ${address} is somebody else's`));
  assert.deepEqual(b.claim('db-0')?.status.addresses, [], 'it is not the claim’s');
  b.removePod('db-0');
  b.addPod('db-0', 'n2', { 'flatpod.dev/ip': address });
  await b.pass(20_000);
  assert.equal(b.addressOf('db-0'), undefined, 'the cloud gives nobody what somebody has');
  await b.cloud.unassign(nic, block === undefined ? [] : [block]);
  await b.pass(20_000);
  assert.equal(b.addressOf('db-0'), address);
});

test('a kept address that somebody else has on the first interface of its Pod’s node is not asked for either', async () => {
  await using b = clusterBench();
  keep(b);
  b.addNode('n1');
  await b.cloud.assign(firstNic(b, 'n1'), { these: [`${kept}/32` as never] });
  await b.lead();
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': 'fixed' });
  b.addPod('web-0', 'n1', { 'flatpod.dev/ip': 'fixed' });
  await b.pass(60_000);
  assert.match(b.problemOf('db-0') ?? '', new RegExp(`^${kept} is somebody else's`));
  assert.ok(b.addressOf('web-0'), 'it holds up nobody else');
  assert.ok(b.cloud.calls.filter(({ name }) => name === 'assign').length < 5);
});
