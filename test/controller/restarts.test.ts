/** A fault at every single call, before and after its effect, with and without the controller dying of it: the end is always the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notesOf } from '../../src/controller/notes.ts';
import { carries, type Fault } from '../cloud/memory-cloud.ts';
import { type Agent, agent, type Bench, bench, subnet } from './harness.ts';
import { faults, underFault } from './under-fault.ts';

const config = subnet('pods', { cloudSubnet: 'subnet-a', default: true, families: [4, 6], warm: { spare: 1 } });

interface Story {
  readonly b: Bench;
  readonly node: Agent;
}

/** Seven Pods come, five go, all go. The call of that number meets the fault; when the controller dies, another starts. */
async function story(at: number, fault: Fault, stale_ms = 0): Promise<Story> {
  const b = bench();
  const { clock, cloud, networks } = b;
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6: '2001:db8::/64' }), { addressSlotsPerNic: 5 });
  await clock.advance(stale_ms);
  cloud.stale_ms = stale_ms;
  const { live, stop } = await underFault(
    b,
    { at, fault },
    () => [config],
    () => {
      for (const ip of node.leases.flatMap(({ addresses }) => addresses))
        assert.ok(carries(cloud.truth(), instance, ip), `${ip} was taken away in use`);
      const all = cloud.truth().flatMap(({ blocks }) => blocks);
      assert.equal(new Set(all).size, all.length);
    },
  );
  const node = await agent(networks, instance, config);
  await node.want(7);
  await live(60_000);
  assert.equal(node.leases.length, 7, 'all Pods were served');
  await node.want(2);
  await live(150_000);
  await node.want(0);
  await live(400_000);
  assert.deepEqual(
    cloud.truth().map(({ attachment }) => attachment?.deviceIndex),
    [0],
    'no NIC is left but the first',
  );
  const [first] = cloud.truth();
  const [granted] = (await b.status()).nics;
  assert.deepEqual(first?.blocks.toSorted(), granted?.blocks.toSorted(), 'cloud and status agree');
  assert.deepEqual(notesOf(await b.status())?.intents, [], 'no intent is left');
  node.stop();
  await stop();
  return { b, node };
}

/** Tells the whole story once for each call that is made in it and each fault that can befall the call. */
async function everyFault(stale_ms: number): Promise<void> {
  const { b } = await story(-1, 'none', stale_ms);
  assert.ok(b.cloud.calls.length > 20);
  for (const { number, name, changing } of b.cloud.calls) {
    // A read has no effect that could come before or after.
    for (const fault of changing ? faults : faults.filter((one) => one === 'loseRequest' || one === 'dieBefore')) {
      await story(number, fault, stale_ms).catch((error: unknown) => {
        throw new Error(`call ${number} (${name}), ${String(fault)}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      });
    }
  }
}

test('a lost answer, a lost request or the death of the controller at any call leaves nothing behind and takes nothing in use', () =>
  everyFault(0));

test('the same with reads that lag seconds behind', () => everyFault(3000));

test('a create whose answer was lost is repeated with the same token, also by the next controller: one NIC, not two', async () => {
  for (const fault of ['loseAnswer', 'dieAfter'] as const) {
    const b = bench();
    const instance = b.cloud.launch('i-1', b.cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6: '2001:db8::/64' }));
    // Reads that lag by a quarter of a minute do not show the new NIC to whoever repeats the call.
    b.cloud.stale_ms = 15_000;
    await b.clock.advance(20_000);
    let once = true;
    b.cloud.fault = ({ name }) => {
      if (name !== 'createNic' || !once) return 'none';
      once = false;
      return fault;
    };
    await b.controller({ subnets: () => [config] });
    const node = await agent(b.networks, instance, config);
    await node.want(4);
    await b.clock.advance(500);
    const second = fault === 'dieAfter' ? await b.controller({ subnets: () => [config] }) : undefined;
    await b.clock.advance(120_000);
    assert.equal(b.cloud.truth().length, 2, fault);
    assert.equal(node.leases.length, 4);
    node.stop();
    await second?.stop();
  }
});

test('an assign whose answer was lost is read back, not repeated', async () => {
  const b = bench();
  const instance = b.cloud.launch('i-1', b.cloud.addSubnet('subnet-a', '10.20.0.0/24'), { addressSlotsPerNic: 40 });
  b.cloud.fault = ({ name }) => (name === 'assign' ? 'loseAnswer' : 'none');
  const plain = subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 1 } });
  const running = await b.controller({ subnets: () => [plain] });
  const node = await agent(b.networks, instance, plain);
  await node.want(9);
  await b.clock.advance(60_000);
  assert.equal(node.leases.length, 9);
  assert.ok(b.changes().filter((name) => name === 'assign').length <= 2);
  assert.ok((b.cloud.truth()[0]?.blocks.length ?? 0) <= 11);
  node.stop();
  await running.stop();
});
