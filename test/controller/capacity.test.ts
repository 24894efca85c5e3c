/** What the scheduler is told, under a virtual clock, with a scheduler that believes it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capacity } from '../../src/controller/cluster/capacity.ts';
import { troubles } from '../../src/controller/cluster/troubles.ts';
import type { Events, Saying } from '../../src/controller/cluster/events.ts';
import type { ControllerOptions } from '../../src/controller/controller.ts';
import { factsOf } from '../../src/controller/facts.ts';
import { failure } from '../../src/errors/failure.ts';
import type { KubeApi } from '../../src/kube/api.ts';
import { createLog } from '../../src/log.ts';
import type { ClusterNode } from '../../src/store/kubernetes/core-objects.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { type Bench, bench, demand, subnet } from './harness.ts';

const roomy = { nics: 4, addressSlotsPerNic: 64, ipv6SlotsPerNic: 4 };
const quiet = createLog('test', 'error', () => undefined);

interface Pod {
  readonly name: string;
  node?: string;
  readonly asks?: boolean;
  /** The scheduler said that it finds no address for it. */
  lacks?: boolean;
  serviceAccount?: string;
}

/** The API server, as much of it as is asked: Pods, and the numbers of Nodes. */
function server(pods: Pod[], told: Map<string, number>, counts = { of: 0 }): KubeApi {
  const objectOf = ({ name, node, serviceAccount, asks = true, lacks = false }: Pod): object => ({
    metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '1', labels: {}, annotations: {} },
    spec: {
      ...(node !== undefined && { nodeName: node }),
      ...(serviceAccount !== undefined && { serviceAccountName: serviceAccount }),
      containers: [{ resources: asks ? { requests: { 'flatpod.dev/addresses': '1' } } : {} }],
    },
    status: {
      phase: node === undefined ? 'Pending' : 'Running',
      conditions: lacks
        ? [{ type: 'PodScheduled', status: 'False', message: '0/2 nodes are available: 2 Insufficient flatpod.dev/addresses.' }]
        : [],
    },
  });
  const never = (): never => assert.fail('nobody asks for that');
  return {
    get: never,
    find: never,
    create: never,
    replace: never,
    delete: never,
    list: async (_at, parse, how) => {
      const isPlaced = how?.fieldSelector !== 'spec.nodeName=';
      if (isPlaced) counts.of++;
      return {
        items: pods.filter(({ node }) => (node !== undefined) === isPlaced).map((pod) => parse(objectOf(pod))),
        resourceVersion: '1',
      };
    },
    async patch(at, { body }, parse) {
      const { status } = body as { status: { allocatable: Record<string, string> } };
      told.set(at.name, Number(status.allocatable['flatpod.dev/addresses']));
      return parse({});
    },
    watch: (_at, { signal, began }) => {
      began();
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve());
      });
    },
    close: () => undefined,
  };
}

/** `unseen`: Nodes without an agent. */
async function clusterOf(
  one: Bench,
  podSubnet: PodSubnet,
  pods: Pod[],
  names: readonly string[],
  unseen: readonly string[] = [],
  limit: Pick<ControllerOptions, 'isUnread' | 'nicsPerInstance'> = {},
) {
  one.subnets = [podSubnet];
  const counts = { of: 0 };
  const told = new Map<string, number>();
  const nodes = (): ClusterNode[] =>
    [...names, ...unseen].map((name) => ({
      name,
      uid: name,
      labels: {},
      annotations: {},
      isReady: true,
      providerId: undefined,
      addresses: told.get(name),
    }));
  let wake = (_node: string): void => undefined;
  const stored = {
    subnet: podSubnet,
    status: { cloudSubnets: [], cidrs: [], assignedTo: [], conditions: [] },
    uid: 'u',
    resourceVersion: '1',
    generation: 1,
    created: '',
  };
  const telling = capacity({
    api: server(pods, told, counts),
    subnets: {
      list: () => [stored],
      get: () => stored,
      forNode: () => [podSubnet],
      writeStatus: () => Promise.resolve(),
      synced: Promise.resolve(),
      stop: () => undefined,
    },
    facts: factsOf(one.cloud, one.clock, 0),
    nodes,
    wake: (node) => wake(node),
    clock: one.clock,
    log: quiet,
  });
  const controller = await one.controller({
    ...limit,
    share: (node, of) => telling.share(node, of),
    observe: (situation, plan) => telling.observe(situation, plan),
  });
  wake = (node) => controller.wake(node);
  const at = one.cloud.addSubnet('subnet-a', '10.20.0.0/27');
  for (const [i, name] of names.entries()) await demand(one.networks, one.cloud.launch(`i-${i}`, at, roomy), {}, {}, name);
  return {
    told,
    wake: () => names.forEach((name) => controller.wake(name)),
    counts: () => counts.of,
    sum: () => told.values().reduce((all, number) => all + number, 0),
    stop: () => Promise.all([telling.stop(), controller.stop()]),
  };
}

