/** A PodSubnet with several subnets of the cloud: by tags or by ids, the one with the most free addresses first, the next when that is full. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudNic, SubnetId } from '../../src/cloud/cloud.ts';
import { idsNamed } from '../../src/cloud/named.ts';
import type { Fault } from '../cloud/memory-cloud.ts';
import { agent, type Bench, bench, subnet } from './harness.ts';
import { underFault } from './under-fault.ts';

const tags = { role: 'pods' };
const small = { nics: 4, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4 };

/** The first interface is in a subnet of its own, which no Pod uses. */
function site(): Bench & { launch: () => ReturnType<Bench['cloud']['launch']>; furtherNics: () => CloudNic[] } {
  const b = bench();
  const nodes = b.cloud.addSubnet('subnet-nodes', '10.20.9.0/24');
  return {
    ...b,
    launch: () => b.cloud.launch('i-1', nodes, small),
    furtherNics: () => b.cloud.truth().filter(({ subnet: where }) => where !== nodes),
  };
}

async function served(b: Bench, node: { leases: readonly unknown[] }, pods: number): Promise<void> {
  for (let turn = 0; turn < 200 && node.leases.length < pods; turn++) await b.clock.advance(100);
  assert.equal(node.leases.length, pods, b.lines.join('\n'));
}

test('a new interface goes to the subnet of the zone that has the tags and the most free addresses', async () => {
  const b = site();
  b.cloud.tagSubnet(b.cloud.addSubnet('subnet-small', '10.20.0.0/28'), tags);
  b.cloud.tagSubnet(b.cloud.addSubnet('subnet-large', '10.20.1.0/24'), tags);
  b.cloud.tagSubnet(b.cloud.addSubnet('subnet-far', '10.20.2.0/23', { zone: 'b' }), tags);
  b.cloud.addSubnet('subnet-untagged', '10.20.4.0/23');
  const config = subnet('pods', { cloudSubnets: { tags }, default: true, warm: { spare: 0 } });
  const running = await b.controller({ subnets: () => [config] });
  const node = await agent(b.networks, b.launch(), config);
  await node.want(5);
  await served(b, node, 5);
  assert.deepEqual(new Set(b.furtherNics().map(({ subnet: where }) => where)), new Set(['subnet-large']));
  node.stop();
  await running.stop();
});

test('when it is full the next one is used, and when all are the Pod is told so; none is asked twice in a row', async () => {
  const b = site();
  // Three addresses each, as the cloud keeps five for itself: an interface takes one and brings two.
  const ids = ['subnet-a', 'subnet-b'].map((id, i) => b.cloud.addSubnet(id, `10.20.${i}.0/29`));
  const config = subnet('pods', { cloudSubnets: { ids }, default: true, warm: { spare: 0 } });
  const running = await b.controller({ subnets: () => [config] });
  const node = await agent(b.networks, b.launch(), config);
  await node.want(12);
  await b.clock.advance(20_000);
  const used = Map.groupBy(b.furtherNics(), ({ subnet: where }) => where);
  assert.deepEqual([...used.keys()].toSorted(), ids);
  const [growth] = (await b.status()).growth;
  assert.deepEqual([node.leases.length, growth?.stoppedBy], [4, 'subnet']);
  assert.match(growth?.text ?? '', /^all 2 subnets in zone a are full \(subnet-[ab], subnet-[ab]\): /);
  const refused = b.changes().length;
  await b.clock.advance(20_000);
  assert.equal(b.changes().length, refused, 'a full subnet is left alone for minutes');
  node.stop();
  await running.stop();
});

test('a subnet that gets the tags later is used, and one that loses them gets no further interface but keeps its Pods', async () => {
  const b = site();
  const [first, second] = [b.cloud.addSubnet('subnet-a', '10.20.0.0/24'), b.cloud.addSubnet('subnet-b', '10.20.1.0/24')];
  const config = subnet('pods', { cloudSubnets: { tags }, default: true, warm: { spare: 0 } });
  const running = await b.controller({ subnets: () => [config], timings: { fullRead_ms: 5000 } });
  const node = await agent(b.networks, b.launch(), config);
  await node.want(2);
  await b.clock.advance(10_000);
  assert.match(
    (await b.status()).growth[0]?.text ?? '',
    /^of 0 subnets that the cloud has of PodSubnet pods \(those with role=pods\) none in zone a/,
  );
  b.cloud.tagSubnet(first, tags);
  await b.clock.advance(10_000);
  assert.equal(node.leases.length, 2);
  assert.deepEqual(
    b.furtherNics().map(({ subnet: where }) => where),
    [first],
  );

  b.cloud.tagSubnet(first, {});
  b.cloud.tagSubnet(second, tags);
  await b.clock.advance(10_000);
  const before = node.leases.flatMap(({ addresses }) => addresses);
  await node.want(7);
  await b.clock.advance(20_000);
  assert.deepEqual(
    node.leases.slice(0, 2).flatMap(({ addresses }) => addresses),
    before,
  );
  const used = b.furtherNics().map(({ subnet: where }): SubnetId => where);
  assert.deepEqual([used.filter((one) => one === first).length, used.includes(second), node.leases.length], [1, true, 7]);
  node.stop();
  await running.stop();
});

