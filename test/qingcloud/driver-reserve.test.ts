/** A reservation is all of it or nothing, whatever the cloud's answer promises. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NicId } from '../../src/cloud/cloud.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { fails } from '../cloud/scripted-server.ts';
import { json, macOf, nicItem, refused, scripted, type Scripted } from './scripted.ts';

const nic = macOf(1) as NicId;
const router = (network: string) => ({
  router_id: 'rtr-1',
  ip_network: `${network}.0/24`,
  manager_ip: `${network}.1`,
  dyn_ip_start: `${network}.2`,
  dyn_ip_end: `${network}.254`,
});

/** Where AllocateVips answers with so many ids, and each job ends well. */
async function answering(vips: readonly string[]): Promise<Scripted> {
  const server = await scripted();
  server.answers = {
    DescribeNics: json({ nic_set: [nicItem(1)], total_count: 1 }),
    DescribeVxnets: json({ vxnet_set: [{ vxnet_id: 'vxnet-1', router: router('10.20.0') }], total_count: 1 }),
    DescribeVips: json({ vip_set: [], total_count: 0 }),
    AllocateVips: json({ job_id: 'j-1', vips }),
    ReleaseVips: json({ job_id: 'j-2' }),
    DescribeJobs: json({ job_set: ['j-1', 'j-2'].map((job_id) => ({ job_id, status: 'successful' })), total_count: 2 }),
  };
  return server;
}

test('fewer reserved addresses than were asked for are no block: they are given back, and it is said', async () => {
  for (const [vips, words] of [
    [['vip-1'], /accepted for 1 of 16 addresses/],
    [[], /accepted for 0 of 16 addresses/],
  ] as const) {
    await using server = await answering(vips);
    await assert.rejects(server.cloud.assign(nic, { these: [parseCidr('10.20.0.64/28')] }), fails('cloudConflict', words));
    const asked = (action: string) => server.asked.filter((one) => one.action === action).map(({ query }) => query);
    const allocated = asked('AllocateVips');
    assert.deepEqual(
      asked('ReleaseVips').map((query) => query.get('vips.1')),
      vips.length === 0 ? [] : allocated.map(() => 'vip-1'),
      'each attempt is taken back',
    );
    assert.deepEqual([allocated[0]?.get('vip_range'), allocated[0]?.get('count')], ['10.20.0.64-10.20.0.79', '16']);
  }
});

test('a cloud that refuses reserved addresses of all vxnets for one that it does not know is asked for each', async () => {
  await using server = await scripted();
  const own = { vip_id: 'vip-1', vip_addr: '10.20.0.64', vip_name: `flatpod_${macOf(1).replaceAll(':', '')}_32_c`, vxnet_id: 'vxnet-1' };
  server.answers = {
    DescribeNics: json({ nic_set: [nicItem(1), nicItem(2, { vxnet_id: 'vxnet-gone' })], total_count: 2 }),
    DescribeVips: (response, { query }) => {
      const asked = [...query].flatMap(([key, value]) => (key.startsWith('vxnets.') ? value : []));
      if (asked.includes('vxnet-gone'))
        refused(2100, 'ResourceNotFound, vxnet-gone')(response, { method: '', path: '', action: '', query });
      else json({ vip_set: [own], total_count: 1 })(response, { method: '', path: '', action: '', query });
    },
    DescribeJobs: json({ job_set: [], total_count: 0 }),
  };
  const found = await server.cloud.nics({ ids: [nic, macOf(2) as NicId] });
  assert.deepEqual(
    found.map(({ blocks }) => blocks),
    [['10.20.0.64/32'], []],
  );
});
