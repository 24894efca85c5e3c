/** Which addresses the driver chooses of blocks that are a PodSubnet's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeBlocks } from '../../src/cloud/aws/free-blocks.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { ipFromBigInt, ipToBigInt, parseIp } from '../../src/net/address.ts';
import { type Cidr, hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { awsBed } from './ground.ts';
import { wire } from './wire.ts';

const cidrs = (...texts: readonly string[]): Cidr[] => texts.map(parseCidr);
const request = { securityGroups: [], tags: { 'flatpod.dev/cluster': 'c' }, description: '' };

test('the lowest free blocks are chosen, aligned, in the gaps of what is taken, and within what is named', () => {
  const within = cidrs('10.0.1.0/24', '10.0.0.0/27', '10.0.0.16/28');
  const taken = cidrs('10.0.0.0/29', '10.0.0.3/32', '10.0.0.8/32', '10.0.0.20/32', '10.0.1.0/26', '2001:db8::/80');
  assert.deepEqual(freeBlocks(within, 32, 3, taken), cidrs('10.0.0.9/32', '10.0.0.10/32', '10.0.0.11/32'));
  assert.deepEqual(freeBlocks(within, 28, 2, taken), cidrs('10.0.1.64/28', '10.0.1.80/28'));
  assert.equal(freeBlocks(within, 28, 99, taken).length, 12, 'and no more than there are');
  assert.deepEqual(
    freeBlocks(cidrs('255.255.255.252/30'), 32, 9, cidrs('255.255.255.252/31')),
    cidrs('255.255.255.254/32', '255.255.255.255/32'),
  );
  assert.deepEqual(freeBlocks(cidrs('10.0.0.0/30'), 28, 1, []), [], 'a block that is larger than all of it');
});

test('of a large block of which every second address is held in no order the others are found, and the whole blocks beside them', () => {
  const start = ipToBigInt(parseIp('10.0.0.0'));
  const at = (offset: number): Cidr => hostCidr(ipFromBigInt(start + BigInt(offset), 4));
  // 1031 has no divisor in common with 4000: each comes once.
  const held = Array.from({ length: 4000 }, (_, i) => at(((i * 1031) % 4000) * 2));
  const within = cidrs('10.0.0.0/18');
  const free = freeBlocks(within, 32, 5000, held);
  assert.deepEqual(
    free,
    Array.from({ length: 5000 }, (_, i) => at(i < 4000 ? 2 * i + 1 : 4000 + i)),
  );
  assert.deepEqual(freeBlocks(within, 28, 1, held), cidrs('10.0.31.64/28'));
});

test('many interfaces that get addresses of one block at a time get each its own at the first attempt', async () => {
  await using bed = await awsBed();
  await using between = await wire(bed.url);
  const cloud = bed.driver({ endpoint: between.url });
  const subnet = await bed.subnet('10.20.0.0/24');
  const nics = await Promise.all(Array.from({ length: 6 }, (_, i) => cloud.createNic({ ...request, clientToken: `t${i}`, subnet })));
  const within = cidrs('10.20.0.64/27');
  const given = (await Promise.all(nics.map(({ id }) => cloud.assign(id, { addresses4: 4, within })))).flat();
  const assigns = between.calls.filter(({ action }) => action === 'AssignPrivateIpAddresses');
  assert.deepEqual([new Set(given).size, assigns.length], [24, 6]);
  const [nic] = nics;
  assert.ok(nic !== undefined);
  // What is free by now, though it was asked for a moment ago, is chosen when nothing else is left.
  await cloud.unassign(nic.id, given.slice(0, 4));
  assert.equal((await cloud.assign(nic.id, { addresses4: 12, within })).length, 12);
  await assert.rejects(cloud.assign(nic.id, { addresses4: 1, within }), (error: unknown) => isFailure(error, 'cloudSubnetFull'));
});

test('an interface that is made with addresses by value alone is made by one call, also where others would have to be within blocks', async () => {
  await using bed = await awsBed();
  await using between = await wire(bed.url);
  const cloud = bed.driver({ endpoint: between.url });
  const subnet = await bed.subnet('10.20.0.0/24');
  const within = cidrs('10.20.0.64/27');
  const these = cidrs('10.20.0.77/32');
  const made = await cloud.createNic({ ...request, clientToken: 'a', subnet, want: { these, within } });
  assert.deepEqual(made.blocks, these);
  assert.deepEqual((await cloud.createNic({ ...request, clientToken: 'b', subnet, want: { within } })).blocks, []);
  const changes = between.calls.map(({ action }) => action).filter((action) => !action.startsWith('Describe'));
  assert.deepEqual(changes, ['CreateNetworkInterface', 'CreateNetworkInterface']);
});
