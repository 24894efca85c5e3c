/**
 * How a pool gives back, by the handshake of node-network.ts: ask back → the agent returns → unassign; an empty NIC goes after its blocks.
 * Which blocks are asked back: ask-back.ts.
 *
 * Invariants
 * - a block is unassigned only when we had asked it back and the agent has returned it, and never when the agent's own numbers say it must be in use
 * - the first NIC stays; a NIC goes only when the cloud knows no block on it
 */
import type { NicId } from '../cloud/cloud.ts';
import { isRangeNic } from '../cloud/range/ids.ts';
import { usableSize } from '../ipam/usable.ts';
import { type Cidr, cidrFamily } from '../net/cidr.ts';
import type { Action } from './action.ts';
import { askable, asksOf } from './ask-back.ts';
import { emptyNics } from './grow.ts';
import { isClaimed, type ServingNic, type SubnetPool } from './pools.ts';
import type { Situation } from './situation.ts';
import { isWhole } from './uses.ts';
import { isReturned } from './vanished.ts';

/** What goes. */
export interface Shrinking {
  /** Blocks the agent is asked for from now on. */
  readonly askBack: readonly Cidr[];
  /** Blocks that it is not asked for any more. */
  readonly withdraw: readonly Cidr[];
  /** NICs taken out of the grants, then unplugged. */
  readonly release: readonly NicId[];
  /** Whole NICs whose handshake is complete, to be released one at a time: what is told to the agent of one must be done before it forgets that it gave it back. */
  readonly wholes: readonly NicId[];
  readonly actions: readonly Action[];
  /** Blocks whose return contradicts what else the agent says. */
  readonly doubted: readonly Cidr[];
}

/** What the pool gives back. `growing`: NICs that are about to take more. */
export function shrinkPool(pool: SubnetPool, situation: Situation, growing: ReadonlySet<NicId>): Shrinking {
  const isStopped = situation.shrinkStopped || (pool.isWhole && situation.detachStopped);
  if (isStopped || situation.stopped !== undefined || situation.instance.state === 'terminated') {
    return { askBack: [], withdraw: [], release: [], wholes: [], actions: [], doubted: [] };
  }
  const { doubted, unassigns, wholes } = returns(pool, situation);
  const surplus = surplusNics(pool, situation, growing);
  const release = situation.detachStopped ? [] : surplus.filter((one) => isReleasable(one, situation)).map(({ nic }) => nic.id);
  const { ask, withdraw } = asksOf(pool, situation);
  const askBack = [...ask, ...surplus.flatMap(({ grant }) => askable(grant.blocks, situation))];
  return { askBack, withdraw, release, wholes, actions: [...unassigns, ...release.map((nic): Action => ({ do: 'detach', nic }))], doubted };
}

/** Blocks whose handshake is complete. */
function returns(pool: SubnetPool, situation: Situation): { unassigns: Action[]; wholes: NicId[]; doubted: Cidr[] } {
  const { spec, doubted, claims, nics } = situation;
  const all = [...pool.serving, ...pool.leaving];
  // By what the cloud shows alone: what it does not show any more is gone, also from an interface that was pulled out with its grant still standing.
  const shown = new Map(nics.map(({ id, blocks }) => [id, new Set(blocks)]));
  const isDone = ({ nic, grant }: ServingNic, block: Cidr): boolean =>
    (isReturned(grant, block, spec) || claims.forced.has(block)) && shown.get(nic.id)?.has(block) === true && !doubted.has(block);
  const done = all.map((one) => ({ ...one, blocks: one.grant.reclaiming.filter((block) => isDone(one, block)) }));
  const returned = done.flatMap(({ blocks }) => blocks).filter((block) => !isClaimed(block, situation));
  if (contradicts(pool, all, returned, situation)) return { unassigns: [], wholes: [], doubted: returned };
  const some = done.filter(({ blocks }) => blocks.length > 0);
  const unassigns = some
    .filter(({ nic }) => !isWhole(nic))
    .map(({ nic: { id: nic }, blocks }): Action => ({ do: 'unassign', nic, blocks }));
  const wholes = some.filter(({ nic, grant, blocks }) => isWhole(nic) && grant.blocks.every((block) => blocks.includes(block)));
  return { unassigns, wholes: wholes.map(({ nic }) => nic.id), doubted: [] };
}

/** Without what was returned there would not be room for what is in use: the agent's word is not true, or not of now. */
function contradicts(
  { demand, counted }: SubnetPool,
  all: readonly ServingNic[],
  returned: readonly Cidr[],
  situation: Situation,
): boolean {
  const kept = all
    .flatMap(({ grant }) => grant.blocks)
    .filter((block) => cidrFamily(block) === counted && !returned.includes(block) && !isClaimed(block, situation));
  // A Pod may be on any address of them, also on one that is excluded since.
  const room = kept.reduce((sum, block) => sum + usableSize(block, []), 0);
  return returned.some((block) => cidrFamily(block) === counted) && room < demand.inUse + demand.cooling;
}

/**
 * Empty NICs nobody needs: all beyond the spare ones, the highest device index first. One that the node lacks stays until the node leaves: on a node that sees
 * no new one at all there would be another in its place, time and again.
 */
function surplusNics(pool: SubnetPool, { spec }: Situation, growing: ReadonlySet<NicId>): ServingNic[] {
  const spares = spec.draining !== undefined ? 0 : (pool.config?.spec.warm.spareNics ?? 0);
  const isSeen = ({ nic }: ServingNic): boolean => spec.draining !== undefined || spec.unplugged?.includes(nic.id) !== true;
  const empty = emptyNics(pool).filter((one) => !growing.has(one.nic.id) && isSeen(one));
  const beyond = empty.sort((a, b) => b.grant.deviceIndex - a.grant.deviceIndex).slice(0, Math.max(0, empty.length - spares));
  return [
    ...beyond,
    ...pool.leaving.filter(
      ({ grant, nic, isGuest, isLacked }) =>
        !isGuest && (!isLacked || spec.draining !== undefined) && grant.deviceIndex !== 0 && nic.blocks.length === 0 && !isRangeNic(nic.id),
    ),
  ];
}

/** Old enough, so that a Pod that comes and goes does not cost a NIC each time; and without any block. */
function isReleasable({ nic, grant }: ServingNic, { now_ms, limits, spec }: Situation): boolean {
  const isOld = now_ms - nic.createdAt_ms >= limits.nicAge_ms || spec.draining !== undefined;
  return isOld && nic.blocks.length === 0 && grant.blocks.length === 0;
}
