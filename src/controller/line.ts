/** Nodes in line, those with the largest deficit first; among equals whoever came first. Each step costs as much as there are different deficits. */

/** See the head of this file. */
export interface Line {
  /** Puts the node in, or moves it when its deficit is another now. */
  put(node: string, deficit: number): void;
  leave(node: string): void;
  has(node: string): boolean;
  /** Takes the first out; undefined: nobody is in line. */
  next(): string | undefined;
  readonly size: number;
}

/** An empty one. */
export function line(): Line {
  const deficits = new Map<string, number>();
  const groups = new Map<number, Set<string>>();

  function leave(node: string): void {
    const deficit = deficits.get(node);
    if (deficit === undefined) return;
    deficits.delete(node);
    const group = groups.get(deficit);
    group?.delete(node);
    if (group?.size === 0) groups.delete(deficit);
  }

  return {
    put(node, deficit) {
      if (deficits.get(node) === deficit) return;
      leave(node);
      deficits.set(node, deficit);
      const group = groups.get(deficit) ?? new Set();
      groups.set(deficit, group.add(node));
    },
    leave,
    has: (node) => deficits.has(node),
    next() {
      let largest = Number.NEGATIVE_INFINITY;
      for (const deficit of groups.keys()) largest = Math.max(largest, deficit);
      const [first] = groups.get(largest) ?? [];
      if (first !== undefined) leave(first);
      return first;
    },
    get size() {
      return deficits.size;
    },
  };
}
