/**
 * How much of each PodSubnet all nodes together hold, for perCluster.maximum: in the memory of the controller that leads.
 *
 * Invariants
 * - a node is counted with what it holds and all that it may still get by calls that are decided on: noted in the same turn in which they are planned, so
 *   that two passes at once never share the last room
 * - an assign whose answer was unclear counts for as long as a read may be too old to show it
 * - a controller that has just taken over lets nothing grow under such a ceiling before it has looked at every node (or for a while in vain)
 * - the cost of a change does not depend on the number of nodes
 */
import type { Clock } from '../cloud/clock.ts';
import { type Line, line } from './line.ts';

/** One PodSubnet, seen from one node. All in addresses, as pools count them; those of IPClaims among them. */
export interface Elsewhere {
  /** Held by all other nodes, or on its way to them. */
  readonly others: number;
  /** What this node may have got by calls with unclear answers. */
  readonly unclear: number;
  /** Nodes whose addresses a controller that has just begun has not counted yet. */
  readonly uncounted: number;
}

/** See the head of this file. */
export interface Holdings {
  /** What the node holds or is about to, in place of what was noted before. `isLooked`: made from a look at the cloud. */
  note(node: string, held: ReadonlyMap<string, number>, isLooked: boolean): void;
  /** The node may have got so many more. */
  noteUnclear(node: string, subnet: string, addresses: number): void;
  elsewhere(node: string, subnet: string): Elsewhere;
  /** The node waits for room in the PodSubnet, `deficit` Pods with it; undefined: it does not. It is woken when there is some. */
  waits(node: string, subnet: string, deficit: number | undefined): void;
  forget(node: string): void;
  /** All that is held of the PodSubnet, and by how many nodes. */
  total(subnet: string): { readonly held: number; readonly nodes: number };
}

/** With what to work. */
export interface HoldingsOptions {
  readonly clock: Clock;
  /** For so long a read may be too old to be believed. */
  readonly settle_ms: number;
  /** There is room for this node perhaps. */
  readonly wake: (node: string) => void;
  /** Another number is held of that PodSubnet. */
  readonly changed: (subnet: string) => void;
}

interface Sum {
  held: number;
  readonly byNode: Map<string, number>;
  readonly waiting: Line;
}

interface Unclear {
  readonly subnet: string;
  readonly addresses: number;
  readonly until_ms: number;
}

/** `nodes`: those there are, none of them looked at yet. */
export function holdings(nodes: readonly string[], { clock, settle_ms, wake, changed }: HoldingsOptions): Holdings {
  const sums = new Map<string, Sum>();
  const ofNode = new Map<string, ReadonlyMap<string, number>>();
  const unclear = new UnclearAssigns(clock, settle_ms);
  const unlooked = new Set(nodes);
  const patience_ms = clock.now_ms() + settle_ms;

  const sumOf = (subnet: string): Sum => {
    const known = sums.get(subnet) ?? { held: 0, byNode: new Map<string, number>(), waiting: line() };
    sums.set(subnet, known);
    return known;
  };
  function set(node: string, subnet: string, count: number): void {
    const sum = sumOf(subnet);
    const before = sum.byNode.get(node) ?? 0;
    if (before === count) return;
    sum.held += count - before;
    if (count === 0) sum.byNode.delete(node);
    else sum.byNode.set(node, count);
    // As many as there may be something for.
    for (let freed = before - count; freed > 0 && sum.waiting.size > 0; freed--) wakeNext(sum);
    changed(subnet);
  }
  function wakeNext({ waiting }: Sum): void {
    const next = waiting.next();
    if (next !== undefined) wake(next);
  }
  function looked(node: string): void {
    if (!unlooked.delete(node) || unlooked.size > 0) return;
    for (const sum of sums.values()) while (sum.waiting.size > 0) wakeNext(sum);
  }
  const replace = (node: string, held: ReadonlyMap<string, number>): void => {
    for (const subnet of ofNode.get(node)?.keys() ?? []) if (!held.has(subnet)) set(node, subnet, 0);
    if (held.size === 0) ofNode.delete(node);
    else ofNode.set(node, held);
    for (const [subnet, count] of held) set(node, subnet, count + unclear.of(node, subnet));
  };
  return {
    note(node, held, isLooked) {
      replace(node, held);
      if (isLooked) looked(node);
    },
    noteUnclear: (node, subnet, addresses) => unclear.add(node, subnet, addresses),
    elsewhere(node, subnet) {
      const { held, byNode } = sumOf(subnet);
      const uncounted = clock.now_ms() < patience_ms ? unlooked.size : 0;
      return { others: held - (byNode.get(node) ?? 0), unclear: unclear.of(node, subnet), uncounted };
    },
    waits(node, subnet, deficit) {
      const { waiting } = sumOf(subnet);
      if (deficit === undefined) waiting.leave(node);
      else waiting.put(node, deficit);
    },
    forget(node) {
      replace(node, new Map());
      unclear.forget(node);
      for (const { waiting } of sums.values()) waiting.leave(node);
      looked(node);
    },
    total(subnet) {
      const { held, byNode } = sumOf(subnet);
      return { held, nodes: byNode.size };
    },
  };
}

/** How soon a node is read that is due. */
const READ_WITHIN_ms = 10_000;

/** Addresses that were asked for without a clear answer, by node: counted for a while, as they may have been given. */
class UnclearAssigns {
  readonly #clock: Clock;
  readonly #settle_ms: number;
  readonly #ofNode = new Map<string, Unclear[]>();

  constructor(clock: Clock, settle_ms: number) {
    this.#clock = clock;
    this.#settle_ms = settle_ms;
  }

  add(node: string, subnet: string, addresses: number): void {
    // By then the node has been read again (look.ts); a little longer, so that no other node's turn falls in between.
    const until_ms = this.#clock.now_ms() + this.#settle_ms + READ_WITHIN_ms;
    this.#ofNode.set(node, [...(this.#ofNode.get(node) ?? []), { subnet, addresses, until_ms }]);
  }

  /** Those that count still. */
  of(node: string, subnet: string): number {
    const open = (this.#ofNode.get(node) ?? []).filter(({ until_ms }) => until_ms > this.#clock.now_ms());
    if (open.length === 0) this.#ofNode.delete(node);
    else this.#ofNode.set(node, open);
    return open.reduce((all, one) => all + (one.subnet === subnet ? one.addresses : 0), 0);
  }

  forget(node: string): void {
    this.#ofNode.delete(node);
  }
}
