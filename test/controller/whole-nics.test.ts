/** PodSubnets whose Pods have whole interfaces, or interfaces with several Ethernet addresses: what is made, told, taken back, and said when it cannot be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitsOf } from '../../src/controller/cluster/node-limits.ts';
import { notesOf } from '../../src/controller/notes.ts';
import { tagsFor } from '../../src/controller/tags.ts';
import { tagsForUse } from '../../src/controller/uses.ts';
import type { CloudNic } from '../../src/cloud/cloud.ts';
import { failure } from '../../src/errors/failure.ts';
import { hostCidr } from '../../src/net/cidr.ts';
import { clusterBench } from './cluster-bench.ts';
import { agent, bench, demand, subnet } from './harness.ts';

const roomy = { nics: 8, addressSlotsPerNic: 4, branches: 6 };
const lonely = (datapath: 'nic' | 'branch', more: Record<string, unknown> = {}) =>
  subnet('pods', { cloudSubnet: 'subnet-a', default: true, datapath, warm: { spare: 0 }, ...more });

test('with datapath nic each Pod that waits has an interface made, and its primary addresses are what the Pod gets', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6: '2001:db8::/64' }), roomy);
  const config = lonely('nic', { families: [4, 6], securityGroups: ['sg-pods'] });
  const running = await controller({ subnets: () => [config] });
  const node = await agent(networks, instance, config);
  await node.want(3);
  await clock.advance(10_000);
  assert.deepEqual(changes().toSorted(), ['attachNic', 'attachNic', 'attachNic', 'createNic', 'createNic', 'createNic']);
  const { nics } = await status();
  const [first, ...others] = nics;
  assert.equal(first?.subnet, undefined, 'the first interface stays with the node');
  assert.deepEqual(
    others.map(({ use, subnet: of, deviceIndex }) => [use, of, deviceIndex]),
    [1, 2, 3].map((index) => ['pod', 'pods', index]),
  );
  for (const { blocks, primary4, primary6 } of others) {
    assert.ok(primary4 !== undefined && primary6 !== undefined);
    assert.deepEqual(blocks, [hostCidr(primary4), hostCidr(primary6)]);
  }
  const made = cloud.truth().slice(1);
  for (const { tags, securityGroups, blocks } of made) {
    assert.equal(tags['flatpod.dev/use'], 'pod');
    assert.deepEqual([securityGroups, blocks], [['sg-pods'], []]);
  }
  assert.deepEqual(new Set(node.leases.flatMap(({ nic }) => nic)).size, 3);
  assert.deepEqual(notesOf(await status())?.intents, []);
  node.stop();
  await running.stop();
});

for (const datapath of ['nic', 'branch'] as const) {
  test(`with datapath ${datapath} spare interfaces are kept, and those beyond go by the handshake, the ones in use never`, async () => {
    const { clock, cloud, networks, controller, status } = bench();
    const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6: '2001:db8::/64' }), roomy);
    const config = lonely(datapath, { families: [4, 6], warm: { spare: 1 } });
    const running = await controller({ subnets: () => [config] });
    const node = await agent(networks, instance, config);
    const whole = async () => (await status()).nics.filter(({ use }) => use === 'pod');
    await clock.advance(5000);
    assert.equal((await whole()).length, 1, 'a spare one');
    await node.want(4);
    await clock.advance(10_000);
    assert.equal(node.leases.length, 4);
    assert.equal((await whole()).length, 5);
    const [stays] = node.leases;
    assert.ok(stays);
    await node.keep((pod) => pod === stays);
    await clock.advance(20_000);
    assert.equal((await whole()).length, 5, 'an interface younger than a minute stays');
    await clock.advance(300_000);
    const left = await whole();
    assert.ok(
      left.some(({ id }) => id === stays.nic),
      'what is in use stays',
    );
    // Between spare and twice spare nothing moves.
    assert.equal(left.length, 3);
    const truth = cloud.truth().filter(({ tags }) => tags['flatpod.dev/use'] === (datapath === 'nic' ? 'pod' : 'branch'));
    assert.deepEqual(truth.map(({ id }) => id).toSorted(), left.map(({ id }) => id).toSorted(), 'nothing is left in the cloud');
    node.stop();
    await running.stop();
  });

  test(`with datapath ${datapath} the ceiling of the node counts interfaces`, async () => {
    const { clock, cloud, networks, controller, status } = bench();
    const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
    const config = lonely(datapath, { perNode: { maximum: 2 } });
    const running = await controller({ subnets: () => [config] });
    await demand(networks, instance, { waiting: 5 });
    await clock.advance(20_000);
    const { nics, growth } = await status();
    assert.equal(nics.filter(({ use }) => use === 'pod').length, 2);
    assert.deepEqual(growth, [
      { subnet: 'pods', stoppedBy: 'ceiling', text: 'this node holds 2 of at most 2 addresses of pods (perNode.maximum)' },
    ]);
    await running.stop();
  });

  test(`with datapath ${datapath} a node that leaves gives all of them back, and the trunk`, async () => {
    const { clock, cloud, networks, controller, status } = bench();
    const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
    const running = await controller({ subnets: () => [lonely(datapath)] });
    await demand(networks, instance, { waiting: 3 });
    await clock.advance(20_000);
    const blocks = (await status()).nics.filter(({ use }) => use === 'pod').flatMap((nic) => nic.blocks);
    assert.equal(blocks.length, 3);
    await demand(networks, instance, {}, { draining: 'x', returned: blocks });
    await clock.advance(20_000);
    assert.equal(cloud.truth().length, 1);
    assert.deepEqual([(await status()).nics.length, (await status()).settled], [1, 'x']);
    await running.stop();
  });
}

test('a full instance is told with what datapath nic needs', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { nics: 3 });
  const running = await controller({ subnets: () => [lonely('nic')] });
  await demand(networks, instance, { waiting: 5 });
  await clock.advance(20_000);
  const { growth, nics } = await status();
  assert.equal(nics.length, 3);
  assert.deepEqual(growth, [
    {
      subnet: 'pods',
      stoppedBy: 'instance',
      text: 'instance type t.test is full: 3 of 3 interfaces attached; with datapath nic each Pod needs one, 3 more wanted',
    },
  ]);
  await running.stop();
});

test('branches hang on one trunk, made when the first is wanted, with a tag of its own each; PodSubnets share it', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  cloud.addSubnet('subnet-b', '10.20.1.0/24');
  const subnets = [lonely('branch'), subnet('others', { cloudSubnet: 'subnet-b', datapath: 'branch', warm: { spare: 0 } })];
  const running = await controller({ subnets: () => subnets });
  await clock.advance(5000);
  await networks.writeSpec('n1', {
    instance,
    returned: [],
    demand: ['pods', 'others'].map((name) => ({ subnet: name, inUse: 0, cooling: 0, waiting: 2 })),
  });
  await clock.advance(20_000);
  const { nics } = await status();
  const [trunk, ...more] = nics.filter(({ use }) => use === 'trunk');
  assert.deepEqual([more.length, trunk?.subnet, trunk?.blocks, trunk?.deviceIndex], [0, undefined, [], 1]);
  const branches = nics.filter((nic) => nic.trunk !== undefined);
  assert.deepEqual(
    branches.map(({ use, trunk: at, deviceIndex }) => [use, at?.nic, at?.vlan, deviceIndex]),
    [2, 3, 4, 5].map((vlan) => ['pod', trunk?.id, vlan, 1]),
  );
  assert.equal(branches.filter(({ subnet: of }) => of === 'pods').length, 2);
  assert.equal(cloud.truth().filter(({ isTrunk }) => isTrunk === true).length, 1);
  await running.stop();
});

test('an instance that was born with a trunk needs no other', async () => {
  const { clock, cloud, networks, controller, status, changes } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { ...roomy, nics: 1 });
  const [first] = cloud.truth();
  assert.ok(first);
  cloud.makeTrunk(first.id);
  const running = await controller({ subnets: () => [lonely('branch')] });
  await demand(networks, instance, { waiting: 2 });
  await clock.advance(20_000);
  assert.deepEqual(changes().toSorted(), ['attachBranch', 'attachBranch', 'createNic', 'createNic']);
  const { nics } = await status();
  assert.deepEqual(
    nics.map(({ use, trunk }) => [use, trunk?.nic]),
    [[undefined, undefined], ...[1, 2].map(() => ['pod', first.id])],
  );
  await running.stop();
});

test('a trunk that somebody else plugged in carries no branch of ours: one of our own is made, and where that has no place it is said', async () => {
  for (const [nics, made] of [
    [3, 1],
    [2, 0],
  ] as const) {
    const { clock, cloud, networks, controller, status } = bench();
    const id = cloud.addSubnet('subnet-a', '10.20.0.0/24');
    const instance = cloud.launch('i-1', id, { ...roomy, nics });
    const theirs = await cloud.createNic({
      clientToken: 'theirs',
      description: '',
      subnet: id,
      securityGroups: [],
      tags: {},
      isTrunk: true,
    });
    await cloud.attachNic(theirs.id, instance, 1);
    const running = await controller({ subnets: () => [lonely('branch')] });
    await demand(networks, instance, { waiting: 2 });
    await clock.advance(20_000);
    const found = cloud.truth();
    assert.equal(found.filter((nic) => nic.isTrunk === true && nic.id !== theirs.id).length, made);
    assert.deepEqual(
      found.flatMap(({ branch }) => (branch === undefined ? [] : [branch.trunk === theirs.id])),
      Array.from({ length: 2 * made }, () => false),
    );
    const { nics: granted, growth } = await status();
    assert.equal(granted.filter(({ use }) => use === 'pod').length, 2 * made);
    assert.deepEqual(
      growth.map(({ stoppedBy }) => stoppedBy),
      [made === 0 ? 'instance' : 'none'],
    );
    await running.stop();
  }
});

test('branches of ours that hang on somebody else’s trunk count for nothing and go by the handshake: Pods that have one all the same keep it', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const id = cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const instance = cloud.launch('i-1', id, roomy);
  const made = { description: '', subnet: id, securityGroups: [] };
  const theirs = await cloud.createNic({ ...made, clientToken: 'theirs', tags: {}, isTrunk: true });
  await cloud.attachNic(theirs.id, instance, 1);
  for (const vlan of [2, 3]) {
    const tags = { ...tagsFor('test', 'n1', 'pods', `ours-${vlan}`), ...tagsForUse('branch') };
    const { id: branch } = await cloud.createNic({ ...made, clientToken: `ours-${vlan}`, tags });
    await cloud.attachBranch(branch, theirs.id, vlan);
  }
  const running = await controller({ subnets: () => [lonely('branch')] });
  await demand(networks, instance, { waiting: 2 });
  await clock.advance(20_000);
  const { nics } = await status();
  const [trunk] = nics.filter(({ use }) => use === 'trunk');
  assert.ok(trunk !== undefined && trunk.id !== theirs.id);
  assert.equal(nics.filter(({ trunk: at }) => at?.nic === trunk.id).length, 2, 'what waits is served beside them');
  const [used, unused] = nics.filter(({ trunk: at }) => at?.nic === theirs.id);
  assert.ok(used !== undefined && unused !== undefined);
  assert.deepEqual([used.reclaiming, unused.reclaiming], [used.blocks, unused.blocks]);
  await demand(networks, instance, { inUse: 3 }, { returned: unused.blocks });
  await clock.advance(400_000);
  const left = cloud.truth().filter(({ branch }) => branch?.trunk === theirs.id);
  assert.deepEqual(
    left.map((nic) => nic.id),
    [used.id],
  );
  assert.ok(cloud.truth().some((nic) => nic.id === theirs.id));
  await running.stop();
});

test('a trunk of ours whose tags somebody took away carries its branches as before: none is asked back while there are Pods', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  let isBare = false;
  const untagged = async (query: Parameters<typeof cloud.nics>[0]): Promise<CloudNic[]> =>
    (await cloud.nics(query)).map((nic) => (isBare && nic.isTrunk === true ? { ...nic, tags: {} } : nic));
  const running = await controller({ subnets: () => [lonely('branch')], cloud: { ...cloud, nics: untagged } });
  await demand(networks, instance, { waiting: 2 });
  await clock.advance(20_000);
  const { nics: before } = await status();
  await demand(networks, instance, { inUse: 2 });
  isBare = true;
  await clock.advance(600_000);
  assert.deepEqual((await status()).nics, before);
  assert.equal(cloud.truth().filter(({ branch }) => branch !== undefined).length, 2);
  await running.stop();
});

test('what stops branches is told: a type without any, no interface left for a trunk, as many as there may be', async () => {
  for (const [limits, text] of [
    [{ nics: 4 }, 'instance type t.test takes no branches, which datapath branch needs: use another type, or another datapath'],
    [
      { nics: 1, branches: 4 },
      'instance type t.test is full: 1 of 1 interfaces attached, none is left for a trunk; with datapath branch each Pod needs one, 5 more wanted',
    ],
    [
      { nics: 4, branches: 4 },
      'instance type t.test is full: 4 of 4 branches attached; with datapath branch each Pod needs one, 1 more wanted',
    ],
  ] as const) {
    const { clock, cloud, networks, controller, status } = bench();
    const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), limits);
    const running = await controller({ subnets: () => [lonely('branch')] });
    await demand(networks, instance, { waiting: 5 });
    await clock.advance(20_000);
    assert.deepEqual((await status()).growth, [{ subnet: 'pods', stoppedBy: 'instance', text }]);
    await running.stop();
  }
});

test('a trunk that nothing needs any more goes, and one that carries a branch stays', async () => {
  const { clock, cloud, networks, controller } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const config = lonely('branch');
  let subnets = [config];
  const running = await controller({ subnets: () => subnets });
  const node = await agent(networks, instance, config);
  await node.want(1);
  await clock.advance(200_000);
  assert.equal(node.leases.length, 1);
  subnets = [];
  await clock.advance(400_000);
  assert.equal(cloud.truth().length, 3, 'the branch in use keeps its trunk');
  await node.want(0);
  await clock.advance(600_000);
  assert.equal(cloud.truth().length, 1);
  node.stop();
  await running.stop();
});

test('a trunk that was pulled out is plugged in again, with its branches', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const running = await controller({ subnets: () => [lonely('branch')] });
  await demand(networks, instance, { waiting: 2 });
  await clock.advance(20_000);
  const trunk = cloud.truth().find(({ isTrunk }) => isTrunk === true);
  assert.ok(trunk);
  cloud.pull(trunk.id);
  await clock.advance(600_000);
  assert.equal((await status()).nics.filter((nic) => nic.trunk !== undefined).length, 2);
  assert.equal(cloud.truth().filter(({ isTrunk }) => isTrunk === true).length, 1);
  await running.stop();
});

test('macvlan uses only interfaces that let further Ethernet addresses out: the node’s own does not, so another is made', async () => {
  const { clock, cloud, networks, controller, status } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  const config = subnet('pods', { cloudSubnet: 'subnet-a', datapath: 'macvlan', warm: { spare: 0 } });
  const running = await controller({ subnets: () => [config] });
  const node = await agent(networks, instance, config);
  await node.want(2);
  await clock.advance(10_000);
  const { nics } = await status();
  assert.deepEqual(
    nics.map(({ multiMac, subnet: of, blocks, use }) => [multiMac, of, blocks.length, use]),
    [
      [undefined, undefined, 0, undefined],
      [true, 'pods', 2, undefined],
    ],
  );
  assert.equal(node.leases.length, 2);
  node.stop();
  await running.stop();
});

test('a cloud that refuses what a datapath needs is quoted, with what for', async () => {
  for (const [datapath, words] of [
    ['macvlan', /^pods needs an interface behind which there may be further Ethernet addresses .*for datapath macvlan.*: .*policy says no/],
    ['branch', /^pods needs a trunk \(for datapath branch\): .*policy says no/],
  ] as const) {
    const { clock, cloud, networks, controller, status, changes } = bench();
    const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
    cloud.fault = ({ name }) =>
      name === 'createNic' ? failure('cloudDenied', { cloud: 'memory', call: name, text: 'policy says no' }) : 'none';
    const config = subnet('pods', { cloudSubnet: 'subnet-a', datapath, warm: { spare: 0 } });
    const running = await controller({ subnets: () => [config] });
    await demand(networks, instance, { waiting: 2 });
    await clock.advance(300_000);
    const [growth] = (await status()).growth;
    assert.equal(growth?.stoppedBy, 'cloud');
    assert.match(growth?.text ?? '', words);
    assert.ok(changes().length < 12, `${changes().length} calls`);
    await running.stop();
  }
});

test('an address of one’s own cannot be had where the cloud chooses each interface’s, and the Pod is told', async () => {
  await using b = clusterBench();
  b.subnets = [lonely('nic')];
  b.addNode('n1');
  await b.lead();
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': 'fixed' });
  await b.pass(5000);
  assert.equal(b.addressOf('db-0'), undefined);
  assert.match(b.problemOf('db-0') ?? '', /pods: with datapath nic its Pods have the address that the cloud gives their interface/);
  assert.equal(b.cloud.truth().length, 1, 'nothing is made for it');
});

test('the scheduler is told how many Pods a node can hold: as many as interfaces, or branches, are left', async () => {
  for (const [datapath, limit] of [
    ['nic', 3],
    ['branch', 6],
  ] as const) {
    const { clock, cloud, networks, controller } = bench();
    const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), { ...roomy, nics: 4 });
    const seen: (number | undefined)[] = [];
    const running = await controller({
      subnets: () => [lonely(datapath)],
      observe: (situation, plan) => seen.push(limitsOf(situation, plan).get('pods')?.limit),
    });
    await demand(networks, instance, {});
    await clock.advance(5000);
    assert.equal(seen.at(-1), limit);
    await demand(networks, instance, { waiting: 2 });
    await clock.advance(20_000);
    assert.equal(seen.at(-1), limit, 'those that it has count too');
    await running.stop();
  }
});

test('a PodSubnet whose datapath is changed has its interfaces exchanged, those in use last', async () => {
  const { clock, cloud, networks, controller } = bench();
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), roomy);
  const before = subnet('pods', { cloudSubnet: 'subnet-a', datapath: 'routed-veth', warm: { spare: 0 } });
  let subnets = [before];
  const running = await controller({ subnets: () => subnets });
  const node = await agent(networks, instance, before);
  await node.want(2);
  await clock.advance(5000);
  assert.equal(node.leases.length, 2);
  subnets = [lonely('nic')];
  await clock.advance(400_000);
  assert.equal(cloud.truth()[0]?.blocks.length, 2, 'Pods are using them');
  await node.want(0);
  await clock.advance(100_000);
  assert.deepEqual(cloud.truth()[0]?.blocks, []);
  await node.want(2);
  await clock.advance(20_000);
  assert.deepEqual(
    cloud.truth().map(({ tags }) => tags['flatpod.dev/use']),
    [undefined, 'pod', 'pod'],
  );
  node.stop();
  await running.stop();
});
