/**
 * The cloud as a controller may use it: at the account's pace, without changes where the configuration forbids them, and with the ranges that no cloud
 * knows; or these alone.
 */
import { systemClock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import { withoutChanges } from '../cloud/limits/changes.ts';
import { gathered } from '../cloud/limits/gathered.ts';
import { paced, usualPaceTimes } from '../cloud/limits/paced.ts';
import { withRanges } from '../cloud/range/with-ranges.ts';
import { vpcCloud } from '../cloud/vpc/vpc.ts';
import type { NodeConfig } from '../store/node-config.ts';

/** How it is used. */
export interface CloudUse {
  /** Of one call; the driver's own when absent. */
  readonly deadline_ms?: number;
  /** Put around each driver: what it lets through is sent at once. */
  readonly fence: (driver: Cloud) => Cloud;
}

/** The cloud of a configuration, with those ranges. Dispose of it to close its connections. */
export function cloudOf(
  where: NonNullable<NodeConfig['spec']['cloud']>,
  ranges: Cloud,
  { deadline_ms, fence }: CloudUse,
): Cloud & Disposable {
  const allowed = (cloud: Cloud): Cloud => (where.changes ? cloud : withoutChanges(cloud));
  const own = allowed(fence(ranges));
  switch (where.type) {
    case 'none':
      return { ...own, [Symbol.dispose]: () => undefined };
    case 'vpc': {
      const driver = vpcCloud({ endpoint: where.endpoint, ...(deadline_ms !== undefined && { deadline_ms }) });
      const slow = gathered(paced(fence(driver), usualPaceTimes(where.pace), systemClock, Math.random));
      return { ...withRanges(allowed(slow), own), [Symbol.dispose]: () => driver[Symbol.dispose]() };
    }
    default:
      return where satisfies never;
  }
}
