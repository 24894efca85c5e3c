/** A first-in-first-out queue without duplicates from whose middle things can be removed. Every operation takes constant time. */

interface Link<T> {
  readonly item: T;
  before: Link<T> | undefined;
  after: Link<T> | undefined;
}

/** See the head of this file. (A Set keeps the same order, but finding its first item walks over the holes that deletions left.) */
export class Queue<T> {
  #links = new Map<T, Link<T>>();
  #head: Link<T> | undefined;
  #tail: Link<T> | undefined;

  get size(): number {
    return this.#links.size;
  }

  has(item: T): boolean {
    return this.#links.has(item);
  }

  /** The item that waits longest; it stays. */
  first(): T | undefined {
    return this.#head?.item;
  }

  /** Adds at the end; an item that waits already keeps its place. */
  add(item: T): void {
    if (this.#links.has(item)) return;
    const link: Link<T> = { item, before: this.#tail, after: undefined };
    if (this.#tail === undefined) this.#head = link;
    else this.#tail.after = link;
    this.#tail = link;
    this.#links.set(item, link);
  }

  /** Returns whether it was there. */
  remove(item: T): boolean {
    const link = this.#links.get(item);
    if (link === undefined) return false;
    if (link.before === undefined) this.#head = link.after;
    else link.before.after = link.after;
    if (link.after === undefined) this.#tail = link.before;
    else link.after.before = link.before;
    return this.#links.delete(item);
  }
}
