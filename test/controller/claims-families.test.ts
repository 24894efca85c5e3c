/** IPClaims with IPv6: alone, beside IPv4, by value, and as they move. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { failure } from '../../src/errors/failure.ts';
import { familyOf, type Ip } from '../../src/net/address.ts';
import { contains, hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { type ClusterBench, clusterBench } from './cluster-bench.ts';
import { subnet } from './harness.ts';

const cidr6 = '2001:db8:0:20::/64';
const fixed = { 'flatpod.dev/ip': 'fixed' };

/** A cluster whose PodSubnet gives Pods those families. */
async function benchFor(t: TestContext, families: readonly number[], spec: object = {}, limits = {}): Promise<ClusterBench> {
  const b = clusterBench({ cidr6 });
  t.after(() => b[Symbol.asyncDispose]());
  b.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, families, warm: { spare: 1 }, ...spec })];
  for (const node of ['n1', 'n2']) b.addNode(node, 'subnet-a', limits);
  await b.lead();
  return b;
}

const byFamily = (addresses: readonly Ip[]): number[] => addresses.map(familyOf);

for (const families of [[4, 6], [6, 4], [6]]) {
  test(`fixed gives one address of each family, the first family first, and all of them move: [${families.join(', ')}]`, async (t) => {
    const b = await benchFor(t, families);
    b.addPod('db-0', 'n1', fixed);
    await b.pass(3000);
    const first = b.addressesOf('db-0');
    assert.deepEqual(byFamily(first), families, b.problemOf('db-0') ?? '');
    for (const ip of first) if (familyOf(ip) === 6) assert.ok(contains(parseCidr(cidr6), ip));
    b.removePod('db-0');
    await b.pass(500);
    b.addPod('db-0', 'n2', fixed);
    await b.pass(5000);
    assert.deepEqual(b.addressesOf('db-0'), first);
    const claim = b.claim('db-0');
    assert.deepEqual(
      claim?.status.addresses.map(({ node, phase }) => [node, phase]),
      first.map(() => ['n2', 'Bound']),
    );
    const nics = b.cloud.truth().filter(({ blocks }) => first.some((ip) => blocks.includes(hostCidr(ip))));
    assert.equal(nics.length, 1, 'they are on one interface');
  });
}

test('one address of each family can be asked for by value; of a family that is not asked for any is taken', async (t) => {
  const b = await benchFor(t, [4, 6]);
  b.addPod('both', 'n1', { 'flatpod.dev/ip': '10.20.0.77, 2001:db8:0:20:f1:2:3:4' });
  b.addPod('six', 'n1', { 'flatpod.dev/ip': '2001:DB8:0:20:F1:2:3:0005' });
  b.addPod('four', 'n1', { 'flatpod.dev/ip': '10.20.0.78' });
  await b.pass(5000);
  assert.deepEqual(b.addressesOf('both'), ['10.20.0.77', '2001:db8:0:20:f1:2:3:4']);
  assert.equal(b.addressesOf('six')[1], '2001:db8:0:20:f1:2:3:5');
  assert.deepEqual(byFamily(b.addressesOf('six')), [4, 6]);
  assert.equal(b.addressesOf('four')[0], '10.20.0.78');
  assert.deepEqual(byFamily(b.addressesOf('four')), [4, 6]);
});

