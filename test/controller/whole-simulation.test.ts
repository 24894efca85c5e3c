/** PodSubnets of several datapaths on one node. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudNic } from '../../src/cloud/cloud.ts';
import { subnet } from './harness.ts';
import { type Moment, simulate } from './several-simulation.ts';

const configs = [
  subnet('many', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 0 } }),
  subnet('single', { cloudSubnet: 'subnet-a', datapath: 'nic', warm: { spare: 0 } }),
  subnet('twig', { cloudSubnet: 'subnet-b', datapath: 'branch', families: [4, 6], warm: { spare: 0 } }),
  subnet('mac', { cloudSubnet: 'subnet-b', datapath: 'macvlan', warm: { spare: 0 } }),
];
/** What the instance has room for, all at once. */
const most: Readonly<Record<string, number>> = { many: 5, single: 2, twig: 4, mac: 3 };
const limits = { nics: 6, addressSlotsPerNic: 6, ipv6SlotsPerNic: 6, branches: 4 };

/** Nothing in use is gone or shared; what the cloud has is possible.  */
function sound({ nics, node, instance, pulled }: Moment): void {
  const at = (nic: CloudNic | undefined) =>
    nic?.branch === undefined ? nic?.attachment : nics.find(({ id }) => id === nic.branch?.trunk)?.attachment;
  for (const [name, pods] of node.pods) {
    for (const { nic: id, addresses } of pods) {
      const nic = nics.find((one) => one.id === id);
      if (pulled.has(id)) continue;
      assert.equal(at(nic)?.instance, instance, `${id} of ${name} was taken away in use`);
      if (name === 'many' || name === 'mac') continue;
      assert.deepEqual(addresses, [nic?.primary4, nic?.primary6].slice(0, addresses.length));
      assert.equal(pods.filter((pod) => pod.nic === id).length, 1, `two Pods on ${id}`);
    }
  }
  const tags = nics.flatMap(({ branch }) => (branch === undefined ? [] : [`${branch.trunk} ${branch.vlan}`]));
  assert.equal(new Set(tags).size, tags.length);
  assert.ok(nics.filter(({ attachment }) => attachment?.instance === instance).length <= limits.nics);
}

test('several datapaths on one node under faults: nothing in use is gone or shared, all are served in the end, and nothing is left', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    await simulate(seed, { configs, most, limits, sound }).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
  }
});
