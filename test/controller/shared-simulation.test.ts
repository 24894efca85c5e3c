/** PodSubnets that share interfaces, on one node. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostCidr } from '../../src/net/cidr.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { subnet } from './harness.ts';
import { type Moment, simulate } from './several-simulation.ts';

const limits = { nics: 4, addressSlotsPerNic: 5, ipv6SlotsPerNic: 2 };
const most: Readonly<Record<string, number>> = { a: 4, b: 4, rest: 4 };
const [first, second, third] = ['10.20.0.64/28', '10.20.0.96/28', '10.20.0.128/28'];

function pods(name: string, more: Record<string, unknown>): PodSubnet {
  return subnet(name, { cloudSubnet: 'subnet-a', useFirstNic: false, warm: { spare: 0 }, ...more });
}

const configs = [
  pods('a', { within: [first] }),
  pods('b', { within: [second] }),
  pods('rest', { default: true, useFirstNic: true, exclude: [first, second, third] }),
];
/** As somebody might change them: a block moves, a PodSubnet goes or comes. */
const changes: readonly (readonly PodSubnet[])[] = [
  configs,
  [pods('a', { within: [first, third] }), ...configs.slice(1)],
  configs.slice(1),
  configs.slice(0, 2),
  [pods('a', { within: [third] }), pods('b', { within: [first, second] }), ...configs.slice(2)],
];

function sound({ nics, node, instance, pulled }: Moment): void {
  const used = new Set<string>();
  for (const [name, taken] of node.pods) {
    for (const { nic: id, addresses } of taken) {
      for (const address of addresses) {
        assert.ok(!used.has(address), `${address} of ${name} is another Pod's too`);
        used.add(address);
        if (pulled.has(id)) continue;
        const nic = nics.find((one) => one.id === id);
        assert.equal(nic?.attachment?.instance, instance, `${id} of ${name} was taken away in use`);
        assert.ok(nic?.blocks.includes(hostCidr(address)), `${address} of ${name} was taken away in use`);
      }
    }
  }
  assert.ok(nics.filter(({ attachment }) => attachment?.instance === instance).length <= limits.nics);
}

test('interfaces that PodSubnets share, under faults and changes of whose a block is: nothing in use is gone or shared, all are served in the end, and nothing is left', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await simulate(seed, {
      configs,
      most,
      limits,
      sound,
      changed: (random) => changes[Math.floor(random() * changes.length)] ?? configs,
    }).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
  }
});