test('Pods of a range have a pair each, and whoever comes next to a node gets the pair of one that ended', async (t) => {
  const b = await benchFor(t, [4, 6]);
  b.addClaim('jobs', { podSelector: { matchLabels: { app: 'jobs' } }, count: 2, addresses: ['10.20.0.80', '2001:db8:0:20::8:1'] });
  const [annotations, labels] = [{ 'flatpod.dev/ip-claim': 'jobs' }, { app: 'jobs' }];
  b.addPod('job-a', 'n1', annotations, labels);
  b.addPod('job-b', 'n2', annotations, labels);
  await b.pass(5000);
  const [first, second] = [b.addressesOf('job-a'), b.addressesOf('job-b')];
  assert.deepEqual(
    [byFamily(first), byFamily(second)],
    [
      [4, 6],
      [4, 6],
    ],
  );
  assert.equal(new Set([...first, ...second]).size, 4);
  assert.ok([...first, ...second].includes('2001:db8:0:20::8:1' as Ip));
  b.addPod('job-c', 'n2', annotations, labels);
  await b.pass(3000);
  assert.match(b.problemOf('job-c') ?? '', /^all 2 addresses of IPClaim shop\/jobs have Pods/);
  b.removePod('job-b');
  await b.pass(20_000);
  assert.deepEqual(b.addressesOf('job-c'), second);
});

test('an IPv6 address of our choice that somebody else has is passed over, and the Pod is served', async (t) => {
  const b = await benchFor(t, [6]);
  let refused: string[] = [];
  await b.pass(2000);
  b.cloud.fault = ({ name }) => {
    if (name !== 'assign' || refused.length >= 3) return 'none';
    refused = [...refused, name];
    return failure('cloudAddressTaken', { cloud: 'memory', address: 'that one', holder: 'a stranger', text: 'taken' });
  };
  b.addPod('db-0', 'n1', fixed);
  await b.pass(3000);
  assert.equal(refused.length, 3);
  assert.equal(b.addressesOf('db-0').length, 1, b.problemOf('db-0') ?? '');
});

test('ordinary Pods get their IPv6 from a /80 beside what claims have, and a claim that is gone leaves no single address behind', async (t) => {
  const b = await benchFor(t, [4, 6]);
  b.addPod('db-0', 'n1', { ...fixed, 'flatpod.dev/ip-reclaim': 'Delete' });
  b.addPod('plain', 'n1');
  await b.pass(5000);
  const own = b.addressesOf('db-0');
  assert.deepEqual(
    [byFamily(own), byFamily(b.addressesOf('plain'))],
    [
      [4, 6],
      [4, 6],
    ],
  );
  b.removePod('db-0');
  await b.pass(120_000);
  assert.equal(b.claim('db-0'), undefined);
  const left = b.cloud.truth().flatMap(({ blocks }) => blocks.filter((block) => block.endsWith('/128')));
  assert.deepEqual(left, []);
});

test('with the IPv6 slots used up the Pod, its claim and its node’s answer say so', async (t) => {
  const b = await benchFor(t, [4, 6], {}, { ipv6SlotsPerNic: 2, nics: 1 });
  b.addPod('plain', 'n1');
  await b.pass(3000);
  b.addPod('db-0', 'n1', fixed);
  await b.pass(10_000);
  const why = /instance type t\.test is full: 1 of 1 interfaces attached, 24 address slots each \(2 for IPv6\), none is free for 2001:db8/;
  assert.match(b.problemOf('db-0') ?? '', why);
  const [ready] = b.claim('db-0')?.status.conditions ?? [];
  assert.deepEqual([ready?.type, ready?.status, ready?.reason], ['Ready', 'False', 'PodWaits']);
  assert.match(ready?.message ?? '', why);
});

test('an answer that was lost after both addresses were assigned: the Pod has its IPv6 one all the same, and nothing stays behind', async (t) => {
  const b = await benchFor(t, [4, 6]);
  await b.pass(2000);
  let lost = false;
  b.cloud.fault = ({ name }) => {
    if (name !== 'assign' || lost) return 'none';
    lost = true;
    return 'loseAnswer';
  };
  b.addPod('db-0', 'n1', fixed);
  await b.pass(120_000);
  const own = b.addressesOf('db-0');
  assert.deepEqual(byFamily(own), [4, 6], b.problemOf('db-0') ?? '');
  const single = b.cloud.truth().flatMap(({ blocks }) => blocks.filter((block) => block.endsWith('/128')));
  assert.deepEqual(single, [hostCidr(own[1] as Ip)]);
});
