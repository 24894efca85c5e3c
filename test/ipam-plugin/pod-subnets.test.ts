/** Addresses of a PodSubnet for the interfaces of other main plugins, asked of an agent's books without an executable. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { add } from '../../src/agent/add.ts';
import { del } from '../../src/agent/del.ts';
import { gc } from '../../src/agent/gc.ts';
import { releaseKept } from '../../src/agent/ipam/verbs.ts';
import { booksOf } from '../../src/agent/ipam/subnet-verbs.ts';
import { noSigns, sweep } from '../../src/agent/sweep.ts';
import { type RangeNode, rangeNode } from '../agent/shared-network.ts';
import { good } from '../errors/support.ts';
import { macOf, testLan } from '../kernel/lan.ts';
import { asker, type Books } from './books.ts';

const ours = { type: 'flatpod-ipam', subnet: 'a', routes: ['0.0.0.0/0'] };
const theirs = { type: 'whereabouts', range: '10.9.0.0/24', gateway: '10.9.0.1', routes: [{ dst: '0.0.0.0/0' }] };
const network = { cidr: '10.9.0.0/24', gateway: '10.9.0.1' };

/** A node with a block of a range on a LAN, in a cluster or not, and how its IPAM plugin is asked. */
function bed(options: { readonly inCluster?: boolean; readonly exclude?: readonly string[] } = {}) {
  using open = new DisposableStack();
  const lan = open.use(testLan(2));
  const range = { parent: 'eth0', mtu: 1500, shared: false, ipv4: network };
  const spec = { range, ...(options.exclude !== undefined && { exclude: options.exclude }) };
  // As objects of the API server come: their schema has said what is in them.
  const made = open.use(rangeNode(lan.host(0), { blocks: ['10.9.0.8/30'], spec: spec as object }));
  const pods = { find: () => Promise.resolve(undefined), namespace: () => undefined, list: () => [], stop: () => undefined };
  const node: RangeNode = options.inCluster === true ? { ...made, cloud: { ...made.cloud, pods } } : made;
  const kept = open.move();
  const ask: Books['ask'] = (verb, ipam, asking, more) => asker(booksOf(node))(verb, ipam, asking, more);
  return { node, lan, ask, [Symbol.dispose]: () => kept.dispose() };
}

test('ADD, CHECK, DEL: an address of the PodSubnet, with length and gateway of its network, and the routes of the section', async () => {
  using at = bed();
  const { node, ask } = at;
  const told = await ask('ADD', ours);
  assert.deepEqual([told.status, told.addresses], [0, ['10.9.0.8/24']], told.stdout);
  assert.deepEqual(told.json['routes'], [{ dst: '0.0.0.0/0' }]);
  assert.deepEqual(
    node.attachments.list().map(({ container, ifname, network: net, subnet, state }) => [container, ifname, net, subnet, state]),
    [['c1', 'eth0', 'net', 'a', 'ready']],
  );
  assert.equal((await ask('CHECK', ours, {}, { prevResult: told.json })).status, 0);
  const other = { ...told.json, ips: [{ address: '10.9.0.200/24' }] };
  assert.equal((await ask('CHECK', ours, {}, { prevResult: other })).fp, 'FP309');
  assert.equal((await ask('CHECK', ours, { container: 'c2' }, { prevResult: told.json })).fp, 'FP308');
  assert.equal((await ask('ADD', ours)).fp, 'FP307', 'an interface is added once');
  for (let n = 0; n < 2; n++) assert.equal((await ask('DEL', ours)).status, 0);
  assert.deepEqual(node.attachments.list(), []);
  assert.equal(node.pools.demand()[0]?.cooling, 1, 'it rests');
});

test('DEL succeeds with a section that cannot be read any more, and gives the address back', async () => {
  using at = bed();
  await at.ask('ADD', ours);
  assert.equal((await at.ask('DEL', { type: 'flatpod-ipam', subnet: 7 })).status, 0);
  assert.deepEqual(at.node.attachments.list(), []);
});

