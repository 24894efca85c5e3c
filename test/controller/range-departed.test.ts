/** Nodes of a cluster without a cloud that are gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sizeOf } from '../../src/net/cidr.ts';
import { subnet } from './harness.ts';
import { rangeBench } from './range-bench.ts';

const config = subnet('pods', { range: { parent: 'eth1', ipv4: { cidr: '10.9.0.0/26' } }, datapath: 'macvlan', default: true });

test('a node that is gone keeps its addresses, since its Pods may run; once somebody says that its machine is off, others get them', async () => {
  await using b = rangeBench(config);
  const [one, two] = [b.addNode('n1'), b.addNode('n2')];
  await b.lead();
  one.want(40);
  await b.clock.advance(2000);
  b.removeNode('n1');
  two.want(40);
  await b.clock.advance(600_000);
  const kept = (await b.ledger()).get('n1')?.reduce((sum, block) => sum + Number(sizeOf(block)), 0) ?? 0;
  assert.ok(kept >= 40);
  assert.deepEqual([one.leases.length, two.leases.length], [40, 62 - kept]);
  const ready = b.status('n1')?.conditions?.find(({ type }) => type === 'Ready');
  assert.deepEqual([ready?.status, ready?.reason], ['False', 'NodeGone']);
  assert.match(ready?.message ?? '', /its Pods may run: .* says so: kubectl delete nodenetwork n1$/);
  b.declareOff('n1');
  await b.clock.advance(30_000);
  assert.equal(two.leases.length, 62 - kept, 'an absence is believed when it was seen for a minute');
  await b.clock.advance(400_000);
  assert.equal(two.leases.length, 40);
  assert.equal((await b.ledger()).get('n1'), undefined);
});

test('a Node that comes back has what it had, and its Pods go on with it', async () => {
  await using b = rangeBench(config);
  const one = b.addNode('n1');
  b.addNode('n2');
  await b.lead();
  one.want(10);
  await b.clock.advance(2000);
  const before = one.leases.flatMap(({ addresses }) => addresses);
  b.removeNode('n1');
  await b.clock.advance(600_000);
  b.returnNode('n1');
  one.want(12);
  await b.clock.advance(5000);
  assert.deepEqual(
    one.leases.slice(0, 10).flatMap(({ addresses }) => addresses),
    before,
  );
  assert.equal(one.leases.length, 12);
  assert.equal(b.status('n1')?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
});

test('a node that gave everything back before it went leaves nothing behind', async () => {
  await using b = rangeBench(subnet('pods', { ...config.spec, warm: { spare: 0 } }));
  const one = b.addNode('n1');
  await b.lead();
  one.want(5);
  await b.clock.advance(2000);
  one.want(0);
  await b.clock.advance(5000);
  assert.equal((await b.ledger()).get('n1'), undefined);
  b.removeNode('n1');
  await b.clock.advance(30_000);
  assert.equal(b.status('n1'), undefined);
});
