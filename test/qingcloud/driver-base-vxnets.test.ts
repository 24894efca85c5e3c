/** Base vxnets, which a cloud lists only for those who ask for that kind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import { json, refused, scripted, type Scripted } from './scripted.ts';

const [plain, base] = ['vxnet-1', 'vxnet-2'] as [SubnetId, SubnetId];

async function listing(server: Scripted, ids: readonly SubnetId[]): Promise<{ found: string[]; kinds: (string | null)[] }> {
  const found = (await server.cloud.subnets(ids)).map(({ id }) => id as string);
  return { found, kinds: server.asked.splice(0).map(({ query }) => query.get('vxnet_type')) };
}

test('a vxnet that the list lacks is looked for among base vxnets, as hostnic does, and nothing else is asked twice', async () => {
  await using server = await scripted();
  server.answers = {
    DescribeVxnets: (response, asked) => {
      const [id, isBase] = [asked.query.get('vxnets.1'), asked.query.get('vxnet_type') === '2'];
      const set = id === (isBase ? base : plain) ? [{ vxnet_id: id }] : [];
      json({ vxnet_set: set, total_count: set.length })(response, asked);
    },
  };
  assert.deepEqual(await listing(server, [plain]), { found: [plain], kinds: [null] });
  assert.deepEqual(await listing(server, [plain, base]), { found: [plain, base], kinds: [null, '2'] });
  assert.deepEqual(await listing(server, ['vxnet-0' as SubnetId]), { found: [], kinds: [null, '2'] });
});

test('a cloud without base vxnets, which refuses to be asked for them in whatever words, has none', async () => {
  for (const no of [
    refused(1100, 'InvalidRequestParameter, vxnet_type'),
    refused(1400, 'PermissionDenied, access denied'),
    refused(1400, 'PermissionDenied, not for vxnets of this type'),
  ]) {
    await using server = await scripted();
    server.answers = {
      DescribeVxnets: (response, asked) =>
        asked.query.has('vxnet_type') ? no(response, asked) : json({ vxnet_set: [{ vxnet_id: plain }], total_count: 1 })(response, asked),
    };
    assert.deepEqual(await listing(server, [plain, base]), { found: [plain], kinds: [null, '2'] });
  }
});
