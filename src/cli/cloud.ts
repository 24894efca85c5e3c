/**
 * The cloud as a controller may use it: at the account's pace, without changes where the configuration forbids them, and with the ranges that no cloud
 * knows; or these alone.
 */
import { systemClock } from '../cloud/clock.ts';
import type { Cloud, SubnetId } from '../cloud/cloud.ts';
import { withoutChanges, withoutReleases } from '../cloud/limits/changes.ts';
import { gathered } from '../cloud/limits/gathered.ts';
import { pacedBalancers, pacedGroup } from '../cloud/limits/paced-steps.ts';
import { pacedBy, turnstile, usualPaceTimes } from '../cloud/limits/paced.ts';
import { allowedSteps, type Stepwise } from '../cloud/limits/steps.ts';
import type { LoadBalancers } from '../cloud/load-balancers.ts';
import { withRanges } from '../cloud/range/with-ranges.ts';
import { awsCloud } from '../cloud/aws/aws.ts';
import type { BalancerOptions } from '../cloud/openstack/octavia/calls.ts';
import { openStackCloud } from '../cloud/openstack/openstack.ts';
import { qingCloud } from '../cloud/qingcloud/qingcloud.ts';
import type { SecurityGroup } from '../cloud/security-group.ts';
import { vpcCloud } from '../cloud/vpc/vpc.ts';
import { addressingIn } from '../store/addressing.ts';
import type { CloudConfig, LoadBalancerConfig } from '../store/clouds.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';

/** How it is used. */
export interface CloudUse {
  /** Of one call; the driver's own when absent. */
  readonly deadline_ms?: number;
  /** PodSubnets as they are now, those first that were there first: how a cloud lets addresses of one through may be its own affair. */
  readonly subnets: () => readonly PodSubnet[];
  /** Put around each driver: what it lets through is sent at once. */
  readonly fence: (driver: Cloud) => Cloud;
  /** The same for what it changes step by step. */
  readonly fenceSteps: <T extends Stepwise>(part: T) => T;
}

/** What a controller gets. */
export interface CloudInUse extends Cloud, Disposable {
  /** Where the configuration has them. */
  readonly loadBalancers?: LoadBalancers;
  /** Where it names one. */
  readonly securityGroup?: SecurityGroup;
}

/** The cloud of a configuration, with those ranges. Dispose of it to close its connections. */
export function cloudOf(where: CloudConfig, ranges: Cloud, { deadline_ms, subnets, fence, fenceSteps }: CloudUse): CloudInUse {
  const allowed = (cloud: Cloud): Cloud => {
    if (!where.changes) return withoutChanges(cloud);
    return where.releases ? cloud : withoutReleases(cloud);
  };
  const own = allowed(fence(ranges));
  if (where.type === 'none') return { ...own, [Symbol.dispose]: () => undefined };
  const { driver, balancers, group } = driverOf(where, { subnets, ...(deadline_ms !== undefined && { deadline_ms }) });
  const turn = turnstile(driver.name, usualPaceTimes(where.pace), systemClock, Math.random);
  const slow = gathered(pacedBy(fence(driver), turn));
  return {
    ...withRanges(allowed(slow), own),
    // Seldom, and no change: no turn has to be waited for.
    ...(where.changes && permissionsOf(driver, balancers)),
    ...(where.changes && driver.shortages !== undefined && { shortages: driver.shortages.bind(driver) }),
    ...(balancers && { loadBalancers: allowedSteps(pacedBalancers(fenceSteps(balancers), turn), where) }),
    ...(group && { securityGroup: allowedSteps(pacedGroup(fenceSteps(group), turn), where) }),
    [Symbol.dispose]: () => driver[Symbol.dispose](),
  };
}

/** Of interfaces, and of load balancers where they are used. */
function permissionsOf(driver: Cloud, balancers: LoadBalancers | undefined): Pick<Cloud, 'missingPermissions'> {
  if (driver.missingPermissions === undefined) return {};
  const ofInterfaces = driver.missingPermissions.bind(driver);
  return {
    missingPermissions: async (subnets) => [...(await ofInterfaces(subnets)), ...((await balancers?.missingPermissions?.()) ?? [])],
  };
}

interface Driver {
  readonly driver: Cloud & Disposable;
  readonly balancers?: LoadBalancers;
  readonly group?: SecurityGroup;
}

/** The driver, with what the configuration says and nothing else: absent fields are absent to it. */
function driverOf(
  where: Exclude<CloudConfig, { type: 'none' }>,
  { subnets, ...deadline }: Pick<CloudUse, 'deadline_ms' | 'subnets'>,
): Driver {
  switch (where.type) {
    case 'vpc':
      return { driver: vpcCloud({ endpoint: where.endpoint, ...deadline }) };
    case 'openstack': {
      const { cloud, cloudsFile: file, nicsPerInstance, pairsPerNic, branchesPerInstance: branches } = where;
      const credentials = { ...(cloud !== undefined && { cloud }), ...(file !== undefined && { file }) };
      const limits = { nicsPerInstance, pairsPerNic, ...(branches !== undefined && { branchesPerInstance: branches }) };
      const driver = openStackCloud({ credentials, addressing: (id) => addressingIn(subnets(), id), ...limits, ...deadline });
      const how = where.loadBalancers;
      return { driver, ...(how !== undefined && { balancers: driver.loadBalancers(balancerOptions(how)) }) };
    }
    case 'aws': {
      const { type: _, changes: _changes, releases: _releases, pace: _pace, ...options } = where;
      return { driver: awsCloud({ ...options, ...deadline }) };
    }
    case 'qingcloud': {
      const { type: _, changes: _changes, releases, pace: _pace, credentials: from, credentialsFile: path, adoptVips, ...options } = where;
      // To take a former plugin's reservations over is to release them first.
      const adopting = releases && adoptVips !== undefined ? { adoptVips } : {};
      const driver = qingCloud({ ...options, ...adopting, credentials: from === 'file' ? { from, path } : { from }, ...deadline });
      return { driver, ...(driver.securityGroup && { group: driver.securityGroup }) };
    }
    default:
      return where satisfies never;
  }
}

function balancerOptions({ subnet, default: _, ...how }: LoadBalancerConfig): BalancerOptions {
  // A subnet's id is the cloud's own, as the configuration has it.
  return { ...how, ...(subnet !== undefined && { subnet: subnet as SubnetId }) };
}
