/** Addresses of one family as spans of numbers: for whoever looks for room between what is taken. Nothing here does I/O. */
import { type Ip, ipToBigInt } from './address.ts';
import { type Cidr, firstOf, lastOf } from './cidr.ts';

/** Addresses from the first to the last, both included, as numbers. */
export interface Span {
  readonly start: bigint;
  readonly end: bigint;
}

/** The block as a span. */
export function spanOf(block: Cidr): Span {
  return { start: ipToBigInt(firstOf(block)), end: ipToBigInt(lastOf(block)) };
}

/** The addresses from one to another as a span. */
export function spanFrom(start: Ip, end: Ip): Span {
  return { start: ipToBigInt(start), end: ipToBigInt(end) };
}

/** Whether the two share an address. */
export function meet(a: Span, b: Span): boolean {
  return a.start <= b.end && b.start <= a.end;
}

/** The same addresses, in order, and no two touch. */
export function joined(spans: readonly Span[]): Span[] {
  const found: Span[] = [];
  for (const span of spans.toSorted((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
    const last = found.at(-1);
    if (last === undefined || span.start > last.end + 1n) found.push(span);
    else if (span.end > last.end) found[found.length - 1] = { start: last.start, end: span.end };
  }
  return found;
}

/** What is in the first and in none of the others; in order, and no two touch. */
export function without(spans: readonly Span[], others: readonly Span[]): Span[] {
  const holes = joined(others);
  return joined(spans).flatMap((span) => {
    const left: Span[] = [];
    let at = span.start;
    for (const hole of holes) {
      if (hole.end < at || hole.start > span.end) continue;
      if (hole.start > at) left.push({ start: at, end: hole.start - 1n });
      at = hole.end + 1n;
    }
    return at <= span.end ? [...left, { start: at, end: span.end }] : left;
  });
}

/**
 * Where the aligned blocks of that size begin that lie in the room and touch nothing taken, in order, lazily: one walk over the gaps, as far as it is asked
 * for, however many addresses are taken.
 */
export function* freeBlocksIn(room: readonly Span[], taken: readonly Span[], size: bigint): Generator<bigint, void> {
  const filled = joined(taken);
  let i = 0;
  for (const { start, end } of joined(room)) {
    let at = alignedUp(start, size);
    while (at + size - 1n <= end) {
      const next = filled[i];
      if (next !== undefined && next.end < at) i++;
      else if (next !== undefined && next.start < at + size) at = alignedUp(next.end + 1n, size);
      else {
        yield at;
        at += size;
      }
    }
  }
}

function alignedUp(value: bigint, size: bigint): bigint {
  return ((value + size - 1n) / size) * size;
}
