/** What the controller granted, as a pool sees it. */
import { ipToBigInt } from '../net/address.ts';
import { type Cidr, cidrFamily, firstOf, lastOf, lengthOf } from '../net/cidr.ts';

/** What a pool needs to know of a granted interface. (A GrantedNic is one.) */
export interface PoolNic {
  readonly id: string;
  /** All blocks that Pods may get addresses from. */
  readonly blocks: readonly Cidr[];
  /** Those of them that the controller wants back. */
  readonly reclaiming: readonly Cidr[];
}

/**
 * Block → interface, without blocks that lie in another one or are granted on two interfaces: from both, one address could be given out twice.
 * Of two the larger stays, of two equal ones the first. `overlapping` names the others.
 */
export function withoutOverlaps(granted: readonly PoolNic[]): { blocks: Map<Cidr, string>; overlapping: Cidr[] } {
  const blocks = new Map<Cidr, string>();
  const overlapping: Cidr[] = [];
  const spans = granted.flatMap(({ id, blocks: own }) => own.map((cidr) => spanOf(cidr, id)));
  let before: ReturnType<typeof spanOf> | undefined;
  // Sorted so that a block comes right after the one that contains it, if there is one. toSorted is stable: the first grant wins.
  for (const span of spans.toSorted((a, b) => a.family - b.family || compare(a.first, b.first) || a.length - b.length)) {
    if (before !== undefined && before.family === span.family && span.first <= before.last) overlapping.push(span.cidr);
    else {
      before = span;
      blocks.set(span.cidr, span.nic);
    }
  }
  return { blocks, overlapping };
}

function spanOf(cidr: Cidr, nic: string) {
  return {
    cidr,
    nic,
    family: cidrFamily(cidr),
    length: lengthOf(cidr),
    first: ipToBigInt(firstOf(cidr)),
    last: ipToBigInt(lastOf(cidr)),
  };
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