test('a cloud without tags on subnets says so in the status, and serves its other PodSubnets', async () => {
  const b = site();
  b.cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const cloud = { ...b.cloud, subnets: async (named: Parameters<typeof b.cloud.subnets>[0]) => b.cloud.subnets(idsNamed(named, 'memory')) };
  const config = subnet('pods', { cloudSubnet: 'subnet-a', default: true });
  const byTags = subnet('tagged', { cloudSubnets: { tags } });
  const running = await b.controller({ subnets: () => [config, byTags], cloud });
  const instance = b.launch();
  const demand = { inUse: 0, cooling: 0, waiting: 1 };
  await b.networks.writeSpec('n1', { instance, demand: ['pods', 'tagged'].map((name) => ({ subnet: name, ...demand })), returned: [] });
  await b.clock.advance(10_000);
  const { growth, nics } = await b.status();
  assert.match(
    growth.find((one) => one.subnet === 'tagged')?.text ?? '',
    /cannot be found by the tags role=pods: name them by spec\.cloudSubnets\.ids/,
  );
  assert.ok(nics.some((nic) => nic.subnet === 'pods' && nic.blocks.length > 0));
  await running.stop();
});

/** Two Pods fill each subnet: the fourth Pod has to go to the second one. Answers with the numbers of the changing calls. */
async function withFault(at: number, fault: Fault): Promise<number[]> {
  const b = site();
  for (const [i, id] of ['subnet-a', 'subnet-b'].entries()) b.cloud.tagSubnet(b.cloud.addSubnet(id, `10.20.${i}.0/29`), tags);
  const config = subnet('pods', { cloudSubnets: { tags }, default: true, warm: { spare: 0 } });
  const instance = b.launch();
  const { live, stop } = await underFault(
    b,
    { at, fault },
    () => [config],
    () => undefined,
  );
  const node = await agent(b.networks, instance, config);
  await node.want(4);
  await live(180_000);
  const what = `call ${at}: ${String(fault)}`;
  assert.equal(new Set(node.leases.flatMap(({ addresses }) => addresses)).size, 4, `${what}\n${b.lines.slice(-9).join('\n')}`);
  await node.want(0);
  await live(300_000);
  assert.deepEqual(b.furtherNics(), [], what);
  node.stop();
  await stop();
  return b.cloud.calls.filter(({ changing }) => changing).map(({ number }) => number);
}

test('two subnets of which each is too small: a fault at any change leaves no Pod without an address, and nothing behind', async () => {
  const changes = await withFault(-1, 'none');
  assert.ok(changes.length > 8, `${changes.length} changing calls`);
  for (const at of changes) for (const fault of ['loseAnswer', 'dieBefore'] as const) await withFault(at, fault);
});

test('perNode.interfaces is the most interfaces that a node holds for the PodSubnet, its first among them, and the Pod is told so', async () => {
  const b = bench();
  const nodes = b.cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const config = subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 0 }, perNode: { interfaces: 2 } });
  const running = await b.controller({ subnets: () => [config] });
  const node = await agent(b.networks, b.cloud.launch('i-1', nodes, small), config);
  await node.want(9);
  await b.clock.advance(20_000);
  assert.equal(b.cloud.truth().length, 2);
  assert.equal(node.leases.length, 6);
  assert.deepEqual((await b.status()).growth, [
    {
      subnet: 'pods',
      stoppedBy: 'ceiling',
      text: 'this node may have 2 interfaces for pods (perNode.interfaces), and they are full; 3 more addresses wanted',
    },
  ]);
  await node.want(3);
  await b.clock.advance(600_000);
  assert.ok(b.cloud.truth().length <= 2);
  node.stop();
  await running.stop();
});
