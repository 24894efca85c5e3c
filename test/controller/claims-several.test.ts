/** IPClaims of a PodSubnet with several subnets of the cloud: an address is of one of them for good, and goes only where that one is. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { contains, parseCidr } from '../../src/net/cidr.ts';
import { parseIp } from '../../src/net/address.ts';
import { type ClusterBench, clusterBench } from './cluster-bench.ts';
import { subnet } from './harness.ts';

const fixed = { 'flatpod.dev/ip': 'fixed' };
const tags = { role: 'pods' };
const cidrs = { a1: '10.21.0.0/24', a2: '10.22.0.0/25', b1: '10.23.0.0/24' };

/** One PodSubnet with two subnets in zone a and one in b, and two nodes in a and one in b, whose first interfaces are elsewhere. */
async function benchFor(t: TestContext, spec: object = {}, first: Partial<typeof cidrs> = {}, limits = {}): Promise<ClusterBench> {
  const b = clusterBench();
  t.after(() => b[Symbol.asyncDispose]());
  const of = { ...cidrs, ...first };
  for (const [i, [id, cidr4]] of Object.entries(of).entries())
    b.cloud.tagSubnet(b.cloud.addSubnet(id, cidr4, { zone: id.slice(0, 1), cidr6: `2001:db8:${i + 1}::/64` }), tags);
  b.cloud.addSubnet('nodes-b', '10.24.0.0/24', { zone: 'b' });
  b.subnets = [subnet('pods', { cloudSubnets: { tags }, default: true, warm: { spare: 0 }, ...spec })];
  b.addNode('n1', 'subnet-a', limits);
  b.addNode('n2', 'subnet-a', limits);
  b.addNode('n3', 'nodes-b', limits, 'b');
  await b.lead();
  return b;
}

/** The subnet of the cloud with the address, as the interface has it on which it is. */
function whereIs(b: ClusterBench, address: string | undefined): string | undefined {
  return b.cloud.truth().find(({ blocks }) => blocks.some((block) => block === `${address}/32` || block === `${address}/128`))?.subnet;
}

async function attached(b: ClusterBench, pod: string): Promise<string> {
  for (let turn = 0; turn < 300 && b.addressOf(pod) === undefined; turn++) await b.pass(200);
  const address = b.addressOf(pod);
  assert.ok(address !== undefined, `${pod}: ${b.problemOf(pod) ?? ''}\n${b.lines.slice(-15).join('\n')}`);
  return address;
}

async function recreated(b: ClusterBench, pod: string, node: string): Promise<void> {
  b.removePod(pod);
  await b.pass(1000);
  b.addPod(pod, node, fixed);
}

for (const [how, cloudSubnets] of [
  ['tags', { tags }],
  ['ids', { ids: Object.keys(cidrs) }],
] as const)
  test(`subnets by ${how}: a claim gets its address in its node's zone, and keeps it on every node of that zone`, async (t) => {
    const b = await benchFor(t, { cloudSubnets });
    b.addPod('db-0', 'n1', fixed);
    b.addPod('db-1', 'n3', fixed);
    const [one, two] = [await attached(b, 'db-0'), await attached(b, 'db-1')];
    assert.deepEqual([whereIs(b, one), whereIs(b, two)], ['a1', 'b1'], 'the one with the most free addresses of the zone');
    for (const node of ['n2', 'n1', 'n2']) {
      await recreated(b, 'db-0', node);
      assert.equal(await attached(b, 'db-0'), one);
      assert.equal(b.claim('db-0')?.status.addresses[0]?.node, node);
      assert.equal(whereIs(b, one), 'a1');
    }
  });

test('an address goes to an interface in its own subnet, though the node has one with room in another subnet of the zone', async (t) => {
  const b = await benchFor(t);
  b.addPod('web', 'n2', { 'flatpod.dev/ip': '10.22.0.77' });
  assert.equal(await attached(b, 'web'), '10.22.0.77');
  b.addPod('db-0', 'n1', fixed);
  const address = await attached(b, 'db-0');
  assert.equal(whereIs(b, address), 'a1');
  // On n2 there is an interface in a2 by now, which has room and cannot have it.
  await recreated(b, 'db-0', 'n2');
  assert.equal(await attached(b, 'db-0'), address);
  const on = b.cloud
    .truth()
    .filter(({ attachment, tags: of }) => attachment?.instance === b.instanceOf('n2') && of['flatpod.dev/subnet'] === 'pods');
  assert.deepEqual(on.map((nic) => nic.subnet).toSorted(), ['a1', 'a2']);
});

