/** With what ranges are served, and what is asked about them. */
import type { InstanceId } from '../cloud.ts';
import type { Ledger } from './ledger.ts';
import { inTheWay, type PodRange } from './ranges.ts';
import { type Room, rooms } from './room.ts';

/** A Node, as far as ranges are concerned. */
export interface RangeNode {
  readonly instance: InstanceId;
  /** Names of the PodSubnets with ranges that it may use. */
  readonly podSubnets: readonly string[];
}

/** With what to work. */
export interface RangeOptions {
  readonly cluster: string;
  readonly ledger: Ledger;
  /** All there are. The same list, of the same objects, for as long as nothing about them changes. */
  readonly ranges: () => readonly PodRange[];
  /** undefined: there is no such Node. */
  readonly node: (name: string) => RangeNode | undefined;
}

/** What the controller asks of ranges besides what it asks of a cloud. */
export interface RangeView {
  /** undefined: there is no such range, or it is in another's way. Addresses, or /80s where it has no IPv4. */
  room(podSubnet: string): { readonly free: number; readonly total: number } | undefined;
  /** PodSubnets whose ranges may have addresses of this one: itself, and where it is shared all others that are. */
  rivals(podSubnet: string): readonly string[];
  /** Nodes that have something of it. */
  holders(podSubnet: string): ReadonlyMap<string, number>;
  /** Calls back when something was given or taken back. Returns the way to stop. */
  watch(changed: () => void): () => void;
}

/** The ranges there are, and which of them give something. */
export interface KnownRanges {
  of(podSubnet: string): PodRange | undefined;
  /** The PodSubnet in whose way it is. */
  otherOf(podSubnet: string): string | undefined;
  /** undefined: there is no such range, or nothing of it is given. */
  giving(podSubnet: string, family: 4 | 6): Room | undefined;
  /** Also of one from which nothing is given. */
  room(range: PodRange, family: 4 | 6): Room | undefined;
}

/** Which are in each other's way is found out anew only when there are others. */
export function knownRanges({ ledger, ranges }: Pick<RangeOptions, 'ledger' | 'ranges'>): KnownRanges {
  const room = rooms(ledger);
  let compared: { readonly ranges: readonly PodRange[]; readonly refused: ReadonlyMap<string, string> } | undefined;
  const of = (podSubnet: string): PodRange | undefined => ranges().find((one) => one.podSubnet === podSubnet);
  function otherOf(podSubnet: string): string | undefined {
    const all = ranges();
    if (compared?.ranges !== all) compared = { ranges: all, refused: inTheWay(all) };
    return compared.refused.get(podSubnet);
  }
  return {
    of,
    otherOf,
    giving(podSubnet, family) {
      const range = of(podSubnet);
      return range === undefined || otherOf(podSubnet) !== undefined ? undefined : room(range, family);
    },
    room,
  };
}

/** See RangeView. */
export function rangeView({ ledger, ranges }: Pick<RangeOptions, 'ledger' | 'ranges'>, known: KnownRanges): RangeView {
  return {
    room(podSubnet) {
      const range = known.of(podSubnet);
      return range === undefined ? undefined : known.giving(podSubnet, range.ipv4 === undefined ? 6 : 4);
    },
    rivals(podSubnet) {
      if (known.of(podSubnet)?.shared !== true) return [podSubnet];
      return ranges().flatMap((one) => (one.shared ? one.podSubnet : []));
    },
    holders: (podSubnet) => ledger.holders(podSubnet),
    watch: (changed) => ledger.watch(() => changed()),
  };
}