const inCloud = ({ cloud }: Bench): number => cloud.truth().flatMap(({ blocks }) => blocks).length;

test('where there is plenty each node says what it can hold, and no Pod is looked at', async () => {
  const one = bench();
  const { told, stop } = await clusterOf(
    one,
    subnet('pods', { cloudSubnet: 'subnet-a', default: true, perNode: { maximum: 6 } }),
    [],
    ['a', 'b'],
  );
  await one.clock.advance(10_000);
  assert.deepEqual(Object.fromEntries(told), { a: 6, b: 6 });
  await stop();
});

test('another that begins to lead changes no number before it has read how many interfaces an instance may have', async () => {
  const one = bench();
  let isUnread = true;
  const inNics = subnet('pods', { cloudSubnet: 'subnet-a', default: true, datapath: 'nic', useFirstNic: false, warm: { spare: 0 } });
  const limit = { isUnread: () => isUnread, nicsPerInstance: () => (isUnread ? undefined : 3) };
  const { told, wake, stop } = await clusterOf(one, inNics, [], ['a', 'b'], [], limit);
  told.set('a', 2).set('b', 2);
  const writes: unknown[] = [];
  told.set = (...written) => (writes.push(written), told);
  await one.clock.advance(4000);
  isUnread = false;
  wake();
  await one.clock.advance(20_000);
  assert.deepEqual(writes, [], 'what the one before has told is right');
  await stop();
});

test('of a PodSubnet with blocks of its own all nodes together say no more than these have', async () => {
  const one = bench();
  const within = ['10.20.0.16/29'];
  const { sum, stop } = await clusterOf(
    one,
    subnet('pods', { cloudSubnet: 'subnet-a', default: true, within, exclude: ['10.20.0.17'] }),
    [],
    ['a', 'b'],
  );
  await one.clock.advance(60_000);
  assert.equal(sum(), 7);
  await stop();
});

test('where there is not, all nodes together say what there is, hold no more than they say, and say less for Pods that did not ask', async () => {
  const one = bench();
  const podSubnet = subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 4 } });
  const { told, sum, stop } = await clusterOf(one, podSubnet, [{ name: 'old', node: 'a', asks: false }], ['a', 'b']);
  await one.clock.advance(60_000);
  const [free] = await one.cloud.subnets(one.subnets.map(({ spec }) => spec.cloudSubnet as never));
  assert.equal(sum() + 1, (free?.free4 ?? 0) + inCloud(one));
  const before = new Map(told);
  for (const [i, name] of ['a', 'b'].entries()) await demand(one.networks, `i-${i}` as never, { waiting: 30 }, {}, name);
  await one.clock.advance(60_000);
  assert.deepEqual(told, before);
  for (const name of ['a', 'b']) {
    const held = (await one.status(name)).nics.flatMap(({ blocks }) => blocks).length;
    assert.equal(held, (told.get(name) ?? 0) + (name === 'a' ? 1 : 0));
  }
  await stop();
});

test('where there is not, all Pods are counted once while nothing changes, not in every look', async () => {
  const one = bench();
  const podSubnet = subnet('pods', { cloudSubnet: 'subnet-a', default: true });
  const { counts, stop } = await clusterOf(one, podSubnet, [], ['a', 'b']);
  await one.clock.advance(10_000);
  const begun = counts();
  await one.clock.advance(3_000_000);
  assert.ok(counts() - begun <= 5, `${counts()} times, ${begun} of them at the beginning`);
  await stop();
});

