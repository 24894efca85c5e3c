/** IPClaims and the nodes, with a controller, agents and the API in memory: who gets which address, and why not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '../../src/errors/failure.ts';
import { clusterBench } from './cluster-bench.ts';
import { subnet } from './harness.ts';

const fixed = { 'flatpod.dev/ip': 'fixed' };
const ofClaim = (name: string) => ({ 'flatpod.dev/ip-claim': name });

test('a Pod with a fixed address has the same one on another node, after it left the first', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  b.addNode('n2');
  await b.lead();
  b.addPod('db-0', 'n1', fixed);
  await b.pass(2000);
  const address = b.addressOf('db-0');
  assert.ok(address);
  b.removePod('db-0');
  await b.pass(500);
  b.addPod('db-0', 'n2', fixed);
  await b.pass(3000);
  assert.equal(b.addressOf('db-0'), address);
  assert.equal(b.claim('db-0')?.status.addresses[0]?.node, 'n2');
});

test('an address asked for by value is the Pod’s, and a second claim of it is refused with the name of the holder', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': '10.20.0.77' });
  await b.pass(2000);
  assert.equal(b.addressOf('db-0'), '10.20.0.77');
  b.addPod('db-1', 'n1', { 'flatpod.dev/ip': '10.20.0.77' });
  await b.pass(2000);
  assert.equal(b.addressOf('db-1'), undefined);
  assert.match(b.problemOf('db-1') ?? '', /^10\.20\.0\.77 belongs to IPClaim shop\/db-0 already, for Pod shop\/db-0 on n1 \(FP244\)/);
  b.kube.remove({ group: 'flatpod.dev', version: 'v1alpha1', resource: 'ipclaims', namespace: 'shop', name: 'db-0' });
  b.removePod('db-0');
  await b.pass(20_000);
  assert.equal(b.addressOf('db-1'), '10.20.0.77', 'served as soon as it can be');
});

test('two claims that want one address at the same moment on two nodes: one gets it, the other is told who does', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  b.addNode('n2');
  await b.lead();
  b.addPod('a', 'n1', { 'flatpod.dev/ip': '10.20.0.77' });
  b.addPod('b', 'n2', { 'flatpod.dev/ip': '10.20.0.77' });
  await b.pass(3000);
  const [winner, loser] = b.addressOf('a') === undefined ? ['b', 'a'] : ['a', 'b'];
  assert.equal(b.addressOf(winner), '10.20.0.77');
  assert.equal(b.addressOf(loser), undefined);
  assert.match(b.problemOf(loser) ?? '', new RegExp(`10\\.20\\.0\\.77 .*shop/${winner}\\b`));
});

test('Pods of a range get one address each, whoever is too many is told who has them, and is served when one ends', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  b.addNode('n2');
  b.addClaim('jobs', { podSelector: { matchLabels: { app: 'jobs' } }, count: 2, addresses: ['10.20.0.80', '10.20.0.81'] });
  await b.lead();
  // Two of them choose at the same moment on two nodes.
  b.addPod('job-a', 'n1', ofClaim('jobs'), { app: 'jobs' });
  b.addPod('job-b', 'n2', ofClaim('jobs'), { app: 'jobs' });
  await b.pass(3000);
  assert.deepEqual(new Set([b.addressOf('job-a'), b.addressOf('job-b')]), new Set(['10.20.0.80', '10.20.0.81']));
  b.addPod('job-c', 'n2', ofClaim('jobs'), { app: 'jobs' });
  await b.pass(3000);
  assert.match(
    b.problemOf('job-c') ?? '',
    /^all 2 addresses of IPClaim shop\/jobs have Pods \(FP248\): .*: job-[ab], .*: job-[ab]; raise its spec\.count/,
  );
  const free = b.addressOf('job-a');
  b.removePod('job-a');
  await b.pass(20_000);
  assert.equal(b.addressOf('job-c'), free);
});

const wrong: readonly [why: string, annotations: Record<string, string>, said: RegExp, claim?: object][] = [
  [
    'no address',
    { 'flatpod.dev/ip': 'yes' },
    /^annotation flatpod\.dev\/ip asks .*\(FP249\): it says "yes": write fixed, an address such as/,
  ],
  [
    'an IPv6 address where there are none',
    { 'flatpod.dev/ip': '2001:db8::7' },
    /have 2001:db8::7 .*\(FP246\): PodSubnet pods gives its Pods no IPv6 addresses/,
  ],
  ['two IPv4 addresses', { 'flatpod.dev/ip': '10.20.0.7,10.20.0.8' }, /^annotation flatpod\.dev\/ip .*more of IPv4 than count/],
  [
    'a reclaim nobody knows',
    { ...fixed, 'flatpod.dev/ip-reclaim': 'Keep' },
    /ip-reclaim .*says "Keep": write Retain, Delete or TTL=SECONDS/,
  ],
  ['a claim that is not there', ofClaim('none'), /^IPClaim shop\/none is not there, and annotation .* names it \(FP247\)/],
  ['a claim for another Pod', ofClaim('other'), /^IPClaim shop\/other is for Pod somebody-else, not for asker/],
  ['a claim for other labels', ofClaim('labels'), /^IPClaim shop\/labels is for Pods with other labels/],
  ['a claim that is being deleted', ofClaim('leaving'), /^IPClaim shop\/leaving is being deleted/],
  ['a claim of a subnet that does not serve it', ofClaim('elsewhere'), /of PodSubnet far, which does not serve Pod shop\/asker on node n1/],
  [
    'an address outside of the subnet',
    { 'flatpod.dev/ip': '10.99.0.1' },
    /have 10\.99\.0\.1 .*\(FP246\): it lies outside of PodSubnet pods, which has 10\.20\.0\.0\/24/,
  ],
  ['the gateway', { 'flatpod.dev/ip': '10.20.0.1' }, /it is the gateway of PodSubnet pods/],
  ['the first of the subnet', { 'flatpod.dev/ip': '10.20.0.0' }, /it is the first of 10\.20\.0\.0\/24/],
  ['the broadcast address', { 'flatpod.dev/ip': '10.20.0.255' }, /it is the broadcast address of 10\.20\.0\.0\/24/],
  [
    'one that the cloud keeps for itself',
    { 'flatpod.dev/ip': '10.20.0.3' },
    /^no Pod can have 10\.20\.0\.3 .*10\.20\.0\.3\/32 is reserved/,
  ],
  ['a node’s own', { 'flatpod.dev/ip': '10.20.0.4' }, /10\.20\.0\.4\/32 is a primary address/],
  ['an excluded one', { 'flatpod.dev/ip': '10.20.0.200' }, /PodSubnet pods excludes 10\.20\.0\.192\/28/],
  [
    'another address than its claim has',
    { 'flatpod.dev/ip': '10.20.0.9' },
    /^IPClaim shop\/asker has 10\.20\.0\.70, and annotation .* asks for 10\.20\.0\.9/,
    { addresses: ['10.20.0.70'] },
  ],
];

for (const [why, annotations, said, own] of wrong) {
  test(`a Pod that asks wrongly gets no address and a sentence that says why: ${why}`, async () => {
    await using b = clusterBench();
    b.addNode('n1');
    b.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 1 }, exclude: ['10.20.0.192/28'] })];
    if (own !== undefined) b.addClaim('asker', { pod: 'asker', ...own });
    b.addClaim('other', { pod: 'somebody-else' });
    b.addClaim('labels', { podSelector: { matchLabels: { app: 'other' } } });
    b.addClaim('elsewhere', { pod: 'asker', subnet: 'far' });
    b.addClaim('leaving', { pod: 'asker' });
    b.kube.put(
      { group: 'flatpod.dev', version: 'v1alpha1', resource: 'ipclaims', namespace: 'shop' },
      { metadata: { name: 'leaving', deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['test'] } },
    );
    await b.lead();
    b.addPod('asker', 'n1', annotations);
    await b.pass(3000);
    assert.equal(b.addressOf('asker'), undefined);
    assert.match(b.problemOf('asker') ?? '', said);
  });
}

test('what becomes of an address without a Pod: Retain keeps it, Delete gives it back at once, TTL after its time', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  b.addPod('kept', 'n1', fixed);
  b.addPod('gone', 'n1', { ...fixed, 'flatpod.dev/ip-reclaim': 'Delete' });
  b.addPod('later', 'n1', { ...fixed, 'flatpod.dev/ip-reclaim': 'TTL=60' });
  await b.pass(3000);
  assert.equal(b.claim('later')?.spec.ttl_s, 60);
  for (const pod of ['kept', 'gone', 'later']) b.removePod(pod);
  await b.pass(30_000);
  assert.deepEqual(
    ['kept', 'gone', 'later'].map((name) => b.claim(name) !== undefined),
    [true, false, true],
  );
  const [held] = b.claim('kept')?.status.addresses ?? [];
  assert.deepEqual([held?.phase, held?.pod, held?.podUid], ['Reserved', 'kept', undefined]);
  await b.pass(60_000);
  assert.deepEqual(
    ['kept', 'later'].map((name) => b.claim(name) !== undefined),
    [true, false],
  );
  assert.equal(b.status('n1').nics.flatMap(({ claimed = [] }) => claimed).length, 1, 'the others are ordinary again, and go back');
});

test('the node that has a fixed address dies: it is taken when the Pod is elsewhere, and not while it is only not heard of', async () => {
  await using b = clusterBench();
  const first = b.addNode('n1');
  b.addNode('n2');
  await b.lead();
  b.addPod('db-0', 'n1', fixed);
  await b.pass(2000);
  const address = b.addressOf('db-0');
  first.dead = true;
  b.ready('n1', false);
  await b.pass(120_000);
  assert.equal(b.claim('db-0')?.status.addresses[0]?.node, 'n1', 'its Pod is there still, as far as anybody knows');
  b.removePod('db-0');
  b.addPod('db-0', 'n2', fixed);
  await b.pass(10_000);
  assert.match(b.problemOf('db-0') ?? '', /is on node n1 still, which was asked to give it back$/);
  await b.pass(60_000);
  assert.equal(b.addressOf('db-0'), address);
  assert.equal(b.cloud.calls.filter(({ name }) => name === 'unassign').length, 1, 'it is taken once');
  b.ready('n1', true);
  first.revive();
  await b.pass(60_000);
  assert.equal(b.claim('db-0')?.status.addresses[0]?.node, 'n2');
  assert.deepEqual([...first.attached.values()], []);
});

test('the Node and its instance are gone for good: the Pod has its address on another node', async () => {
  await using b = clusterBench();
  b.addNode('n1').dead = false;
  b.addNode('n2');
  await b.lead();
  b.addPod('db-0', 'n1', fixed);
  await b.pass(2000);
  const address = b.addressOf('db-0');
  b.agents.get('n1')?.stop();
  b.removePod('db-0');
  b.kube.remove({ group: '', version: 'v1', resource: 'nodes', name: 'n1' });
  b.addPod('db-0', 'n2', fixed);
  await b.pass(10_000);
  assert.match(b.problemOf('db-0') ?? '', new RegExp(`${address}`), 'while the instance has it, the cloud gives it to nobody');
  b.cloud.terminate('i-n1' as never);
  await b.pass(10_000);
  assert.equal(b.addressOf('db-0'), address);
});

test('an address that is kept and on no node is no ordinary Pod’s and no other claim’s, even where the cloud gives it to a node', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  b.addPod('db-0', 'n1', fixed);
  await b.pass(2000);
  const address = b.addressOf('db-0');
  b.agents.get('n1')?.stop();
  b.removePod('db-0');
  b.kube.remove({ group: '', version: 'v1', resource: 'nodes', name: 'n1' });
  b.cloud.terminate('i-n1' as never);
  b.addNode('n2');
  const plain = ['p-1', 'p-2', 'p-3', 'p-4', 'p-5', 'p-6'];
  for (const name of plain) b.addPod(name, 'n2');
  for (const name of ['db-1', 'db-2', 'db-3']) b.addPod(name, 'n2', fixed);
  await b.pass(20_000);
  const given = [...plain, 'db-1', 'db-2', 'db-3'].map((name) => b.addressOf(name));
  assert.ok(!given.includes(undefined) && !given.includes(address), given.join(', '));
  b.addPod('db-0', 'n2', fixed);
  await b.pass(20_000);
  assert.equal(b.addressOf('db-0'), address);
});

test('an address that is to be a claim’s and whose assignment got no answer is no ordinary Pod’s in the meantime', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  await b.pass(2000);
  /** What the agent had been told before each call. */
  const told: (boolean | undefined)[] = [];
  b.cloud.fault = ({ name }) => {
    if (name !== 'assign') return 'none';
    const nic = b.status('n1').nics.find(({ blocks }) => blocks.some((block) => block === '10.20.0.77/32'));
    told.push(nic?.claimed?.some((block) => block === '10.20.0.77/32') ?? (nic === undefined ? undefined : false));
    return told.length === 1 ? 'loseAnswer' : 'none';
  };
  b.addPod('db-0', 'n1', { 'flatpod.dev/ip': '10.20.0.77' });
  await b.pass(60_000);
  assert.deepEqual(told, [undefined, true], 'the second call finds it there, known for what it is');
  assert.equal(b.addressOf('db-0'), '10.20.0.77');
});

