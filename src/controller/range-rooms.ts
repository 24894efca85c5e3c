/**
 * Sharing out a range that is nearly used up, where no cloud says how much is left: in the memory of the controller that leads. The ledger says what is
 * whose; what is here may be forgotten.
 *
 * - while there is plenty, nodes get 16 addresses at a time; else as many as Pods wait for
 * - what a plan asks for is not counted on by another one before the ledger has it
 * - where Pods wait in vain, nodes that have idle addresses are called on to give them back, those with the most first: as many as it takes
 */
import { BLOCK_UNITS } from '../cloud/range/choose.ts';
import type { RangeView } from '../cloud/range/range-options.ts';

/** How one node stands with the range of a PodSubnet. */
export interface RangeStanding {
  /** Addresses that the node could be given now. */
  readonly room: number;
  readonly total: number;
  readonly isPlenty: boolean;
  /** Pods elsewhere wait for what this node does not use. */
  readonly isCalledIn: boolean;
}

/** What the last plan of a node means to a range. All in addresses. */
export interface RangeNeed {
  readonly subnet: string;
  /** Asked for by the plan. */
  readonly coming: number;
  /** Held without a use. */
  readonly idle: number;
  /** Pods that wait and that the plan has nothing for. */
  readonly missing: number;
}

/** See the head of this file. */
export interface RangeRooms {
  standing(node: string, subnet: string): RangeStanding;
  /** In the same turn as the plan. */
  planned(node: string, needs: readonly RangeNeed[]): void;
  /** What the plan asked for is in the ledger, or will not be. */
  done(node: string): void;
  forget(node: string): void;
  stop(): void;
}

/** Where there are no ranges. */
export const noRanges: RangeRooms = {
  standing: () => ({ room: 0, total: 0, isPlenty: false, isCalledIn: false }),
  planned: () => undefined,
  done: () => undefined,
  forget: () => undefined,
  stop: () => undefined,
};

/** PodSubnet → node → addresses; without zeros. */
class Numbers {
  readonly #of = new Map<string, Map<string, number>>();

  of(subnet: string): ReadonlyMap<string, number> {
    return this.#of.get(subnet) ?? new Map<string, number>();
  }

  sum(subnet: string): number {
    return this.of(subnet)
      .values()
      .reduce((all, one) => all + one, 0);
  }

  set(subnet: string, node: string, count: number): void {
    const known = this.#of.get(subnet) ?? new Map<string, number>();
    if (count > 0) known.set(node, count);
    else known.delete(node);
    if (known.size > 0) this.#of.set(subnet, known);
    else this.#of.delete(subnet);
  }

  drop(node: string): void {
    for (const subnet of this.#of.keys()) this.set(subnet, node, 0);
  }

  subnets(): string[] {
    return [...this.#of.keys()];
  }
}

/** `wake`: there may be something for that node to do. */
export function rangeRooms(view: RangeView, wake: (node: string) => void): RangeRooms {
  const [coming, idle, missing] = [new Numbers(), new Numbers(), new Numbers()];
  const called = new Map<string, ReadonlySet<string>>();

  /** What may be given to that node, or, without one, to anybody: nothing that a plan of another one counts on. Ranges may share addresses. */
  function freeFor(subnet: string, node?: string): number {
    const rivals = view.rivals(subnet).reduce((sum, rival) => sum + coming.sum(rival), 0);
    return Math.max(0, (view.room(subnet)?.free ?? 0) - rivals + (node === undefined ? 0 : (coming.of(subnet).get(node) ?? 0)));
  }

  /** Chooses anew who is called on. */
  function call(subnet: string): void {
    const before = called.get(subnet) ?? new Set<string>();
    const after = chosen(subnet);
    if (after.size > 0) called.set(subnet, after);
    else called.delete(subnet);
    for (const node of after.symmetricDifference(before)) wake(node);
  }
  function chosen(subnet: string): Set<string> {
    const waiting = missing.of(subnet);
    const short = missing.sum(subnet) - freeFor(subnet);
    // What a node said of itself may be a while old: more are asked than it takes.
    let left = waiting.size === 0 || short <= 0 ? 0 : 2 * short + BLOCK_UNITS;
    const nodes = new Set<string>();
    for (const [node, has] of [...idle.of(subnet)].toSorted((a, b) => b[1] - a[1])) {
      if (left <= 0) break;
      if (waiting.has(node)) continue;
      nodes.add(node);
      left -= has;
    }
    return nodes;
  }
  const unwatch = view.watch(() => {
    for (const subnet of missing.subnets()) if (freeFor(subnet) > 0) for (const node of missing.of(subnet).keys()) wake(node);
  });
  return {
    standing(node, subnet) {
      const room = freeFor(subnet, node);
      const isPlenty = room >= BLOCK_UNITS * (view.holders(subnet).size + 2);
      return { room, total: view.room(subnet)?.total ?? 0, isPlenty, isCalledIn: called.get(subnet)?.has(node) === true };
    },
    planned(node, needs) {
      const named = new Set(needs.map(({ subnet }) => subnet));
      for (const numbers of [coming, idle, missing])
        for (const subnet of numbers.subnets()) if (!named.has(subnet)) numbers.set(subnet, node, 0);
      for (const need of needs) {
        coming.set(need.subnet, node, need.coming);
        idle.set(need.subnet, node, need.idle);
        missing.set(need.subnet, node, need.missing);
        if (missing.of(need.subnet).size > 0 || called.has(need.subnet)) call(need.subnet);
      }
    },
    done: (node) => coming.drop(node),
    forget(node) {
      for (const numbers of [coming, idle, missing]) numbers.drop(node);
      for (const subnet of called.keys()) call(subnet);
    },
    stop: unwatch,
  };
}
