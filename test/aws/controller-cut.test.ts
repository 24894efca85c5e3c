/** A counted assign cannot be repeated: whatever of it is lost, the controller reads back what it brought, assigns nothing twice and leaks nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudNic, InstanceId } from '../../src/cloud/cloud.ts';
import { subnet } from '../controller/harness.ts';
import { type Site, site, until } from './site.ts';
import type { Loss } from './wire.ts';

const pods = 5;

/** All that lies on the node: the first interface's addresses too. */
async function blocksOf({ truth }: Site, instance: InstanceId): Promise<CloudNic['blocks'][number][]> {
  return (await truth.nics({ instance })).flatMap(({ blocks }) => blocks);
}

async function withLoss(action: string, what: Loss): Promise<void> {
  await using at = await site();
  const { bed, between, lines } = at;
  const id = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  const instance = await bed.launch(id);
  const config = subnet('pods', { cloudSubnet: id, default: true, families: [4, 6], warm: { spare: 0 } });
  let isLost = false;
  between.lose = (call) => {
    if (isLost || call.action !== action) return undefined;
    isLost = true;
    return what;
  };
  await at.controller([config]);
  const node = await at.node(instance, config);
  await node.want(pods);
  await until(`${pods} Pods have addresses after ${action} lost its ${what}`, () => node.leases.length === pods, lines);
  assert.ok(isLost, `${action} was called`);
  const given = node.leases.flatMap(({ addresses }) => addresses);
  assert.equal(new Set(given).size, 2 * pods, 'nobody has an address twice');
  const there = await blocksOf(at, instance);
  assert.deepEqual(
    [there.filter(isAddress).length, new Set(there).size],
    [pods, there.length],
    'as many as were asked for, and none of them twice',
  );
  assert.ok(!between.calls.some((call) => call.action.startsWith('Unassign')), 'nothing was assigned in vain and taken back');

  await node.want(0);
  // The first interface keeps its /80, of which there is no end.
  const isBack = async (): Promise<boolean> => (await at.ours()).length === 0 && !(await blocksOf(at, instance)).some(isAddress);
  await until('all is given back', isBack, lines);
}

const isAddress = (block: string): boolean => block.endsWith('/32');

for (const action of ['AssignPrivateIpAddresses', 'AssignIpv6Addresses', 'CreateNetworkInterface', 'AttachNetworkInterface'])
  for (const what of ['request', 'answer'] as const)
    test(`${action} loses its ${what}: five Pods get five addresses, and in the end all is given back`, () => withLoss(action, what));
