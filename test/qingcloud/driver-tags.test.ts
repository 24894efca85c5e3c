/** Tags of the account on NICs that the driver makes, on the strict double. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateNic, SubnetId } from '../../src/cloud/cloud.ts';
import { qingCloud } from '../../src/cloud/qingcloud/qingcloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { call } from '../vpc/support.ts';
import { type Double, key, qingcloudDouble, zone } from './double.ts';
import { PATIENCE_ms } from './ground.ts';
import { heldTime } from './held-time.ts';
import { keyFile } from './key-file.ts';

const request = (subnet: string): CreateNic => ({
  clientToken: 't',
  subnet: subnet as SubnetId,
  securityGroups: [],
  tags: { 'flatpod.dev/cluster': 'c' },
  description: '',
});

function driver(double: Double, tags: readonly string[], deadline_ms = PATIENCE_ms) {
  const file = keyFile(key.accessKeyId, key.secretAccessKey);
  const cloud = qingCloud({
    credentials: { from: 'file', path: file.path },
    endpoint: `${double.url}/iaas`,
    zone,
    tags,
    deadline_ms,
  });
  return {
    cloud,
    [Symbol.dispose]() {
      cloud[Symbol.dispose]();
      file[Symbol.dispose]();
    },
  };
}

async function tagsOf(double: Double, nic: string): Promise<string[]> {
  const [shown] = (await double.ok('DescribeNics', { 'nics.1': nic })).nic_set;
  return shown.tags.map(({ tag_id }: { tag_id: string }) => tag_id).toSorted();
}

test('a new NIC gets all tags by one call, also one whose CreateNics or AttachTags had no answer', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const ids: string[] = [];
  for (const name of ['bills', 'team']) ids.push((await double.ok('CreateTag', { tag_name: name })).tag_id);
  using one = driver(double, ids);
  const { id } = await one.cloud.createNic(request(vxnet));
  assert.deepEqual(await tagsOf(double, id), ids.toSorted());
  assert.equal((await double.counts())['AttachTags'], 1);
  for (const action of ['CreateNics', 'AttachTags']) {
    await double.fault(action, { kind: 'truncate' });
    const again = { ...request(vxnet), clientToken: `lost-${action}` };
    await assert.rejects(one.cloud.createNic(again), (error) => isFailure(error, 'cloudUnavailable'));
    const made = await one.cloud.createNic(again);
    assert.deepEqual(await tagsOf(double, made.id), ids.toSorted());
  }
  assert.equal((await one.cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } })).length, 3, 'none was made twice');
});

test('a tag that the account has not is named, and the NIC that cannot have it goes again', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  using one = driver(double, ['tag-00000001']);
  await assert.rejects(one.cloud.createNic(request(vxnet)), (error) => {
    assert.ok(isFailure(error, 'cloudInvalid'));
    assert.match(error.details, /2100.*spec\.cloud\.tags names \(tag-00000001\)/);
    return true;
  });
  assert.deepEqual(await one.cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } }), []);
});

test('a NIC that the cloud does not find yet gets its tags when it does; nothing of it is deleted meanwhile, and none is made twice', async (t) => {
  const time = heldTime(t);
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const { tag_id } = await double.ok('CreateTag', { tag_name: 'bills' });
  using one = driver(double, [tag_id]);
  await one.cloud.createNic(request(vxnet));
  /** Lists are old, and so many calls do not find the NIC. */
  const behind = async (refused: number): Promise<() => Promise<void>> => {
    const { body } = await double.own('POST', '/v1/faults', { call: 'DescribeNics', effect: { kind: 'staleReads', ms: 600_000 } });
    await double.fault('AttachTags', { kind: 'refuse', code: 2100, message: 'resource not found' }, refused);
    return async () => {
      assert.equal((await double.own('DELETE', `/v1/faults/${body.id}`)).status, 204);
      assert.ok((await call(double.url, 'DELETE', '/double/faults')).status < 300);
    };
  };
  let caughtUp = await behind(3);
  const late = await time.during(one.cloud.createNic({ ...request(vxnet), clientToken: 'late' }));
  assert.equal((await double.counts())['DeleteNics'], undefined);
  await caughtUp();
  assert.deepEqual(await tagsOf(double, late.id), [tag_id]);

  // Lists that are older than a call has time for: it is as after a lost answer.
  using hasty = driver(double, [tag_id], 20_000);
  caughtUp = await behind(1000);
  const hidden = { ...request(vxnet), clientToken: 'hidden' };
  const unavailable = (error: unknown): boolean => isFailure(error, 'cloudUnavailable');
  await assert.rejects(time.during(hasty.cloud.createNic(hidden)), unavailable);
  await assert.rejects(hasty.cloud.createNic(hidden), unavailable, 'it may be made already');
  await caughtUp();
  const found = await hasty.cloud.createNic(hidden);
  assert.deepEqual(await tagsOf(double, found.id), [tag_id]);
  assert.equal((await one.cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } })).length, 3);
  assert.equal((await double.counts())['DeleteNics'], undefined);
});

test('without tags the key needs no right for them; with tags it is named when it is missing', async () => {
  await using double = await qingcloudDouble();
  const vxnet = (await double.vxnet()) as SubnetId;
  await double.turn({ denied: ['AttachTags'] });
  using without = driver(double, []);
  using tagging = driver(double, ['tag-00000001']);
  assert.deepEqual(await without.cloud.missingPermissions?.([vxnet]), []);
  assert.deepEqual(await tagging.cloud.missingPermissions?.([vxnet]), ['AttachTags']);
  await without.cloud.createNic(request(vxnet));
});
