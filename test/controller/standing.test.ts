/** What kubectl says of PodSubnets and nodes, and how seldom it is written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudSubnet, SubnetId } from '../../src/cloud/cloud.ts';
import { withReady } from '../../src/controller/conditions.ts';
import { openEvents, type Saying } from '../../src/controller/cluster/events.ts';
import { nodeStanding } from '../../src/controller/node-standing.ts';
import { seldom } from '../../src/controller/cluster/seldom.ts';
import { subnetStanding } from '../../src/controller/cluster/subnet-standing.ts';
import { createLog } from '../../src/log.ts';
import { factsOf } from '../../src/controller/facts.ts';
import { subnetStatuses } from '../../src/controller/cluster/subnet-status.ts';
import { clusterSubnets } from '../../src/store/kubernetes/cluster-subnets.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { podSubnetStatus } from '../../src/store/pod-subnet.ts';
import { memoryCloud } from '../cloud/memory-cloud.ts';
import { memoryKube } from '../store/memory-kube.ts';
import type { ClusterNode } from '../../src/store/kubernetes/core-objects.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';
import { subnet } from './harness.ts';

const cloudSubnet: CloudSubnet = { id: 's-1' as SubnetId, zone: 'zone-a', free4: 5 };
const node = (name: string, zone: string, labels: Record<string, string> = {}): ClusterNode => ({
  name,
  uid: name,
  labels,
  annotations: {},
  isReady: true,
  providerId: `vpc:///${zone}/i-${name}`,
  addresses: undefined,
});
const quiet = createLog('test', 'error', () => undefined);

test('a PodSubnet says in a word and in a sentence why it cannot be used', () => {
  const plain = subnet('web', { cloudSubnet: 's-1' });
  const chosen = subnet('web', { cloudSubnet: 's-1', nodeSelector: { matchLabels: { pool: 'web' } }, perCluster: { maximum: 300 } });
  const nodes = [node('n1', 'zone-b'), node('n2', 'zone-a', { pool: 'web' })];
  const said = (facts: Partial<Parameters<typeof subnetStanding>[0]>) => {
    const { status, reason, message } = subnetStanding({ subnet: plain, cloudSubnets: [cloudSubnet], nodes, held: 0, ...facts });
    return `${status} ${reason}: ${message}`;
  };
  assert.equal(said({}), 'True Usable: 1 node may use it');
  assert.equal(
    said({ cloudSubnets: [] }),
    'False CloudSubnetUnknown: the cloud knows no subnet s-1: correct spec.cloudSubnet, or make that subnet',
  );
  const refused = 'its range has addresses that the range of PodSubnet b has too';
  assert.equal(said({ cloudSubnets: [{ ...cloudSubnet, refused }] }), `False RangeInTheWay: ${refused}`);
  assert.equal(said({ cloudSubnets: [{ id: 'range:plain' as SubnetId, free4: 5 }] }), 'True Usable: 2 nodes may use it', 'in every zone');
  assert.equal(said({ nodes: [] }), 'False NoNode: the cluster has no node yet');
  assert.match(
    said({ subnet: chosen, nodes: [node('n1', 'zone-a')] }),
    /^False NoNode: no node has the labels that spec\.nodeSelector asks for/,
  );
  const annotated = subnet('web', { cloudSubnet: 's-1', nodeAnnotationSelector: { matchLabels: { pool: 'web' } } });
  assert.match(said({ subnet: annotated }), /^False NoNode: no node has what spec\.nodeSelector and spec\.nodeAnnotationSelector ask for/);
  assert.match(
    said({ nodes: [node('n1', 'zone-b'), node('n3', 'zone-a', { 'topology.kubernetes.io/zone': 'zone-c' })] }),
    /^False WrongZone: subnet s-1 is in zone zone-a, the nodes that may use it are in zone-b, zone-c/,
  );
  assert.equal(said({ subnet: chosen, held: 300 }), 'True AtCeiling: nodes hold 300 of at most 300 addresses (spec.perCluster.maximum)');
  assert.equal(said({ cloudSubnets: [{ ...cloudSubnet, free4: 0 }] }), 'True Full: no IPv4 address is left in cloud subnet s-1');
});

test('a PodSubnet with several subnets serves the zones of all, and is full when all are', () => {
  const tagged = subnet('web', { cloudSubnets: { tags: { role: 'pods' } } });
  const nodes = [node('n1', 'zone-b'), node('n2', 'zone-a'), node('n3', 'zone-c')];
  const other: CloudSubnet = { id: 's-2' as SubnetId, zone: 'zone-b', free4: 0 };
  const said = (facts: Partial<Parameters<typeof subnetStanding>[0]>) => {
    const { status, reason, message } = subnetStanding({ subnet: tagged, cloudSubnets: [cloudSubnet, other], nodes, held: 0, ...facts });
    return `${status} ${reason}: ${message}`;
  };
  assert.equal(said({}), 'True Usable: 2 nodes may use it');
  assert.equal(
    said({ cloudSubnets: [] }),
    'False CloudSubnetUnknown: the cloud has none of the subnets those with role=pods: correct spec.cloudSubnets, or make one',
  );
  assert.equal(said({ cloudSubnets: [], problem: 'not by tags' }), 'False CloudSubnetUnknown: not by tags');
  assert.match(said({ nodes: [node('n3', 'zone-c')] }), /is in zone zone-a, zone-b, the nodes that may use it are in zone-c/);
  assert.match(
    said({ cloudSubnets: [{ ...cloudSubnet, free4: 0 }, other] }),
    /^True Full: no IPv4 address is left in cloud subnet those with/,
  );
});

test('a node is ready while its Pods get addresses, and says what stops them when they do not', () => {
  const demand = [{ subnet: 'web', inUse: 3, cooling: 0, waiting: 0 }];
  const growth = [{ subnet: 'web', stoppedBy: 'ceiling' as const, text: 'this node holds 3 of at most 3' }];
  assert.equal(nodeStanding({ demand }, { growth, subnets: 1, refused: [] }).status, 'True');
  const waiting = demand.map((one) => ({ ...one, waiting: 2 }));
  assert.deepEqual(nodeStanding({ demand: waiting }, { growth, subnets: 1, refused: [] }), {
    status: 'False',
    reason: 'AddressesMissing',
    message: 'Pods wait for an address of web: this node holds 3 of at most 3',
  });
  assert.equal(nodeStanding({ demand }, { growth: [], subnets: 0, refused: [] }).reason, 'NoSubnet');
  assert.equal(nodeStanding({ demand, draining: 'x' }, { growth: [], subnets: 1, refused: [] }).reason, 'Draining');
});

test('a node whose cloud takes nothing back is ready, and says what it is stuck with', () => {
  const refused = [{ stoppedBy: 'cloud' as const, text: 'not permitted: DetachNetworkInterface' }];
  const standing = nodeStanding({ demand: [] }, { growth: [], subnets: 1, refused });
  assert.deepEqual([standing.status, standing.reason], ['True', 'ReleasesRefused']);
  assert.match(standing.message, /Pods on this node get addresses; .* is not given back: not permitted: DetachNetworkInterface/);
  const leaving = nodeStanding({ demand: [], draining: 'x' }, { growth: [], subnets: 1, refused });
  assert.deepEqual([leaving.status, leaving.reason], ['False', 'Draining']);
  assert.match(leaving.message, /not permitted: DetachNetworkInterface/);
});

test('a condition keeps its time until its status is another', () => {
  const first = withReady([], { status: 'True', reason: 'A', message: 'a' }, 1000);
  const second = withReady(first, { status: 'True', reason: 'B', message: 'b' }, 9000);
  assert.equal(second[0]?.lastTransitionTime, first[0]?.lastTransitionTime);
  assert.notEqual(
    withReady(second, { status: 'False', reason: 'B', message: 'b' }, 9000)[0]?.lastTransitionTime,
    first[0]?.lastTransitionTime,
  );
});

test('what many ask for is done seldom and in one go, and again when it failed', async () => {
  const clock = virtualClock();
  const goes: string[][] = [];
  const work = seldom({ clock, log: quiet, every_ms: 5000, first_ms: 100, what: 'a test' }, async (keys) => {
    goes.push(keys.toSorted());
    if (goes.length === 1) throw new Error('once');
    return goes.length === 2 ? ['b'] : [];
  });
  for (let i = 0; i < 100; i++) work.ask(i % 2 === 0 ? 'a' : 'b');
  await clock.advance(4000);
  assert.deepEqual(goes, [['a', 'b']]);
  await clock.advance(5000);
  assert.deepEqual(goes, [
    ['a', 'b'],
    ['a', 'b'],
  ]);
  await clock.advance(20_000);
  assert.deepEqual(goes, [['a', 'b'], ['a', 'b'], ['b']]);
  await work.stop();
});

test('an event is said once in ten minutes, a few a second, and never more than the API server takes', async () => {
  const clock = virtualClock();
  const said: unknown[] = [];
  const api = {
    create: async (_at: object, body: object): Promise<never> => {
      said.push(body);
      throw new Error('the answer is of no interest');
    },
  };
  const events = openEvents(api, 'flatpod-controller-x', clock, quiet);
  const saying = (note: string): Saying => ({
    about: { kind: 'Node', name: 'n1', uid: 'u1' },
    type: 'Warning',
    reason: 'CannotGrow',
    action: 'Grow',
    note,
  });
  assert.equal(events.say(saying('full')).isNews, true);
  assert.equal(events.say(saying('full')).isNews, false);
  for (let i = 0; i < 2000; i++) events.say(saying(`${i} ${'x'.repeat(2000)}`));
  await clock.advance(1000);
  assert.ok(said.length <= 10, `${said.length} in a second`);
  await clock.advance(300_000);
  assert.ok(said.length <= 505);
  assert.ok(said.every((body) => JSON.stringify(body).length < 1500));
  await clock.advance(600_000);
  assert.equal(events.say(saying('full')).isNews, true);
  events.stop();
});

test('a PodSubnet whose tags find more subnets than its status lists is used, and says so; what is written is what the API server takes', async () => {
  const kube = memoryKube();
  const spec = { cloudSubnets: { tags: { role: 'pods' } } };
  kube.put(resources.podSubnets, { apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name: 'web' }, spec });
  const clock = virtualClock();
  const cloud = memoryCloud(clock);
  for (let i = 0; i < 70; i++)
    cloud.tagSubnet(cloud.addSubnet(`s-${i}`, `10.20.${i}.0/24`, { zone: 'zone-a', cidr6: `2001:db8:${i}::/64` }), { role: 'pods' });
  const subnets = clusterSubnets(kube, quiet, { changed: () => undefined, blocksChanged: () => undefined });
  await subnets.synced;
  const facts = factsOf(cloud, clock, 60_000);
  const held = () => ({ held: 0, nodes: 0 });
  const work = subnetStatuses({ subnets, facts, nodes: () => [node('n1', 'zone-a')], held, wrote: () => undefined, clock, log: quiet });
  work.ask('web');
  await clock.advance(10_000);
  const status = podSubnetStatus.parse(subnets.get('web')?.status);
  assert.deepEqual([status.cloudSubnets.length, status.cidrs.length, status.zone], [64, 128, 'zone-a']);
  const [ready] = status.conditions;
  assert.deepEqual([ready?.status, ready?.reason], ['True', 'ManySubnets']);
  assert.match(ready?.message ?? '', /^1 node may use it; the cloud has 70 subnets with role=pods, of which status lists 64: one more tag/);
  await work.stop();
  subnets.stop();
});
