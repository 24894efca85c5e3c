/** What a plan means to the range of a PodSubnet. */
import type { Growing } from './grow.ts';
import type { SubnetPool } from './pools.ts';
import type { RangeNeed } from './range-rooms.ts';

/** undefined: it has no range. */
export function rangeNeedOf(pool: SubnetPool, { actions }: Pick<Growing, 'actions'>): RangeNeed | undefined {
  const { config, name, holding, pending, counted } = pool;
  if (config === undefined || pool.range === undefined) return undefined;
  const wants = actions.flatMap((action) => (action.do === 'assign' ? [action.want] : []));
  const coming = wants.reduce(
    (sum, { addresses4 = 0, prefixes6 = 0, these = [] }) => sum + (counted === 4 ? addresses4 + these.length : prefixes6),
    0,
  );
  const { inUse, cooling, waiting, held, maximum, unit } = holding;
  const free = held + pending - inUse - cooling;
  const short = Math.min(waiting - free, maximum - held);
  const brought = counted === 4 ? coming : coming * unit;
  // What cannot be used is idle, and nothing more of it is any help.
  if (pool.isUnplugged) return { subnet: name, coming, idle: Math.max(0, free), missing: 0 };
  return { subnet: name, coming, idle: Math.max(0, free - waiting), missing: Math.max(0, short - brought) };
}