test('where the node has an interface already is where a new claim gets its address, as long as something is left there', async (t) => {
  const b = await benchFor(t);
  b.addPod('web', 'n1', { 'flatpod.dev/ip': '10.22.0.77' });
  await attached(b, 'web');
  b.addPod('db-0', 'n1', fixed);
  assert.equal(whereIs(b, await attached(b, 'db-0')), 'a2', 'though a1 has more free addresses');
});

test('a Pod that is made again in another zone is told which zone its address is of, and what to do; both of that help', async (t) => {
  const b = await benchFor(t);
  b.addPod('db-0', 'n1', fixed);
  const address = await attached(b, 'db-0');
  await recreated(b, 'db-0', 'n3');
  await b.pass(10_000);
  const why = b.problemOf('db-0') ?? '';
  assert.match(
    why,
    /^10\.21\.0\.\d+ of IPClaim shop\/db-0 cannot be had by Pod shop\/db-0 on node n3 \(FP252\): it is of cloud subnet a1 in zone a, and that node is in zone b; keep the Pod where/,
  );
  const [condition] = b.claim('db-0')?.status.conditions ?? [];
  assert.deepEqual([condition?.type, condition?.status], ['Ready', 'False']);
  assert.match(condition?.message ?? '', /cloud subnet a1 in zone a/);
  assert.equal(b.claim('db-0')?.status.addresses[0]?.address, address, 'it is kept');

  await recreated(b, 'db-0', 'n2');
  assert.equal(await attached(b, 'db-0'), address);

  await recreated(b, 'db-0', 'n3');
  await b.pass(5000);
  b.kube.remove({ ...resources.ipClaims, namespace: 'shop', name: 'db-0' });
  assert.equal(whereIs(b, await attached(b, 'db-0')), 'b1');
});

test('an address by value is asked for in the subnet that it lies in; of another zone, and of no subnet, it is refused with the reason', async (t) => {
  const b = await benchFor(t);
  b.addPod('near', 'n1', { 'flatpod.dev/ip': '10.22.0.99' });
  b.addPod('far', 'n1', { 'flatpod.dev/ip': '10.23.0.99' });
  b.addPod('none', 'n1', { 'flatpod.dev/ip': '10.99.0.99' });
  assert.equal(await attached(b, 'near'), '10.22.0.99');
  assert.equal(whereIs(b, '10.22.0.99'), 'a2');
  await b.pass(5000);
  assert.match(b.problemOf('far') ?? '', /^10\.23\.0\.99 .* \(FP252\): it is of cloud subnet b1 in zone b, and that node is in zone a/);
  assert.match(
    b.problemOf('none') ?? '',
    /^10\.99\.0\.99 .* \(FP252\): it is in none of the subnets that the cloud has of PodSubnet pods now \(those with role=pods\)/,
  );
});

test('a Pod with both families has both of one subnet, and takes both along', async (t) => {
  const b = await benchFor(t, { families: [4, 6] });
  for (const [pod, node] of [
    ['db-0', 'n1'],
    ['db-1', 'n3'],
    ['db-2', 'n2'],
  ] as const) {
    b.addPod(pod, node, fixed);
    await attached(b, pod);
    const [four, six] = b.addressesOf(pod);
    assert.equal(whereIs(b, four), whereIs(b, six));
  }
  const before = b.addressesOf('db-0');
  await recreated(b, 'db-0', 'n2');
  await attached(b, 'db-0');
  assert.deepEqual(b.addressesOf('db-0'), before);
});

