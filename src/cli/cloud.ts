/** A driver as a controller may use it: at the account's pace, and without changes where the configuration forbids them. */
import { systemClock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import { withoutChanges } from '../cloud/limits/changes.ts';
import { gathered } from '../cloud/limits/gathered.ts';
import { paced, usualPaceTimes } from '../cloud/limits/paced.ts';

/** Wraps the driver. */
export function asIsAllowed(driver: Cloud, { changes, pace }: { readonly changes: boolean; readonly pace: number }): Cloud {
  const slow = gathered(paced(driver, usualPaceTimes(pace), systemClock, Math.random));
  return changes ? slow : withoutChanges(slow);
}
