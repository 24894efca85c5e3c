/**
 * The cloud as a controller may use it: at the account's pace, without changes where the configuration forbids them, and with the ranges that no cloud
 * knows; or these alone.
 */
import { systemClock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import { withoutChanges, withoutReleases } from '../cloud/limits/changes.ts';
import { gathered } from '../cloud/limits/gathered.ts';
import { paced, usualPaceTimes } from '../cloud/limits/paced.ts';
import { withRanges } from '../cloud/range/with-ranges.ts';
import { awsCloud } from '../cloud/aws/aws.ts';
import { openStackCloud } from '../cloud/openstack/openstack.ts';
import { qingCloud } from '../cloud/qingcloud/qingcloud.ts';
import { vpcCloud } from '../cloud/vpc/vpc.ts';
import type { CloudConfig } from '../store/clouds.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';

/** How it is used. */
export interface CloudUse {
  /** Of one call; the driver's own when absent. */
  readonly deadline_ms?: number;
  /** PodSubnets as they are now: how a cloud lets addresses of one through may be its own affair. */
  readonly subnets: () => readonly PodSubnet[];
  /** Put around each driver: what it lets through is sent at once. */
  readonly fence: (driver: Cloud) => Cloud;
}

/** The cloud of a configuration, with those ranges. Dispose of it to close its connections. */
export function cloudOf(where: CloudConfig, ranges: Cloud, { deadline_ms, subnets, fence }: CloudUse): Cloud & Disposable {
  const allowed = (cloud: Cloud): Cloud => {
    if (!where.changes) return withoutChanges(cloud);
    return where.releases ? cloud : withoutReleases(cloud);
  };
  const own = allowed(fence(ranges));
  if (where.type === 'none') return { ...own, [Symbol.dispose]: () => undefined };
  const driver = driverOf(where, { subnets, ...(deadline_ms !== undefined && { deadline_ms }) });
  const slow = gathered(paced(fence(driver), usualPaceTimes(where.pace), systemClock, Math.random));
  return {
    ...withRanges(allowed(slow), own),
    // Seldom, and no change: no turn has to be waited for.
    ...(driver.missingPermissions !== undefined && where.changes && { missingPermissions: driver.missingPermissions.bind(driver) }),
    [Symbol.dispose]: () => driver[Symbol.dispose](),
  };
}

/** The driver, with what the configuration says and nothing else: absent fields are absent to it. */
function driverOf(where: Exclude<CloudConfig, { type: 'none' }>, { subnets, ...deadline }: Omit<CloudUse, 'fence'>): Cloud & Disposable {
  switch (where.type) {
    case 'vpc':
      return vpcCloud({ endpoint: where.endpoint, ...deadline });
    case 'openstack': {
      const { cloud, cloudsFile: file, nicsPerInstance, pairsPerNic, branchesPerInstance: branches } = where;
      const credentials = { ...(cloud !== undefined && { cloud }), ...(file !== undefined && { file }) };
      const limits = { nicsPerInstance, pairsPerNic, ...(branches !== undefined && { branchesPerInstance: branches }) };
      return openStackCloud({ credentials, addressing: (id) => addressingOf(subnets(), id), ...limits, ...deadline });
    }
    case 'aws': {
      const { type: _, changes: _changes, releases: _releases, pace: _pace, ...options } = where;
      return awsCloud({ ...options, ...deadline });
    }
    case 'qingcloud': {
      const { type: _, changes: _changes, releases: _releases, pace: _pace, credentials: from, credentialsFile: path, ...options } = where;
      return qingCloud({ ...options, credentials: from === 'file' ? { from, path } : { from }, ...deadline });
    }
    default:
      return where satisfies never;
  }
}

/** Of one of Neutron's subnets: what the PodSubnet that names it says. */
function addressingOf(subnets: readonly PodSubnet[], id: string): PodSubnet['spec']['addressing'] {
  return subnets.find(({ spec: { cloudSubnet = '' } }) => cloudSubnet.split('+').includes(id))?.spec.addressing;
}
