/** PodSubnets that have some blocks of a cloud subnet for their own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressAt, type Cidr, containsCidr, hostCidr, parseCidr } from '../../src/net/cidr.ts';
import type { CreateNic, SubnetId } from '../../src/cloud/cloud.ts';
import { subnetStanding } from '../../src/controller/cluster/subnet-standing.ts';
import { clashAmong } from '../../src/store/kubernetes/cluster-subnets.ts';
import { outside4 } from '../../src/net/outside.ts';
import { checkSubnet, checkTogether } from '../../src/store/cross-checks.ts';
import { subnetsOf, viewFor } from '../../src/store/nic-shares.ts';
import { excludedOf, takenBefore } from '../../src/store/within.ts';
import { failure } from '../../src/errors/failure.ts';
import { clusterBench } from './cluster-bench.ts';
import { agent, bench, demand, subnet } from './harness.ts';

const roomy = { nics: 4, addressSlotsPerNic: 64, ipv6SlotsPerNic: 4 };
const [first, second] = [parseCidr('10.20.0.64/28'), parseCidr('10.20.0.128/27')];

function pods(name: string, within: readonly string[], more: Record<string, unknown> = {}) {
  return subnet(name, { cloudSubnet: 'subnet-a', useFirstNic: false, warm: { spare: 0 }, within, ...more });
}

function stored(one: ReturnType<typeof subnet>, created = '2026-01-01T00:00:00Z') {
  const status = { cloudSubnets: [], cidrs: [], assignedTo: [], conditions: [] };
  return { subnet: one, status, uid: one.metadata.name, resourceVersion: '1', generation: 1, created };
}

function isIn(blocks: readonly Cidr[]): (block: Cidr) => boolean {
  return (block) => blocks.some((one) => containsCidr(one, block));
}

test('two PodSubnets of one cloud subnet get addresses of their own blocks alone', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const subnets = [pods('a', [first]), pods('b', [second], { unit: 'prefix' })];
  const running = await controller({ subnets: () => subnets });
  const none = { inUse: 0, cooling: 0 };
  const asks = ['a', 'b'].map((name) => ({ subnet: name, ...none, waiting: 5 }));
  await networks.writeSpec('n1', { instance, demand: asks, returned: [] });
  await clock.advance(30_000);
  const { nics } = await status();
  const blocksOf = (name: string): Cidr[] =>
    nics.filter((nic) => subnetsOf(nic).includes(name)).flatMap((nic) => viewFor(nic, name).blocks);
  assert.equal(blocksOf('a').length, 5);
  assert.ok(blocksOf('a').every(isIn([first])), blocksOf('a').join(', '));
  assert.equal(blocksOf('b').length, 1);
  assert.ok(blocksOf('b').every(isIn([second])), blocksOf('b').join(', '));
  await running.stop();
});

test('when its blocks are full a PodSubnet says so with them, although the cloud subnet has more', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const running = await controller({ subnets: () => [pods('pods', [first])] });
  await demand(networks, instance, { waiting: 17 });
  await clock.advance(60_000);
  const { nics, growth } = await status();
  assert.ok(nics.flatMap(({ blocks }) => blocks).every(isIn([first])));
  assert.equal(growth[0]?.stoppedBy, 'subnet');
  assert.match(growth[0]?.text ?? '', /10\.20\.0\.64\/28/);
  await running.stop();
});

test('of a block that is taken away what is free goes back at once, and what Pods have when they end', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  let subnets = [pods('pods', [first], { warm: { spare: 4 } })];
  const running = await controller({ subnets: () => subnets });
  const one = await agent(networks, instance, pods('pods', [first]));
  await one.want(3);
  await clock.advance(30_000);
  assert.equal(one.leases.length, 3);
  const used = one.leases.flatMap(({ addresses }) => addresses.map((address) => hostCidr(address)));
  subnets = [pods('pods', [second], { warm: { spare: 4 } })];
  await running.subnetsChanged();
  await clock.advance(60_000);
  const held = async (): Promise<Cidr[]> => (await status()).nics.flatMap(({ blocks }) => blocks);
  const old = (await held()).filter(isIn([first]));
  assert.deepEqual(old.toSorted(), used.toSorted(), 'no more, and no less, than what Pods have');
  assert.ok((await held()).some(isIn([second])));
  await one.keep(() => false);
  await clock.advance(60_000);
  assert.deepEqual((await held()).filter(isIn([first])), []);
  one.stop();
  await running.stop();
});

test('nothing is asked for where another has the blocks, or the cloud subnet has not', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const both = [pods('a', [first]), pods('pods', ['10.20.0.72/29', '10.20.0.160/28'])];
  const clash = (one: (typeof both)[number]): string | undefined => (one.metadata.name === 'pods' ? takenBefore(one, both) : undefined);
  const running = await controller({ subnets: () => both, clash });
  await demand(networks, instance, { waiting: 1 });
  await clock.advance(10_000);
  assert.deepEqual((await status()).growth, [
    { subnet: 'pods', stoppedBy: 'subnet', text: '10.20.0.72/29 of subnet-a is in the blocks of PodSubnet a too (spec.within)' },
  ]);
  both.splice(0, 2, pods('pods', ['10.30.0.0/28']));
  await running.subnetsChanged();
  await clock.advance(10_000);
  assert.equal((await status()).growth[0]?.text, '10.30.0.0/28 of spec.within: cloud subnet subnet-a has 10.20.0.0/24');
  assert.deepEqual(changes(), []);
  await running.stop();
});

test('the status says what is wrong with the blocks, and when all of them is held', () => {
  const cloudSubnets = [{ id: 'subnet-a' as SubnetId, cidr4: parseCidr('10.20.0.0/24'), free4: 200 }];
  const nodes = [{ name: 'n1', uid: 'n1', labels: {}, annotations: {}, isReady: true, providerId: undefined, addresses: undefined }];
  const said = (facts: Partial<Parameters<typeof subnetStanding>[0]>): string => {
    const { status, reason, message } = subnetStanding({ subnet: pods('a', [first]), cloudSubnets, nodes, held: 0, ...facts });
    return `${status} ${reason}: ${message}`;
  };
  assert.match(said({}), /^True Usable/);
  assert.equal(said({ held: 16 }), 'True Full: nodes hold all 16 addresses of its blocks (spec.within)');
  assert.equal(
    said({ clash: clashAmong(pods('b', [first]), [stored(pods('a', [first])), stored(pods('b', [first]))]) }),
    'False BlocksOverlap: 10.20.0.64/28 of subnet-a is in the blocks of PodSubnet a too (spec.within): give each block to one PodSubnet',
  );
  assert.equal(
    said({ subnet: pods('a', ['10.30.0.0/28']) }),
    'False BlocksOutside: 10.30.0.0/28 of spec.within: cloud subnet subnet-a has 10.20.0.0/24: name blocks of that',
  );
});

test('of two PodSubnets with one block the one that was made later has none', () => {
  const [older, newer] = [pods('z', [first]), pods('a', [first])];
  const all = [stored(newer, '2026-01-02T00:00:00Z'), stored(older, '2026-01-01T00:00:00Z')];
  assert.deepEqual([clashAmong(older, all), clashAmong(newer, all)?.text.includes('PodSubnet z')], [undefined, true]);
});

test('of two PodSubnets that would have one subnet of Neutron in two ways the one that was made later has none, and is told what to write', () => {
  const ports = subnet('a', { cloudSubnet: 'v4+v6', addressing: 'ports' });
  const [older, newer] = [stored(subnet('z', { cloudSubnet: 'v4' })), stored(ports, '2026-01-02T00:00:00Z')];
  const branch = stored(subnet('branch', { cloudSubnet: 'v4', datapath: 'branch' }));
  const all = [newer, branch, older];
  assert.deepEqual([clashAmong(older.subnet, all), clashAmong(branch.subnet, all)], [undefined, undefined]);
  const cloudSubnets = [{ id: 'v4+v6' as SubnetId, cidr4: parseCidr('10.20.0.0/24'), free4: 200 }];
  const standing = subnetStanding({ subnet: ports, cloudSubnets, nodes: [], held: 0, clash: clashAmong(ports, all) });
  assert.deepEqual(standing, {
    status: 'False',
    reason: 'AddressingDiffers',
    message: 'subnet v4 has addressing blocks by PodSubnet z, and ports by this one: write the same spec.addressing in both',
  });
  assert.equal(clashAmong(ports, [newer, branch]), undefined, 'an interface for one Pod has the addresses it was made with');
});

test('an instance takes fewer interfaces than its cloud would let it, for as long as somebody says so: a word of it is heeded at the next pass', async () => {
  const one = bench();
  const instance = one.cloud.launch('i-1', one.cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  one.cloud.addSubnet('subnet-b', '10.20.1.0/24');
  one.subnets = ['a', 'b'].map((name) => subnet(name, { cloudSubnet: `subnet-${name}`, useFirstNic: false, warm: { spare: 0 } }));
  let most: number | undefined = 2;
  const running = await one.controller({ nicsPerInstance: () => most });
  const waiting = ['a', 'b'].map((name) => ({ subnet: name, inUse: 0, cooling: 0, waiting: 1 }));
  await one.networks.writeSpec('n1', { instance, demand: waiting, returned: [] });
  await one.clock.advance(20_000);
  const served = async () => (await one.status()).nics.filter(({ blocks }) => blocks.length > 0).map((nic) => nic.subnet);
  const [only] = await served();
  assert.equal((await served()).length, 1);
  const stopped = (await one.status()).growth.find(({ stoppedBy }) => stoppedBy === 'instance');
  assert.match(stopped?.text ?? '', /is full: 2 of 2 interfaces attached/);
  assert.notEqual(stopped?.subnet, only);
  // Long before everything is read again.
  most = undefined;
  running.wake('n1');
  await one.clock.advance(20_000);
  assert.equal((await served()).length, 2);
  await running.stop();
});

test('blocks are refused in files where they overlap, and where the cloud chooses the addresses', () => {
  const what = (one: ReturnType<typeof pods>): string[] => checkSubnet(one).map(({ path, what: text }) => `${path.join('.')}: ${text}`);
  assert.deepEqual(what(pods('a', [first])), []);
  assert.deepEqual(what(pods('a', [first], { datapath: 'nic' })), [
    'spec.within: does not go with datapath nic: the cloud chooses the addresses of interfaces',
  ]);
  assert.deepEqual(what(pods('a', [first], { families: [6] })), ['spec.within: bounds IPv4 addresses, which this subnet does not give']);
  const together = (...all: ReturnType<typeof pods>[]): string[] =>
    checkTogether(all).map(({ object, what: text }) => `${object.metadata.name}: ${text}`);
  assert.deepEqual(together(pods('a', [first]), pods('b', [second])), []);
  assert.deepEqual(together(pods('a', [first]), pods('b', [first], { cloudSubnet: 'subnet-b' })), []);
  assert.deepEqual(together(pods('a', [first]), pods('b', [second, '10.20.0.64/27'])), [
    'b: 10.20.0.64/28 of subnet-a is in the blocks of PodSubnet a too (spec.within)',
  ]);
  const whole = subnet('whole', { cloudSubnet: 'subnet-a' });
  assert.deepEqual(together(whole, pods('b', [second])), [
    'b: 10.20.0.128/27 of subnet-a is in the blocks of PodSubnet whole too (spec.within)',
  ]);
  assert.throws(() => pods('a', ['2001:db8::/64']), /no IPv4 block/);
});

test('all that lies outside of the blocks is excluded, and nothing of them', () => {
  const outside = outside4([first, second, parseCidr('0.0.0.0/8'), parseCidr('255.255.255.255/32')]);
  const size = outside.reduce((sum, block) => sum + 2 ** (32 - Number(block.split('/')[1])), 0);
  assert.equal(size, 2 ** 32 - 16 - 32 - 2 ** 24 - 1);
  const excluded = excludedOf(pods('a', [first], { exclude: ['10.20.0.70'] }).spec);
  const isExcluded = (offset: number): boolean =>
    excluded.some((block) => containsCidr(block, hostCidr(addressAt(parseCidr('10.20.0.0/24'), offset))));
  assert.deepEqual([63, 64, 69, 70, 71, 79, 80].map(isExcluded), [true, false, false, true, false, false, true]);
});

test('a block is shared also where the cloud subnet is one of several, or of a pair of OpenStack', () => {
  const has = (spec: Record<string, unknown>): ReturnType<typeof pods> => subnet('b', spec);
  const a = pods('a', [first], { cloudSubnet: 'v4+v6' });
  const clash = /^10\.20\.0\.64\/28 of v4 is in the blocks of PodSubnet a too/;
  assert.match(takenBefore(has({ cloudSubnet: 'v4' }), [a]) ?? '', clash);
  assert.match(takenBefore(has({ cloudSubnets: { ids: ['other', 'v4+v6'] } }), [a]) ?? '', clash);
  assert.equal(takenBefore(has({ cloudSubnets: { ids: ['other', 'v4-2+v6'] } }), [a]), undefined, 'the blocks are of IPv4');
});

test('what is excluded of a block need not be more than two of them share', () => {
  const [large, small] = [pods('large', ['10.20.0.64/26']), pods('small', ['10.20.0.64/28'])];
  const excluding = (block: string) => pods('large', ['10.20.0.64/26'], { exclude: [block] });
  assert.match(takenBefore(large, [small]) ?? '', /^10\.20\.0\.64\/28 of subnet-a/, 'what both have, and no more');
  assert.deepEqual(
    [takenBefore(excluding('10.20.0.64/28'), [small]), takenBefore(small, [excluding('10.20.0.64/28')])],
    [undefined, undefined],
  );
  assert.match(takenBefore(small, [excluding('10.20.0.64/29')]) ?? '', /^10\.20\.0\.64\/28/, 'half of it is shared still');
});

test('a PodSubnet that names its cloud subnets by tags shares those that it has now with others, or has none of their blocks', () => {
  const tagged = subnet('tagged', { cloudSubnets: { tags: { role: 'pods' } } });
  const own = pods('own', [first]);
  const having = (ids: string[], created?: string) => {
    const one = stored(tagged, created);
    return { ...one, status: { ...one.status, cloudSubnets: ids } };
  };
  const later = '2026-01-02T00:00:00Z';
  const text = '10.20.0.64/28 of subnet-a is in the blocks of PodSubnet';
  assert.match(clashAmong(own, [having(['subnet-b', 'subnet-a']), stored(own, later)])?.text ?? '', new RegExp(`^${text} tagged too`));
  assert.match(clashAmong(tagged, [having(['subnet-a'], later), stored(own)])?.text ?? '', new RegExp(`^${text} own too`));
  assert.equal(clashAmong(own, [having(['subnet-b']), stored(own, later)]), undefined, 'it lies in none of those');
});

test('a NIC that is made for a claim is asked for with the blocks of its PodSubnet, by value or without: one of these may be its own address', async () => {
  await using b = clusterBench();
  const asked: CreateNic['want'][] = [];
  const createNic = b.cloud.createNic.bind(b.cloud);
  b.cloud.createNic = (request) => {
    asked.push(request.want);
    if (asked.length === 1)
      return Promise.reject(failure('cloudConflict', { cloud: 'memory', call: 'createNic', object: 'a', text: 'no' }));
    return createNic(request);
  };
  b.subnets = [pods('pods', [first], { default: true })];
  b.addNode('n1');
  await b.lead();
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': '10.20.0.77' });
  await b.pass(60_000);
  assert.equal(b.addressOf('db-0'), '10.20.0.77');
  assert.deepEqual(asked, [{ these: ['10.20.0.77/32'], within: [first] }, { within: [first] }]);
});
