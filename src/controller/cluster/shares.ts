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

/** To those with the least room for Pods first, one at a time: all are filled up to the same level, and what is left goes by name. */
function give(parts: readonly Part[], rest: number): void {
  const upTo = (part: Part, level: number): number => Math.max(0, Math.min(part.limit, part.used + level) - part.now);
  const most = Math.max(0, ...parts.map((part) => part.limit - part.used));
  const level = highest(most, (one) => sumOf(parts, (part) => upTo(part, one)) <= rest);
  let left = rest;
  for (const part of parts) {
    const more = upTo(part, level);
    part.now += more;
    left -= more;
  }
  const next = parts.filter((part) => roomOf(part) === level && part.now < part.limit).toSorted(byName);
  for (const part of next.slice(0, left)) part.now++;
}

/** From those with the most room first, one at a time: all are emptied down to the same level, and the rest goes by name. Answers with how much it was. */
function take(parts: readonly Part[], amount: number): number {
  const downTo = (part: Part, level: number): number => Math.max(0, part.now - part.floor - level);
  const most = Math.max(0, ...parts.map((part) => part.now - part.floor));
  // The lowest level is looked for from above.
  const level = most - highest(most, (below) => sumOf(parts, (part) => downTo(part, most - below)) <= amount);
  let taken = 0;
  for (const part of parts) {
    const less = downTo(part, level);
    part.now -= less;
    taken += less;
  }
  const next = level === 0 ? [] : parts.filter(({ now, floor }) => now - floor === level).toSorted(byName);
  for (const part of next.slice(0, amount - taken)) {
    part.now--;
    taken++;
  }
  return taken;
}

/** The highest whole number from 0 to `most` for which that is so; of a lower one it is so too. 0 when of none. */
function highest(most: number, isSo: (number: number) => boolean): number {
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (isSo(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function sumOf(parts: readonly Part[], of: (part: Part) => number): number {
  return parts.reduce((sum, part) => sum + of(part), 0);
}

function byName(a: Part, b: Part): number {
  return a.node < b.node ? -1 : 1;
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