test('the claim cannot be written after the cloud has assigned: the wish is served later, and what was assigned is the pool’s', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  await b.pass(2000);
  let refused = 0;
  b.kube.fault = ({ resource, subresource }) =>
    resource === 'ipclaims' && subresource === 'status' && refused++ < 2
      ? failure('kubeUnreachable', { call: 'patch', server: 'memory', text: 'away' })
      : 'none';
  b.addPod('db-0', 'n1', fixed);
  await b.pass(120_000);
  assert.ok(refused > 2);
  const address = b.addressOf('db-0');
  assert.ok(address);
  const claimed = b.status('n1').nics.flatMap((nic) => nic.claimed ?? []);
  assert.deepEqual(claimed, [`${address}/32`], 'what was assigned first is an ordinary address, of the pool');
});

test('a new leader goes on with an address that is being moved', async () => {
  await using b = clusterBench();
  const first = b.addNode('n1');
  b.addNode('n2');
  await b.lead();
  b.addPod('db-0', 'n1', fixed);
  await b.pass(2000);
  const address = b.addressOf('db-0');
  first.dead = true;
  b.removePod('db-0');
  b.addPod('db-0', 'n2', fixed);
  await b.pass(2000);
  assert.equal(b.claim('db-0')?.status.addresses[0]?.phase, 'Moving');
  await b.lead();
  await b.pass(2000);
  first.revive();
  await b.pass(5000);
  assert.equal(b.addressOf('db-0'), address);
});

test('an IPClaim that somebody else changes all the time is given up for now: FP242 claimBusy', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  let isBusy = true;
  b.kube.fault = ({ resource, subresource }) =>
    isBusy && resource === 'ipclaims' && subresource === 'status' ? failure('kubeConflict', { object: 'db-0', text: 'changed' }) : 'none';
  b.addPod('db-0', 'n1', fixed);
  await b.pass(3000);
  assert.ok(b.lines.some((line) => line.includes('(FP242)') && line.includes('IPClaim shop/db-0 could not be written')));
  isBusy = false;
  await b.pass(60_000);
  assert.ok(b.addressOf('db-0'));
});
