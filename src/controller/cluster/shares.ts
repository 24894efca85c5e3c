/**
 * How what is left of a cloud subnet is shared out among nodes, so that the scheduler can be told how many Pods each may have: pure.
 *
 * Invariants
 * - all shares together are never more than there is, unless more is held or used already
 * - a share is never less than what the node holds or uses, and never raised above what the node can hold
 * - what is taken from one node is given to another only after a while, when it is sure that no Pod was placed there meanwhile (`pledged`)
 * - nothing changes as long as no Pod is without a node
 */

/** One node and one PodSubnet. All in addresses. */
export interface Sharer {
  readonly node: string;
  /** On its interfaces. */
  readonly held: number;
  /** Pods that have one or are placed there. */
  readonly used: number;
  /** What it could hold at the most. */
  readonly limit: number;
  /** Its share until now; undefined: it is new. */
  readonly share: number | undefined;
}

/** One PodSubnet. */
export interface Sharing {
  /** Addresses that all nodes together can have. */
  readonly total: number;
  /** Taken from nodes a moment ago, and not to be given yet. */
  readonly pledged: number;
  /** Whether there are Pods that the scheduler finds no node for, for want of addresses. */
  readonly isWanting: boolean;
}

/** What each node's share is from now on, by its name; `taken`: how much of it was taken from nodes to be given to others later. */
export interface Shares {
  readonly shares: ReadonlyMap<string, number>;
  readonly taken: number;
}

interface Part extends Sharer {
  readonly floor: number;
  now: number;
}

/** See the head of this file. */
export function sharesOf(sharers: readonly Sharer[], { total, pledged, isWanting }: Sharing): Shares {
  const parts = sharers.map((one): Part => {
    const floor = Math.max(one.held, one.used);
    return { ...one, floor, now: Math.max(floor, Math.min(one.share ?? floor, one.limit)) };
  });
  const rest = total - pledged - parts.reduce((sum, { now }) => sum + now, 0);
  if (rest > 0) give(parts, rest);
  else if (rest < 0) take(parts, -rest);
  const taken = isWanting && rest <= 0 ? take(parts, wanted(parts)) : 0;
  return { shares: new Map(parts.map(({ node, now }) => [node, now])), taken };
}

/** To those with the least room for Pods first, one at a time. */
function give(parts: readonly Part[], rest: number): void {
  const open = parts.filter(({ now, limit }) => now < limit);
  let left = rest;
  while (left > 0 && open.length > 0) {
    open.sort((a, b) => roomOf(a) - roomOf(b) || (a.node < b.node ? -1 : 1));
    const [first, second] = open;
    if (first === undefined) return;
    // Up to the next one at once: subnets may have thousands of addresses.
    const step = Math.max(
      1,
      Math.min((second === undefined ? first.limit : roomOf(second)) - roomOf(first), first.limit - first.now, left),
    );
    first.now += step;
    left -= step;
    if (first.now >= first.limit) open.shift();
  }
}

/** From those with the most room first. Answers with how much it was. */
function take(parts: readonly Part[], amount: number): number {
  let taken = 0;
  const movable = parts.filter(({ now, floor }) => now > floor);
  while (taken < amount && movable.length > 0) {
    movable.sort((a, b) => b.now - b.floor - (a.now - a.floor) || (a.node < b.node ? -1 : 1));
    const [first, second] = movable;
    if (first === undefined) break;
    const next = second === undefined ? 0 : second.now - second.floor;
    const step = Math.max(1, Math.min(first.now - first.floor - next, first.now - first.floor, amount - taken));
    first.now -= step;
    taken += step;
    if (first.now <= first.floor) movable.shift();
  }
  return taken;
}

/** Half of what could be moved, at least one; nothing when no node is in need of it. */
function wanted(parts: readonly Part[]): number {
  if (!parts.some((part) => roomOf(part) <= 0 && part.now < part.limit)) return 0;
  return Math.ceil(parts.reduce((sum, { now, floor }) => sum + now - floor, 0) / 2);
}

/** How many more Pods it may have. */
function roomOf({ now, used }: Part): number {
  return now - used;
}
