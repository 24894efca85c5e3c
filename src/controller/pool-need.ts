/** How much a pool needs. Pure. */
import { blocksToAdd, heldAddresses } from '../ipam/target.ts';
import { excludedOf } from '../store/within.ts';
import type { SubnetPool } from './pools.ts';

/** In blocks of the pool's unit. */
export interface Need {
  /** Blocks the targets ask for. */
  readonly blocks: number;
  /** Those of them that the ceilings allow. */
  readonly allowed: number;
  /** Those that the ceiling of the node alone would allow. */
  readonly allowedHere: number;
  /** Addresses held, those given back among them. */
  readonly heldInAll: number;
}

/** What the targets ask for, and what the ceilings allow. */
export function needOf(pool: SubnetPool): Need {
  const { config, counted, returned, pending } = pool;
  // Where there is not plenty, only Pods that wait are served.
  const spare = pool.range?.isPlenty === false ? 0 : pool.holding.spare;
  const holding = { ...pool.holding, spare, held: pool.holding.held + pending };
  // A /80 has no end, so one that is out of reach leaves room for another.
  const beside = counted === 4 ? pool.outOfReach : 0;
  const heldInAll =
    holding.held + beside + heldAddresses(returned, counted, config === undefined ? [] : excludedOf(config.spec), holding.maximum);
  // What was given back is still held: the ceiling counts it until it is gone.
  const here = blocksToAdd({ ...holding, maximum: holding.maximum - (heldInAll - holding.held) });
  const allowed = Math.min(here, Math.floor(clusterRoom(pool) / holding.unit));
  return { blocks: blocksToAdd({ ...holding, maximum: Number.MAX_SAFE_INTEGER }), allowed, allowedHere: here, heldInAll };
}

/** Addresses that all nodes together may still get. Never below zero; without a ceiling or a range there is no end to it. */
export function clusterRoom({ ceiling, range, counted, holding }: SubnetPool): number {
  const inRange = range === undefined ? Number.POSITIVE_INFINITY : counted === 6 ? range.room * holding.unit : range.room;
  if (ceiling === undefined) return inRange;
  return ceiling.uncounted > 0 ? 0 : Math.min(inRange, Math.max(0, ceiling.room));
}
