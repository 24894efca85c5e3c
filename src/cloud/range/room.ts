/** How much of each range is left. Counted anew only where something has changed: it is asked before every decision. */
import { type Cidr, parseCidr } from '../../net/cidr.ts';
import type { Ledger } from './ledger.ts';
import { countOf, maskOf, type PodRange, slicesOf, type Usable, usableOf } from './ranges.ts';
import { Slice } from './slice.ts';

/** What is nobody's. */
const nothing = new Slice(parseCidr('0.0.0.0/20'));
/** A /8 has 4096 slices; whoever has more of them has more than nodes can use. */
const MOST_SLICES = 4096;

/** The slices of one range and family, with what was counted in each. */
interface Counted {
  readonly range: PodRange;
  readonly usable: Usable;
  readonly total: number;
  readonly slices: readonly Cidr[];
  readonly masks: Map<Cidr, Uint8Array>;
  readonly used: Map<Cidr, { readonly slice: Slice; readonly used: number }>;
}

/** One family of one range. */
export interface Room {
  /** In order. */
  readonly slices: readonly Cidr[];
  readonly free: number;
  readonly total: number;
  mask(slice: Cidr): Uint8Array;
  freeIn(slice: Cidr): number;
}

/** Rooms over that ledger. A range that is another object is counted anew. */
export function rooms(ledger: Ledger): (range: PodRange, family: 4 | 6) => Room | undefined {
  const known = new Map<string, Counted>();

  function countedOf(range: PodRange, family: 4 | 6): Counted | undefined {
    const key = `${range.podSubnet} ${family}`;
    const before = known.get(key);
    if (before?.range === range) return before;
    const usable = usableOf(range, family);
    if (usable === undefined) return undefined;
    const slices = [...slicesOf(usable).take(MOST_SLICES)];
    const counted: Counted = { range, usable, total: countOf(usable), slices, masks: new Map(), used: new Map() };
    known.set(key, counted);
    return counted;
  }
  return (range, family) => {
    const counted = countedOf(range, family);
    if (counted === undefined) return undefined;
    const mask = (cidr: Cidr): Uint8Array => {
      const made = counted.masks.get(cidr) ?? maskOf(counted.usable, cidr);
      counted.masks.set(cidr, made);
      return made;
    };
    const usedIn = (cidr: Cidr): number => {
      const slice = ledger.slice(cidr);
      if (slice === undefined) return 0;
      const before = counted.used.get(cidr);
      if (before?.slice === slice) return before.used;
      const used = slice.usedIn(mask(cidr));
      counted.used.set(cidr, { slice, used });
      return used;
    };
    const free = counted.total - counted.slices.reduce((sum, cidr) => sum + usedIn(cidr), 0);
    const freeIn = (cidr: Cidr): number => (ledger.slice(cidr) ?? nothing).freeIn(mask(cidr));
    return { slices: counted.slices, free, total: counted.total, mask, freeIn };
  };
}
