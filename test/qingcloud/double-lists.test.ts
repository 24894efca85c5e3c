/** What the double wants of those who ask for lists, and what it says of vxnets without DHCP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { qingcloudDouble } from './double.ts';

test('reserved addresses are listed by vxnets or by their ids, and not all at once', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const { vips, job_id } = await double.ok('AllocateVips', { vxnet_id: vxnet, count: 2 });
  assert.equal(await double.final(job_id), 'successful');
  assert.equal(await double.code('DescribeVips', {}), 1100);
  assert.equal((await double.ok('DescribeVips', { 'vxnets.1': vxnet })).total_count, 2);
  assert.equal((await double.ok('DescribeVips', { 'vips.1': vips[0] })).total_count, 1);
});

test('a list for an id that there is not has no line for it, or is refused: nobody here knows which, so it is a switch', async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const instance = await double.instance(vxnet);
  const [{ nic_id: nic }] = (await double.ok('CreateNics', { vxnet })).nics;
  const { vips, job_id } = await double.ok('AllocateVips', { vxnet_id: vxnet });
  assert.equal(await double.final(job_id), 'successful');
  const [{ router_id: router }] = (await double.ok('DescribeRouters')).router_set;
  const waiting = (await double.ok('CreateVxnets', { vxnet_type: 1 })).vxnets[0];
  const lists = [
    ['DescribeNics', 'nics', nic, '52:54:00:ff:ff:ff'],
    ['DescribeNics', 'vxnets', vxnet, 'vxnet-gone'],
    ['DescribeNics', 'instances', instance, 'i-gone'],
    ['DescribeInstances', 'instances', instance, 'i-gone'],
    ['DescribeVxnets', 'vxnets', waiting, router],
    ['DescribeVips', 'vxnets', vxnet, 'vxnet-gone'],
    ['DescribeVips', 'vips', vips[0], 'vip-gone'],
    ['DescribeJobs', 'jobs', job_id, 'j-gone'],
  ] as const;
  for (const refusesUnknownIds of [false, true]) {
    await double.turn({ refusesUnknownIds });
    for (const [action, kind, known, unknown] of lists) {
      assert.equal(await double.code(action, { [`${kind}.1`]: known }), 0, `${action} of ${kind}`);
      const both = { [`${kind}.1`]: known, [`${kind}.2`]: unknown };
      assert.equal(await double.code(action, both), refusesUnknownIds ? 2100 : 0, `${action} of ${kind}`);
    }
  }
});

test('a vxnet that joins its router without DHCP has no range of addresses for giving, until it joins with it', async () => {
  await using double = await qingcloudDouble();
  const [{ router_id: router }] = (await double.ok('DescribeRouters')).router_set;
  const vxnet = (await double.ok('CreateVxnets', { vxnet_type: 1 })).vxnets[0];
  for (const [features, first, last] of [
    [0, '', ''],
    [1, '10.20.9.4', '10.20.9.254'],
  ] as const) {
    const { job_id } = await double.ok('JoinRouter', { vxnet, router, ip_network: '10.20.9.0/24', features });
    assert.equal(await double.final(job_id), 'successful');
    const [shown] = (await double.ok('DescribeVxnets', { 'vxnets.1': vxnet })).vxnet_set;
    assert.deepEqual([shown.router.ip_network, shown.router.dyn_ip_start, shown.router.dyn_ip_end], ['10.20.9.0/24', first, last]);
    const [listed] = (await double.ok('DescribeRouterVxnets', { router })).router_vxnet_set;
    assert.equal(listed.features, features);
    await double.final((await double.ok('LeaveRouter', { router, 'vxnets.1': vxnet })).job_id);
  }
});
