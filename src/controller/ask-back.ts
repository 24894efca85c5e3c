/**
 * Which blocks the agent is asked for. Only the agent knows which of them Pods use, so an ask is a question: what is not given back within `stuck_ms` is
 * taken to be in use, and the ask is withdrawn as soon as there is a block to ask for in its place that was not tried lately.
 *
 * Invariants
 * - together the asks are never worth more than what the pool has too much of, as if all of them were free
 * - nothing new is asked for while an ADD waits; what was asked for a moment ago stays so while enough is free without it
 * - once nothing is too much, nothing is asked for
 * - every block has its turn, however many are in use: who was asked for in vain waits until all others were
 * - a block given back while its ask was withdrawn is asked for anew: the agent's promise holds until the block is granted no more
 */
import { blocksToTakeBack } from '../ipam/target.ts';
import { usableSize } from '../ipam/usable.ts';
import { type Cidr, cidrFamily, containsCidr, firstOf, lastOf, lengthOf } from '../net/cidr.ts';
import { isInRange } from '../net/range.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { excludedOf } from '../store/within.ts';
import { impossibleBlocks } from './grants.ts';
import { isClaimed, type ServingNic, type SubnetPool } from './pools.ts';
import type { Situation } from './situation.ts';
import { isFirst } from './uses.ts';

/** What changes about the asks. */
export interface Asks {
  readonly ask: readonly Cidr[];
  readonly withdraw: readonly Cidr[];
}

/** See the head of this file. */
export function asksOf(pool: SubnetPool, situation: Situation): Asks {
  const promised = pool.returned;
  const gone = strays(pool, situation);
  const leaving = [...pool.leaving.flatMap(({ grant }) => askable(grant.blocks, situation)), ...gone];
  const isWantedElsewhere = pool.range?.isCalledIn === true && (pool.demand.waiting === 0 || pool.isUnplugged);
  // Whatever is in use now is to come as soon as it is free.
  if (situation.spec.draining !== undefined || isWantedElsewhere) {
    const every = pool.serving.flatMap(({ grant }) => askable(grant.blocks, situation));
    return { ask: [...promised, ...leaving, ...every], withdraw: [] };
  }
  const all = inOrder(pool, situation)
    .flatMap(({ grant }) => askable(grant.blocks.toReversed(), situation))
    .filter((block) => !gone.includes(block));
  const counting = all.filter((block) => cidrFamily(block) === pool.counted);
  const asked = new Set(pool.serving.flatMap(({ grant }) => grant.reclaiming));
  const standing = counting.filter((block) => asked.has(block));
  const worth = (blocks: readonly Cidr[]): number => blocks.reduce((sum, block) => sum + worthOf(block, pool), 0);
  const { most, wanted } = surplus(pool, worth(standing));
  const isStuck = (block: Cidr): boolean => situation.stuck.has(block);
  const triedUntil_ms = (block: Cidr): number => situation.keptUntil_ms.get(block) ?? 0;
  const unasked = counting.filter((block) => !asked.has(block)).toSorted((a, b) => triedUntil_ms(a) - triedUntil_ms(b));
  const isKept = (block: Cidr): boolean => triedUntil_ms(block) > situation.now_ms;
  const fresh = within(
    most,
    standing.filter((block) => !isStuck(block)),
    pool,
  );
  const untried = within(
    wanted - worth(fresh),
    unasked.filter((block) => !isKept(block)),
    pool,
  );
  const stuck = within(wanted - worth([...fresh, ...untried]), standing.filter(isStuck), pool);
  const again = within(wanted - worth([...fresh, ...untried, ...stuck]), unasked.filter(isKept), pool);
  const chosen = new Set([...fresh, ...stuck]);
  const withdraw = standing.filter((block) => !chosen.has(block));
  const ask = [...promised, ...leaving, ...untried, ...again];
  return pool.isWhole ? { ask: wholly(ask, pool), withdraw: wholly(withdraw, pool) } : { ask, withdraw };
}

/**
 * What no further Pod is to get: single IPv6 addresses were some claim's (pools get IPv6 by /80, and do not count these); and whatever the subnet or the range
 * has no more, because that is another than it was.
 */
