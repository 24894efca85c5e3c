/** Interfaces for single Pods: a fault at every single call, before and after its effect, with and without the controller dying of it, ends the same way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudNic, InstanceId } from '../../src/cloud/cloud.ts';
import { notesOf } from '../../src/controller/notes.ts';
import { hostCidr } from '../../src/net/cidr.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import type { Taken } from '../../src/ipam/pool.ts';
import type { Fault } from '../cloud/memory-cloud.ts';
import { agent, type Bench, bench, subnet } from './harness.ts';
import { faults, underFault } from './under-fault.ts';

const configOf = (datapath: 'nic' | 'branch'): PodSubnet =>
  subnet('pods', { cloudSubnet: 'subnet-a', default: true, datapath, families: [4, 6], warm: { spare: 1 } });

/** Each Pod is alone on an interface that is plugged in, and has its addresses. */
function holds(nics: readonly CloudNic[], instance: InstanceId, pods: readonly Taken[]): void {
  assert.equal(new Set(pods.map(({ nic }) => nic)).size, pods.length, 'two Pods on one interface');
  for (const { nic: id, addresses } of pods) {
    const nic = nics.find((one) => one.id === id);
    const at = nic?.branch === undefined ? nic?.attachment : nics.find((one) => one.id === nic.branch?.trunk)?.attachment;
    assert.equal(at?.instance, instance, `${id} was taken away in use`);
    assert.deepEqual(addresses, [nic?.primary4, nic?.primary6]);
  }
}

/** Three Pods come, two go, all go, and at last the PodSubnet. The call of that number meets the fault; when the controller dies, another starts. */
async function story(datapath: 'nic' | 'branch', at: number, fault: Fault, lag: { stale_ms?: number; moving_ms?: number }): Promise<Bench> {
  const { stale_ms = 0, moving_ms = 0 } = lag;
  const b = bench();
  const { clock, cloud, networks } = b;
  const config = configOf(datapath);
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6: '2001:db8::/64' }), { nics: 6, branches: 6 });
  await clock.advance(stale_ms);
  Object.assign(cloud, { stale_ms, moving_ms });
  let subnets = [config];
  const { live, stop } = await underFault(
    b,
    { at, fault },
    () => subnets,
    () => holds(cloud.truth(), instance, node.leases),
  );
  const node = await agent(networks, instance, config);
  await node.want(3);
  await live(60_000);
  assert.equal(node.leases.length, 3, 'all Pods were served');
  await node.want(1);
  await live(250_000);
  await node.want(0);
  await live(300_000);
  const left = cloud.truth().filter(({ tags }) => tags['flatpod.dev/use'] === (datapath === 'nic' ? 'pod' : 'branch'));
  const granted = (await b.status()).nics.filter(({ use }) => use === 'pod');
  assert.deepEqual(
    left.flatMap(({ primary4 }) => (primary4 === undefined ? [] : [hostCidr(primary4)])).toSorted(),
    granted.flatMap(({ blocks }) => blocks.filter((block) => !block.includes(':'))).toSorted(),
    'cloud and status agree',
  );
  assert.ok(granted.length >= 1 && granted.length <= 2, `between spare and twice spare, not ${granted.length}`);
  subnets = [];
  await live(500_000);
  assert.equal(cloud.truth().length, 1, 'no NIC is left but the first');
  assert.deepEqual(notesOf(await b.status())?.intents, [], 'no intent is left');
  node.stop();
  await stop();
  return b;
}

/** Tells the whole story once for each changing call that is made in it and each fault that can befall the call; reads are those of restarts.test.ts. */
async function everyFault(datapath: 'nic' | 'branch', lag: { stale_ms?: number; moving_ms?: number }): Promise<void> {
  const b = await story(datapath, -1, 'none', lag);
  assert.ok(b.cloud.calls.length > 20);
  for (const { number, name, changing } of b.cloud.calls) {
    for (const fault of changing ? faults : []) {
      await story(datapath, number, fault, lag).catch((error: unknown) => {
        throw new Error(`call ${number} (${name}), ${String(fault)}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      });
    }
  }
}

for (const datapath of ['nic', 'branch'] as const) {
  test(`datapath ${datapath}: a fault at any call leaves nothing behind and takes nothing in use`, () => everyFault(datapath, {}));
  test(`datapath ${datapath}: the same with reads that lag seconds behind, and interfaces that take seconds to move`, () =>
    everyFault(datapath, { stale_ms: 3000, moving_ms: 2000 }));
}