test('when a subnet of the zone has no address left the next one serves new claims, and when none has all are named', async (t) => {
  // Three addresses each: an interface takes one.
  const b = await benchFor(t, {}, { a1: '10.21.0.0/29', a2: '10.22.0.0/29' });
  const names = ['db-0', 'db-1', 'db-2', 'db-3'];
  for (const name of names) {
    b.addPod(name, 'n1', fixed);
    await attached(b, name);
  }
  const used = names.map((name) => whereIs(b, b.addressOf(name)) ?? '');
  assert.deepEqual(used.toSorted(), ['a1', 'a1', 'a2', 'a2']);
  b.addPod('db-4', 'n1', fixed);
  await b.pass(15_000);
  assert.match(b.problemOf('db-4') ?? '', /\(FP250\): pods \(a[12]\): .*; pods \(a[12]\): /);
  b.removePod('db-1');
  b.kube.remove({ ...resources.ipClaims, namespace: 'shop', name: 'db-1' });
  await attached(b, 'db-4');
});

test("a workload's addresses are of several zones: each Pod has one of its own, and one that is free in another zone is no help", async (t) => {
  const b = await benchFor(t);
  b.addClaim('web', { podSelector: { matchLabels: { app: 'web' } }, count: 2 });
  const asks = { 'flatpod.dev/ip-claim': 'web' };
  b.addPod('web-1', 'n1', asks, { app: 'web' });
  b.addPod('web-2', 'n3', asks, { app: 'web' });
  const [one, two] = [await attached(b, 'web-1'), await attached(b, 'web-2')];
  assert.deepEqual([whereIs(b, one), whereIs(b, two)], ['a1', 'b1']);
  b.removePod('web-2');
  await b.pass(2000);
  b.addPod('web-3', 'n2', asks, { app: 'web' });
  await b.pass(5000);
  assert.match(
    b.problemOf('web-3') ?? '',
    /^10\.23\.0\.\d+ of IPClaim shop\/web cannot be had by Pod shop\/web-3 on node n2 \(FP252\): .* zone b/,
  );
  b.removePod('web-3');
  b.addPod('web-4', 'n3', asks, { app: 'web' });
  assert.equal(await attached(b, 'web-4'), two);
});

test('a subnet that loses its tags gets no further interface: Pods where it has one keep their addresses, also with another controller', async (t) => {
  const b = await benchFor(t);
  b.addPod('db-0', 'n1', fixed);
  const address = await attached(b, 'db-0');
  b.cloud.tagSubnet('a1' as never, {});
  await b.pass(400_000);
  await b.lead();
  await b.pass(5000);
  assert.equal(b.addressOf('db-0'), address);
  assert.equal(b.problemOf('db-0'), undefined);
  await recreated(b, 'db-0', 'n1');
  assert.equal(await attached(b, 'db-0'), address);
  await recreated(b, 'db-0', 'n2');
  await b.pass(5000);
  assert.match(b.problemOf('db-0') ?? '', /\(FP252\): it is in none of the subnets that the cloud has of PodSubnet pods now/);
  b.addPod('db-1', 'n2', fixed);
  const other = await attached(b, 'db-1');
  assert.ok(contains(parseCidr(cidrs.a2), parseIp(other)));
});

test('an address by value that nobody can have is refused when an interface is made for it: the Pod is told, and other Pods get theirs', async (t) => {
  const b = await benchFor(t);
  b.addPod('web', 'n2', { 'flatpod.dev/ip': '10.22.0.77' });
  await attached(b, 'web');
  const own = b.cloud.truth().find(({ subnet: where }) => where === 'a2')?.primary4;
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': own ?? '' });
  await b.pass(20_000);
  assert.match(b.problemOf('db-0') ?? '', /^no Pod can have 10\.22\.0\.\d+ as its own \(FP246\): the cloud says: .* is a primary address/);
  b.addPod('plain', 'n1');
  b.addPod('db-1', 'n1', { 'flatpod.dev/ip': '10.22.0.99' });
  await attached(b, 'plain');
  assert.equal(await attached(b, 'db-1'), '10.22.0.99');
});

test('an interface that is made for an address has it from its birth: its own address is another one', async (t) => {
  const b = await benchFor(t);
  // The memory's cloud gives interfaces the lowest free address for their own.
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': '10.21.0.4' });
  assert.equal(await attached(b, 'db-0'), '10.21.0.4');
  await recreated(b, 'db-0', 'n2');
  assert.equal(await attached(b, 'db-0'), '10.21.0.4');
});