function strays({ serving, isWhole, config }: SubnetPool, situation: Situation): Cidr[] {
  if (isWhole) return [];
  return serving.flatMap(({ grant, nic }) => {
    const impossible = impossibleBlocks(nic, situation);
    const isStray = (block: Cidr): boolean =>
      (cidrFamily(block) === 6 && lengthOf(block) === 128) || impossible.includes(block) || isBeyond(config, block);
    return askable(grant.blocks, situation).filter(isStray);
  });
}

/** Whether the block is not wholly in the PodSubnet's own blocks, or not from the first to the last address of its range. */
function isBeyond(config: PodSubnet | undefined, block: Cidr): boolean {
  const { range, within: blocks, exclude = [] } = config?.spec ?? {};
  const isAmong = (all: readonly Cidr[]): boolean => all.some((one) => containsCidr(one, block));
  // What it excludes of them may be another PodSubnet's.
  if (blocks !== undefined && cidrFamily(block) === 4) return !isAmong(blocks) || isAmong(exclude);
  if (range === undefined) return false;
  const network = cidrFamily(block) === 4 ? range.ipv4 : range.ipv6;
  if (network === undefined) return true;
  const { cidr, first = firstOf(cidr), last = lastOf(cidr) } = network;
  return !(isInRange({ first, last }, firstOf(block)) && isInRange({ first, last }, lastOf(block)));
}

/** Addresses that may be asked for: in all, and by new asks. `standing`: what is asked for now. */
function surplus({ holding }: SubnetPool, standing: number): { most: number; wanted: number } {
  const { held, inUse, cooling, waiting, spare, minimum, unit } = holding;
  const wanted = blocksToTakeBack(holding) * unit;
  const bearable = Math.min(held - inUse - cooling - waiting - spare, held - minimum);
  if (standing <= Math.max(wanted, bearable)) return { most: Math.max(standing, wanted), wanted };
  // Down to where asking begins, or each further Pod would take one back.
  return { most: blocksToTakeBack({ ...holding, inUse: inUse + waiting, waiting: 0 }) * unit, wanted };
}

/** From the NIC with the fewest first, so that whole NICs become empty; from the first NIC last. */
function inOrder({ serving, isWhole }: SubnetPool, { now_ms, limits }: Situation): ServingNic[] {
  const rank = ({ grant, nic }: ServingNic): number => (isFirst(nic) ? Number.MAX_SAFE_INTEGER : grant.blocks.length);
  // A whole NIC goes with its address: a Pod that comes and goes must not cost one each time.
  const old = serving.filter(({ nic }) => !isWhole || now_ms - nic.createdAt_ms >= limits.nicAge_ms);
  return old.toSorted((a, b) => rank(a) - rank(b) || b.grant.deviceIndex - a.grant.deviceIndex);
}

/** With the other addresses of the interfaces that have these. */
function wholly(blocks: readonly Cidr[], { serving }: SubnetPool): Cidr[] {
  const beside = serving.filter(({ grant }) => grant.blocks.some((block) => blocks.includes(block))).flatMap(({ grant }) => grant.blocks);
  return [...new Set([...blocks, ...beside])];
}

/** As many of them, from the first on, as are worth no more than that together. */
function within(addresses: number, blocks: readonly Cidr[], pool: SubnetPool): Cidr[] {
  let left = addresses;
  return blocks.filter((block) => {
    const worth = worthOf(block, pool);
    // Of a block that is excluded as a whole Pods get nothing; it goes with others, or the cloud would give it to us again.
    if (left <= 0 || worth > left) return false;
    left -= worth;
    return true;
  });
}

function worthOf(block: Cidr, { config, holding }: SubnetPool): number {
  return Math.min(usableSize(block, config === undefined ? [] : excludedOf(config.spec)), holding.maximum);
}

/** Those that may be asked for: not what the agent lists as given back, nor what belongs to claims. */
export function askable(blocks: readonly Cidr[], situation: Situation): Cidr[] {
  return blocks.filter((block) => !situation.spec.returned.includes(block) && !isClaimed(block, situation));
}