test('DEL and GC of another network leave the lease; a kept DEL whose configuration nobody can read ends it', async () => {
  using at = bed();
  const { node } = at;
  await at.ask('ADD', ours);
  await at.ask('DEL', ours, {}, { name: 'other' });
  await at.ask('GC', ours, {}, { name: 'other', 'cni.dev/valid-attachments': [] });
  assert.equal(node.attachments.list().length, 1);
  const variables = new Map(
    Object.entries({ CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', FLATPOD_PLUGIN: 'flatpod-ipam' }),
  );
  for (const [at_ms, left] of [[Date.now() - 60_000, 1] as const, [Date.now() + 1, 0] as const]) {
    await releaseKept(booksOf(node), { variables, stdin: Buffer.from('{') }, at_ms);
    assert.equal(node.attachments.list().length, left);
  }
});

test('an address that somebody on the network has is not given, and one is asked for by value', async () => {
  using at = bed();
  at.lan.host(1).ip('addr add 10.9.0.8/24 dev eth0');
  assert.deepEqual((await at.ask('ADD', ours)).addresses, ['10.9.0.9/24']);
  assert.deepEqual((await at.ask('ADD', ours, { container: 'c2', args: 'IP=10.9.0.11' })).addresses, ['10.9.0.11/24']);
  const refused = await at.ask('ADD', ours, { container: 'c3', args: 'IP=10.9.0.8' });
  assert.equal(refused.fp, 'FP290');
  assert.match(refused.stdout, new RegExp(macOf(at.lan.host(1))));
});

test('four addresses serve four interfaces, Pods of the main plugin among them; a fifth is told what there is', async () => {
  using at = bed();
  const { request } = at.node.pod();
  await add(at.node, request);
  const told = await Promise.all(['c2', 'c3', 'c4'].map((container) => at.ask('ADD', ours, { container: `ipam-${container}` })));
  const given = at.node.attachments.list().flatMap((one) => one.interface.addresses);
  assert.deepEqual([told.map(({ status }) => status), new Set(given).size], [[0, 0, 0], 4]);
  const fifth = await at.ask('ADD', ours, { container: 'c5' });
  assert.equal(fifth.fp, 'FP130');
});

test('each plugin ends what is its own: DEL and GC of the main plugin leave an address for another, and the other way round', async () => {
  using at = bed();
  const { node, ask } = at;
  const { request } = node.pod();
  await add(node, request);
  await ask('ADD', ours, { container: 'other' });
  const living = (): string[] =>
    node.attachments
      .list()
      .map(({ container }) => container)
      .toSorted();
  await del(node, { container: 'other', ifname: 'eth0' });
  await gc(node, good('gc', { name: 'net', 'cni.dev/valid-attachments': [{ containerID: request.container, ifname: 'eth0' }] }));
  await ask('DEL', ours, { container: request.container });
  assert.deepEqual(living(), [request.container, 'other'].toSorted());
  await ask('GC', ours, {}, { 'cni.dev/valid-attachments': [{ containerID: 'other', ifname: 'eth0' }] });
  assert.deepEqual(living(), [request.container, 'other'].toSorted());
  await ask('GC', ours, {}, { 'cni.dev/valid-attachments': [] });
  assert.deepEqual(living(), [request.container]);
});

test('no DEL comes and the namespace is gone: the sweep gives the address back', async () => {
  using at = bed();
  await at.ask('ADD', ours);
  const signs = noSigns();
  for (const now of [0, 70_000, 140_000]) await sweep(at.node, signs, { now, grace_ms: 60_000, listed: undefined });
  assert.deepEqual(at.node.attachments.list(), []);
});

test('STATUS and ADD name what is wrong: no such PodSubnet, one of the cloud, an agent that drains', async () => {
  using at = bed();
  for (const verb of ['STATUS', 'ADD']) {
    const unknown = await at.ask(verb, { ...ours, subnet: 'lan' });
    assert.deepEqual([unknown.fp, /those with a range are: a/.test(unknown.stdout)], ['FP312', true], unknown.stdout);
  }
  assert.equal((await at.ask('STATUS', ours)).status, 0);
  const [own] = at.node.cloud.grants.subnets;
  assert.ok(own);
  const { range: _, ...spec } = own.spec;
  const { grants } = at.node.cloud;
  const ofCloud = { ...at.node, cloud: { ...at.node.cloud, grants: { ...grants, subnets: [{ ...own, spec }] } } };
  assert.match((await asker(booksOf(ofCloud))('STATUS', ours)).stdout, /FP312.*one of the cloud/);
  const drains = { ...at.node, cloud: { ...at.node.cloud, grants: { ...grants, draining: 'now' } } };
  assert.match((await asker(booksOf(drains))('ADD', ours)).stdout, /draining/);
});

test("in a cluster a section of whereabouts' dialect is served by the PodSubnet that has its range; asked again, the interface gets the same", async () => {
  using at = bed({ inCluster: true });
  const told = await at.ask('ADD', theirs);
  assert.deepEqual(told.addresses, ['10.9.0.8/24'], told.stdout);
  assert.deepEqual((await at.ask('ADD', theirs)).addresses, told.addresses);
  assert.equal(at.node.attachments.list()[0]?.subnet, 'a');
  assert.equal((await at.ask('CHECK', theirs, {}, { prevResult: told.json })).status, 0);
  await at.ask('DEL', theirs);
  assert.deepEqual(at.node.attachments.list(), []);
});

test('in a cluster a range that no PodSubnet has, or that it gives more of, is refused: two nodes would give the same address', async () => {
  using at = bed({ inCluster: true, exclude: ['10.9.0.128/26'] });
  const refused: Record<string, [object, RegExp]> = {
    'another range': [{ range: '10.8.0.0/24' }, /no PodSubnet has just these ranges/],
    'a range besides': [{ range: '10.9.0.0/24', ipRanges: [{ range: 'fd00:9::/64' }] }, /no PodSubnet has just these ranges/],
    'a later start': [{ range: '10.9.0.0/24', range_start: '10.9.0.64' }, /may give 10\.9\.0\.1, which lies outside of 10\.9\.0\.64-/],
    'an earlier end': [{ range: '10.9.0.0/24', range_end: '10.9.0.64' }, /may give 10\.9\.0\.254, which lies outside/],
    'more excluded': [{ range: '10.9.0.0/24', exclude: ['10.9.0.160-10.9.0.200'] }, /may give 10\.9\.0\.160-10\.9\.0\.200/],
    'another gateway': [{ range: '10.9.0.0/24', gateway: '10.9.0.254' }, /may give 10\.9\.0\.254/],
  };
  for (const [what, [ipam, problem]] of Object.entries(refused)) {
    for (const verb of ['ADD', 'STATUS']) {
      const told = await at.ask(verb, ipam);
      assert.deepEqual([told.fp, problem.test(told.stdout)], ['FP317', true], `${what}: ${told.stdout}`);
    }
  }
  assert.deepEqual((await at.ask('ADD', { range: '10.9.0.0/24', exclude: ['10.9.0.130/32'] })).addresses, ['10.9.0.8/24']);
  const own = await at.ask('ADD', { range: '10.8.0.0/24', clusterWide: false }, { container: 'c2' });
  assert.deepEqual(own.addresses, ['10.8.0.1/24'], 'a range of its own, and it says so');
});
