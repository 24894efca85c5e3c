/** Addresses that Pods of a former plugin use, in blocks that the node is granted: never given out, never given back, at rest when their Pod has ended. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { now_ms, Pools } from '../../src/agent/pools.ts';
import type { NicId } from '../../src/cloud/cloud.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import type { NodeNetworkStatus } from '../../src/store/node-network.ts';
import { podSubnet } from '../../src/store/pod-subnet.ts';

const subnet = podSubnet.parse({
  apiVersion: 'flatpod.dev/v1alpha1',
  kind: 'PodSubnet',
  metadata: { name: 'pods' },
  spec: { cloudSubnet: 's', families: [4] },
});
const used = parseIp('10.0.0.2');
const block = parseCidr('10.0.0.0/30');
const wanting = { pod: 'default/new', requested: [] };

function granted(reclaiming: boolean): NodeNetworkStatus {
  const nic = { id: 'nic-1' as NicId, mac: parseMac('02:00:00:00:00:01'), subnet: 'pods', deviceIndex: 1, mtu: 1500 }; // an id of no cloud
  return { vpcCidrs: [], growth: [], nics: [{ ...nic, blocks: [block], reclaiming: reclaiming ? [block] : [] }] };
}

function pools(orphans: readonly ReturnType<typeof parseIp>[]): Pools {
  const made = new Pools([subnet], { orphans, demandChanged: () => undefined });
  made.grant(granted(false), new Set(['nic-1']));
  return made;
}

for (const when of ['before the agent started', 'while it runs'] as const)
  test(`an address that was taken over ${when} is counted as used, and nobody else gets it`, async () => {
    const own = pools(when === 'while it runs' ? [] : [used]);
    if (when === 'while it runs') own.occupy([used]);
    assert.deepEqual(own.demand(), [{ subnet: 'pods', inUse: 1, cooling: 0, waiting: 0 }]);
    const got = [];
    for (let i = 0; i < 3; i++) got.push(...(await own.lease(subnet, wanting, 0)).addresses);
    assert.deepEqual(got.toSorted(), ['10.0.0.0', '10.0.0.1', '10.0.0.3']);
    await assert.rejects(own.lease(subnet, wanting, 0), { kind: 'addressesExhausted' });
    await assert.rejects(own.lease(subnet, { ...wanting, requested: [used] }, 0), { kind: 'addressInUse' });
  });

test('an address that rested when it was taken over is used, not at rest: the end of the rest does not free it', async () => {
  const own = pools([]);
  await own.lease(subnet, { ...wanting, requested: [used] }, 0);
  own.release('pods', [used], now_ms() + 10);
  own.occupy([used]);
  assert.deepEqual(own.demand(), [{ subnet: 'pods', inUse: 1, cooling: 0, waiting: 0 }]);
  const rested = Promise.withResolvers<void>();
  setTimeout(rested.resolve, 20);
  await rested.promise;
  assert.deepEqual(own.demand(), [{ subnet: 'pods', inUse: 1, cooling: 0, waiting: 0 }]);
  await assert.rejects(own.lease(subnet, { ...wanting, requested: [used] }, 0), { kind: 'addressInUse' });
  own.endOrphan(used, 0);
  assert.deepEqual((await own.lease(subnet, { ...wanting, requested: [used] }, 0)).addresses, [used]);
});

test('its block is not given back before the Pod has ended and the address has rested, however often grants change', () => {
  const own = pools([]);
  own.occupy([used]);
  for (const plugged of [new Set(['nic-1']), new Set<string>()]) {
    own.grant(granted(true), plugged);
    assert.deepEqual(own.giveBack(), []);
  }
  own.grant(granted(true), new Set(['nic-1']));
  own.endOrphan(used, now_ms() + 60_000);
  assert.deepEqual([own.giveBack(), own.demand()[0]?.cooling], [[], 1]);
  const rested = pools([used]);
  rested.grant(granted(true), new Set(['nic-1']));
  rested.endOrphan(used, 0);
  assert.deepEqual(rested.giveBack(), [block]);
});