test('nodes that were not looked at yet find as much as those that were', async () => {
  const one = bench();
  const podSubnet = subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 0 } });
  const { told, sum, stop } = await clusterOf(one, podSubnet, [], ['a', 'b'], ['c', 'd']);
  await one.clock.advance(10_000);
  assert.ok(sum() > 8 && sum() <= 14, JSON.stringify(Object.fromEntries(told)));
  assert.deepEqual([...told.keys()].toSorted(), ['a', 'b']);
  await stop();
});

/** Each is news. */
function eventsInto(said: Saying[]): Events {
  return {
    say: (saying) => {
      said.push(saying);
      return { isNews: true };
    },
    stop: () => undefined,
  };
}

test('a Pod that waits on a node that cannot grow is told why, and so is the node; one that has been served is told nothing', async () => {
  const one = bench();
  const said: Saying[] = [];
  const events = eventsInto(said);
  const podSubnet = subnet('pods', { cloudSubnet: 'subnet-a', default: true, perNode: { maximum: 3 } });
  one.subnets = [podSubnet];
  const namespace = { name: 'default', uid: 'u', labels: {}, annotations: {} };
  const telling = troubles({
    api: server([{ name: 'web', node: 'n1' }], new Map()),
    events,
    node: () => ({ uid: 'node-uid' }),
    namespace: () => namespace,
    clock: one.clock,
    log: quiet,
  });
  const controller = await one.controller({ observe: (situation, plan) => telling.observe(situation, plan) });
  const instance = one.cloud.launch('i-1', one.cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  await demand(one.networks, instance, { inUse: 3, waiting: 1 });
  await one.clock.advance(4000);
  const shown = said.map(({ about, note }) => `${about.kind} ${about.name}: ${note}`).toSorted();
  assert.deepEqual(shown, [
    'Node n1: cannot get more addresses of PodSubnet pods while Pods wait: this node holds 3 of at most 3 addresses of pods (perNode.maximum)',
    'Pod web: waits on node n1 for an address of PodSubnet pods: this node holds 3 of at most 3 addresses of pods (perNode.maximum)',
  ]);
  said.length = 0;
  await demand(one.networks, instance, { inUse: 3 });
  await one.clock.advance(60_000);
  assert.deepEqual(said, []);
  await telling.stop();
  await controller.stop();
});

test('a Pod whose PodSubnet hangs on its service account is told what stops that one; one whose account cannot be read is told nothing', async () => {
  const one = bench();
  const said: Saying[] = [];
  const events = eventsInto(said);
  const common = subnet('common', { cloudSubnet: 'subnet-a', default: true, perNode: { maximum: 3 } });
  const robots = subnet('robots', { cloudSubnet: 'subnet-b', serviceAccountSelector: { matchLabels: { role: 'robot' } } });
  one.subnets = [common, robots];
  const pods = ['robot', 'person', 'gone'].map((serviceAccount) => ({ name: `of-${serviceAccount}`, node: 'n1', serviceAccount }));
  const api: KubeApi = {
    ...server([...pods, { name: 'static', node: 'n1' }], new Map()),
    async get({ resource, namespace, name }, parse) {
      assert.equal(resource, 'serviceaccounts');
      if (name === 'gone') throw failure('kubeNotFound', { object: name, text: 'there is none' });
      return parse({ metadata: { namespace, name, labels: { role: name } } });
    },
  };
  const telling = troubles({
    api,
    events,
    node: () => undefined,
    namespace: () => ({ name: 'default', uid: 'u', labels: {}, annotations: {} }),
    clock: one.clock,
    log: quiet,
  });
  const controller = await one.controller({ observe: (situation, plan) => telling.observe(situation, plan) });
  one.cloud.addSubnet('subnet-b', '10.20.1.0/24');
  const instance = one.cloud.launch('i-1', one.cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  await demand(one.networks, instance, { subnet: 'common', inUse: 3, waiting: 1 });
  await one.clock.advance(4000);
  // Nothing stops robots from growing.
  assert.deepEqual(said.map(({ about }) => about.name).toSorted(), ['of-person', 'static']);
  await telling.stop();
  await controller.stop();
});
