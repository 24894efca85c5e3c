/** One plan of the node after another: what both have stays untouched. */
import { asFailure, sentence } from '../errors/failure.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { describe, nameOf, type Plan } from '../kernel/state.ts';
import type { Log } from '../log.ts';

/**
 * Adds what is new first, then takes away what no plan wants any more: at no moment is there less than both have in common. What cannot be taken away is a
 * line in the log. @throws Failure as apply().
 */
export function replacePlan(kernel: Kernel, log: Log, before: Plan, after: Plan): void {
  const known = new Set(before.map((object) => JSON.stringify(object)));
  kernel.apply(after.filter((object) => !known.has(JSON.stringify(object))));
  const wanted = new Set(after.map((object) => `${nameOf(object.where)} ${describe(object)}`));
  const stale = before.filter((object) => !wanted.has(`${nameOf(object.where)} ${describe(object)}`));
  if (stale.length === 0) return;
  kernel.remove(stale).catch((error: unknown) => log.warn(`removing what a NIC left failed: ${sentence(asFailure(error))}`));
}
