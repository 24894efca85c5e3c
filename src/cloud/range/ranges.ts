/** The ranges of PodSubnets, and which of their units nodes may get. Pure. */
import { addToIp, bitsOf, type Family, type Ip, ipToBigInt } from '../../net/address.ts';
import { type Cidr, cidrFamily, firstOf, lastOf, lengthOf } from '../../net/cidr.ts';
import { firstUnitOf, SLICE_UNITS, sliceOf, unitLength, unitOf } from './units.ts';

/** Addresses of one family. */
export interface NetworkRange {
  readonly cidr: Cidr;
  readonly first?: Ip;
  readonly last?: Ip;
  readonly gateway?: Ip;
}

/** What a PodSubnet says about its range. */
export interface PodRange {
  readonly podSubnet: string;
  /** Since when there is such a PodSubnet: a text that sorts. Of two ranges that are in each other's way the earlier goes on. */
  readonly since: string;
  readonly parent: string;
  readonly mtu: number;
  readonly shared: boolean;
  readonly ipv4?: NetworkRange;
  readonly ipv6?: NetworkRange;
  readonly exclude: readonly Cidr[];
}

/** Numbers of units, both ends included. */
interface Span {
  readonly from: bigint;
  readonly to: bigint;
}

/** The units of one family that nodes may get. */
export interface Usable {
  readonly family: Family;
  /** All that is given lies in here. */
  readonly span: Span;
  /** What no Pod gets of it: in order, without overlap. */
  readonly holes: readonly Span[];
}

/** undefined: the range has none of that family, or no unit that could be given. */
export function usableOf(range: PodRange, family: Family): Usable | undefined {
  const found = family === 4 ? range.ipv4 : range.ipv6;
  if (found === undefined) return undefined;
  const span = spanOf(found, family);
  if (span.from > span.to) return undefined;
  const unusable = [
    ...(found.gateway === undefined ? [] : [{ from: unitOf(found.gateway, family), to: unitOf(found.gateway, family) }]),
    ...range.exclude.filter((block) => cidrFamily(block) === family).map((block) => wholeUnits(firstOf(block), lastOf(block), family)),
  ];
  return { family, span, holes: merged(unusable, span) };
}

/** How many units that are. */
export function countOf({ span, holes }: Usable): number {
  return Number(holes.reduce((left, hole) => left - sizeOf(hole), sizeOf(span)));
}

/** The slices that have some, in order, lazily: a large range has many. */
export function* slicesOf({ family, span }: Usable): Generator<Cidr> {
  for (let unit = span.from; unit <= span.to; ) {
    const slice = sliceOf(unit, family);
    yield slice;
    unit = firstUnitOf(slice) + BigInt(SLICE_UNITS);
  }
}

/** 1 for each place of the slice that may be given. */
export function maskOf({ span, holes }: Usable, slice: Cidr): Uint8Array {
  const mask = new Uint8Array(SLICE_UNITS);
  const base = firstUnitOf(slice);
  const fill = ({ from, to }: Span, value: number): void => {
    const end = to - base + 1n;
    if (end <= 0n || from - base >= BigInt(SLICE_UNITS)) return;
    mask.fill(value, from < base ? 0 : Number(from - base), end > BigInt(SLICE_UNITS) ? SLICE_UNITS : Number(end));
  };
  fill(span, 1);
  for (const hole of holes) fill(hole, 0);
  return mask;
}

/**
 * Ranges from which nothing is given any more, since another PodSubnet's has the same addresses and not both are shared: by PodSubnet, the other one's name.
 * The one that was there earlier goes on.
 */
export function inTheWay(ranges: readonly PodRange[]): Map<string, string> {
  const refused = new Map<string, string>();
  const inOrder = ranges.toSorted((a, b) => (a.since === b.since ? compare(a.podSubnet, b.podSubnet) : compare(a.since, b.since)));
  const going: PodRange[] = [];
  for (const one of inOrder) {
    const other = going.find((before) => !(one.shared && before.shared) && overlap(one, before));
    if (other === undefined) going.push(one);
    else refused.set(one.podSubnet, other.podSubnet);
  }
  return refused;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function overlap(a: PodRange, b: PodRange): boolean {
  return ([4, 6] as const).some((family) => {
    const [one, other] = [usableOf(a, family)?.span, usableOf(b, family)?.span];
    return one !== undefined && other !== undefined && one.from <= other.to && other.from <= one.to;
  });
}

function spanOf({ cidr, first, last }: NetworkRange, family: Family): Span {
  // An IPv4 network's first and last address are for nobody, where it has room for more than two (RFC 3021).
  const ends = family === 4 && lengthOf(cidr) < 31 ? 1 : 0;
  const [lowest, highest] = [addToIp(firstOf(cidr), ends), addToIp(lastOf(cidr), -ends)];
  return wholeUnits(later(first ?? lowest, lowest), earlier(last ?? highest, highest), family);
}

function later(a: Ip, b: Ip): Ip {
  return ipToBigInt(a) > ipToBigInt(b) ? a : b;
}

function earlier(a: Ip, b: Ip): Ip {
  return ipToBigInt(a) < ipToBigInt(b) ? a : b;
}

/** The units that lie wholly from the one address to the other; `from` is beyond `to` when there is none. */
function wholeUnits(first: Ip, last: Ip, family: Family): Span {
  const bits = BigInt(bitsOf(family) - unitLength(family));
  return { from: (ipToBigInt(first) + (1n << bits) - 1n) >> bits, to: ((ipToBigInt(last) + 1n) >> bits) - 1n };
}

function sizeOf({ from, to }: Span): bigint {
  return to - from + 1n;
}

/** Within the span alone. */
function merged(spans: readonly Span[], within: Span): Span[] {
  const found: Span[] = [];
  const cut = spans.map(({ from, to }) => ({ from: from > within.from ? from : within.from, to: to < within.to ? to : within.to }));
  for (const span of cut.filter(({ from, to }) => from <= to).toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    const last = found.at(-1);
    if (last === undefined || span.from > last.to + 1n) found.push(span);
    else found[found.length - 1] = { from: last.from, to: last.to > span.to ? last.to : span.to };
  }
  return found;
}
