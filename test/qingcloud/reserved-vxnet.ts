/** A vxnet that hostnic has reserved whole, and drivers that may take over what it has. */
import assert from 'node:assert/strict';
import type { CreateNic, SubnetId, Wanted } from '../../src/cloud/cloud.ts';
import { qingCloud } from '../../src/cloud/qingcloud/qingcloud.ts';
import { cloudOf } from '../../src/cli/cloud.ts';
import { type Cidr, containsCidr, parseCidr } from '../../src/net/cidr.ts';
import { cloud as cloudConfig } from '../../src/store/clouds.ts';
import { memoryCloud } from '../cloud/memory-cloud.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';
import { type Double, key, qingcloudDouble, zone } from './double.ts';
import { PATIENCE_ms } from './ground.ts';
import { keyFile } from './key-file.ts';

/** What PodSubnets have of it. */
export const within = [parseCidr('10.20.0.64/28'), parseCidr('10.20.0.96/29')];

/** A NIC of the cluster `c`. */
export function request(subnet: SubnetId, want?: Wanted, clientToken = 't'): CreateNic {
  const tags = { 'flatpod.dev/cluster': 'c' };
  return { clientToken, subnet, securityGroups: [], tags, description: '', ...(want && { want }) };
}

/** A vxnet of which hostnic has reserved 10.20.0.16 to 10.20.0.239, by one call, as it does. */
export async function reservedVxnet() {
  await using building = new AsyncDisposableStack();
  const double = building.use(await qingcloudDouble());
  const subnet = (await double.vxnet()) as SubnetId;
  const name = `hostnic_${subnet}`;
  const reserving = { vxnet_id: subnet, vip_range: '10.20.0.16-10.20.0.239', count: 224, vip_name: name };
  const { job_id } = await double.ok('AllocateVips', reserving);
  assert.equal(await double.final(job_id), 'successful');
  const keys = building.use(keyFile(key.accessKeyId, key.secretAccessKey)).path;
  const drivers = building.use(new DisposableStack());
  const driver = (adoptVips?: string, origin = double.url) =>
    drivers.use(
      qingCloud({
        credentials: { from: 'file', path: keys },
        endpoint: `${origin}/iaas`,
        zone,
        deadline_ms: PATIENCE_ms,
        ...(adoptVips !== undefined && { adoptVips }),
      }),
    );
  /** The cloud as a controller has it by such a configuration. */
  const configured = (releases: boolean) => {
    const where = cloudConfig.parse({
      type: 'qingcloud',
      endpoint: `${double.url}/iaas`,
      zone,
      credentialsFile: keys,
      adoptVips: 'hostnic_',
      releases,
    });
    return drivers.use(
      cloudOf(where, memoryCloud(virtualClock()), { subnets: () => [], fence: (cloud) => cloud, fenceSteps: (part) => part }),
    );
  };
  const owned = building.move();
  return { double, subnet, driver, configured, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** By address, the name that it is reserved by. */
export async function reserved(double: Double, subnet: SubnetId): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const offset of [0, 100, 200])
    for (const { vip_addr, vip_name } of (await double.ok('DescribeVips', { 'vxnets.1': subnet, limit: 100, offset })).vip_set)
      found.set(vip_addr, vip_name);
  return found;
}

/** Whether a block is a part of those. */
export const isWithin = (block: Cidr): boolean => within.some((one) => containsCidr(one, block));
