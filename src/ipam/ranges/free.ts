/**
 * Which address comes next: a search over ranges that jumps from one used run to the next, so that a full /16 costs as much as an empty one.
 * Pure: what is used, the caller's index tells.
 */
import { familyOf, type Ip, ipFromBigInt, ipToBigInt } from '../../net/address.ts';
import { type AddressRange, isInRange, nextIp, sizeOfRange } from '../../net/range.ts';

/** A range that is searched, without what may never be given. */
export interface SearchedRange extends AddressRange {
  /** May overlap, and reach beyond the range. */
  readonly skip: readonly AddressRange[];
}

/** In which order addresses are given: the lowest free one, the one after the last given, or any. */
export type Order = 'lowest' | 'next' | 'random';

/** The last address of the run of used addresses that holds this one; undefined when it is free. */
export type UsedUntil = (ip: Ip) => Ip | undefined;

/** Where a search begins; undefined: at the beginning. `given` is the address given last, `below` a random number under its argument. */
export function startOf(
  order: Order,
  ranges: readonly AddressRange[],
  given: Ip | undefined,
  below: (limit: bigint) => bigint,
): Ip | undefined {
  switch (order) {
    case 'lowest':
      return undefined;
    case 'next':
      return given === undefined ? undefined : following(ranges, given);
    case 'random': {
      let rest = below(ranges.reduce((sum, range) => sum + sizeOfRange(range), 0n));
      for (const range of ranges) {
        if (rest < sizeOfRange(range)) return ipFromBigInt(ipToBigInt(range.first) + rest, familyOf(range.first));
        rest -= sizeOfRange(range);
      }
      return undefined;
    }
  }
}

/** The address after it: the next of its range, or the first of the range that follows. */
function following(ranges: readonly AddressRange[], given: Ip): Ip | undefined {
  const at = ranges.findIndex((range) => isInRange(range, given));
  if (at < 0) return undefined;
  const next = nextIp(given);
  const [own, after] = [ranges[at], ranges[at + 1]];
  return own !== undefined && next !== undefined && isInRange(own, next) ? next : after?.first;
}

/** The first free address from `from` on, round once through all ranges; undefined when every address is used or skipped. */
export function firstFree(ranges: readonly SearchedRange[], from: Ip | undefined, usedUntil: UsedUntil): Ip | undefined {
  const start = from === undefined ? -1 : ranges.findIndex((range) => isInRange(range, from));
  const begun = ranges[start];
  if (from === undefined || begun === undefined) return freeInAny(ranges, usedUntil);
  return (
    freeIn({ ...begun, first: from }, usedUntil) ??
    freeInAny(ranges.slice(start + 1), usedUntil) ??
    freeInAny(ranges.slice(0, start), usedUntil) ??
    // What of it lies before `from`; its end is known to be used, and is passed in one step.
    freeIn(begun, usedUntil)
  );
}

function freeInAny(ranges: readonly SearchedRange[], usedUntil: UsedUntil): Ip | undefined {
  for (const range of ranges) {
    const found = freeIn(range, usedUntil);
    if (found !== undefined) return found;
  }
  return undefined;
}

function freeIn(range: SearchedRange, usedUntil: UsedUntil): Ip | undefined {
  let at: Ip | undefined = range.first;
  while (at !== undefined && isInRange(range, at)) {
    const here: Ip = at;
    const end: Ip | undefined = range.skip.find((skipped) => isInRange(skipped, here))?.last ?? usedUntil(here);
    if (end === undefined) return here;
    at = nextIp(end);
  }
  return undefined;
}

/** Whether the address is of these ranges and not skipped. */
export function mayBeGiven(ranges: readonly SearchedRange[], ip: Ip): boolean {
  return ranges.some((range) => isInRange(range, ip) && !range.skip.some((skipped) => isInRange(skipped, ip)));
}
