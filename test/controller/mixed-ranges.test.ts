/** A cloud and ranges that it knows nothing of, side by side on one node. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { Ledger } from '../../src/cloud/range/ledger.ts';
import { rangeCloud } from '../../src/cloud/range/range-cloud.ts';
import { withRanges } from '../../src/cloud/range/with-ranges.ts';
import { podRangeOf } from '../../src/store/pod-range.ts';
import { memoryLedger } from '../cloud/range/memory-ledger.ts';
import { bench, subnet } from './harness.ts';

const vpc = subnet('vpc', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 2 } });
const office = subnet('office', { range: { parent: 'eth1', ipv4: { cidr: '10.9.0.0/24' } }, datapath: 'macvlan', namespaces: ['office'] });

async function mixed() {
  const b = bench();
  const at = b.cloud.addSubnet('subnet-a', '10.20.0.0/24');
  const instance = b.cloud.launch('i-1', at, { nics: 2, addressSlotsPerNic: 4 });
  b.subnets = [vpc, office];
  const ranges = [office].flatMap((one) => podRangeOf(one, '') ?? []);
  const ranged = rangeCloud({
    cluster: 'test',
    ledger: await Ledger.open(memoryLedger()),
    ranges: () => ranges,
    node: (name) => (name === 'n1' ? { instance, podSubnets: ['office'] } : undefined),
  });
  const controller = await b.controller({ cloud: withRanges(b.cloud, ranged), ranges: ranged });
  const ask = (of: Readonly<Record<string, number>>, more: object = {}): Promise<void> =>
    b.networks.writeSpec('n1', {
      instance,
      demand: Object.entries(of).map(([name, waiting]) => ({ subnet: name, inUse: 0, cooling: 0, waiting })),
      returned: [],
      ...more,
    });
  return { b, instance, ranged, controller, ask };
}

test('a node holds addresses of both, and a range costs none of the instance’s interfaces', async () => {
  const { b, controller, ask } = await mixed();
  await ask({ vpc: 5, office: 100 });
  await b.clock.advance(30_000);
  const { nics } = await b.status();
  const of = (name: string) => nics.filter((nic) => nic.subnet === name);
  assert.equal(of('office')[0]?.parent, 'eth1');
  assert.ok((of('office')[0]?.blocks.length ?? 0) >= 100);
  assert.equal(of('vpc').length, 2, 'both interfaces that it may have');
  assert.equal(new Set(nics.map(({ deviceIndex }) => deviceIndex)).size, 3);
  assert.ok(of('vpc').every(({ parent }) => parent === undefined));
  await controller.stop();
});

test('a range is never unplugged, swept or made: the cloud hears nothing of it', async () => {
  const { b, controller, ask } = await mixed();
  await ask({ office: 3 });
  await b.clock.advance(600_000);
  await ask({ office: 0 });
  await b.clock.advance(600_000);
  await controller.sweepOnce();
  assert.ok((await b.status()).nics.some(({ subnet: name }) => name === 'office'));
  assert.ok(!b.cloud.calls.some(({ name }) => ['createNic', 'attachNic', 'detachNic', 'deleteNic'].includes(name)), b.changes().join(' '));
  await controller.stop();
});

test('a node whose instance is terminated keeps what it has of a range as long as its Node is there', async () => {
  const { b, ranged, controller, ask, instance } = await mixed();
  await ask({ office: 3 });
  await b.clock.advance(1000);
  assert.equal(ranged.room('office')?.free, 254 - 16);
  b.cloud.terminate(instance);
  await controller.passOnce('n1');
  const { nics } = await b.status();
  assert.ok(
    nics.some(({ subnet: name }) => name === 'office'),
    'the node is there still',
  );
  await controller.stop();
});

test('a cloud that does not answer stops no range', async (t) => {
  const { b, controller, ask } = await mixed();
  t.after(() => controller.stop());
  await ask({ office: 3 });
  await b.clock.advance(1000);
  const before = (await b.status()).nics.find(({ subnet: name }) => name === 'office')?.blocks.length ?? 0;
  b.cloud.fault = ({ changing }) => (changing ? 'loseRequest' : 'none');
  await ask({ office: 40, vpc: 3 });
  await b.clock.advance(5000);
  const after = (await b.status()).nics.find(({ subnet: name }) => name === 'office')?.blocks.length ?? 0;
  assert.ok(after > before, `${after} after ${before}`);
});

test('an id of a Node that no cloud knows is none of a range’s', async () => {
  const { ranged } = await mixed();
  assert.deepEqual(await ranged.nics({ instance: 'i-1' as InstanceId }), []);
});
