/** Freed addresses that rest before they are given out again. Times are milliseconds of whatever clock the caller uses throughout. */
import type { Ip } from '../net/address.ts';

interface Rest {
  readonly ip: Ip;
  readonly until_ms: number;
}

/** Addresses by the end of their rest: a binary heap, so that any order of ends is fine. Adding and expiring take O(log n). */
export class Cooling {
  #until = new Map<Ip, number>();
  /** May hold entries that no longer count: those that differ from #until. */
  #heap: Rest[] = [];

  /** When the address may be used again; undefined when it does not rest. */
  until(ip: Ip): number | undefined {
    return this.#until.get(ip);
  }

  keys(): Iterable<Ip> {
    return this.#until.keys();
  }

  add(ip: Ip, until_ms: number): void {
    this.#until.set(ip, until_ms);
    this.#heap.push({ ip, until_ms });
    this.#rise(this.#heap.length - 1);
  }

  /** Forgets it before its end. False when it does not rest. */
  delete(ip: Ip): boolean {
    return this.#until.delete(ip);
  }

  /** Removes and returns the next address whose rest is over; undefined when there is none. */
  takeExpired(now_ms: number): Ip | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.until_ms > now_ms) return undefined;
      const last = this.#heap.pop();
      if (last !== undefined && this.#heap.length > 0) {
        this.#heap[0] = last;
        this.#sink(0);
      }
      if (this.#until.get(first.ip) !== first.until_ms) continue;
      this.#until.delete(first.ip);
      return first.ip;
    }
  }

  #rise(start: number): void {
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfEarlier(at, parent)) return;
      at = parent;
    }
  }

  #sink(start: number): void {
    for (let at = start; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const child = this.#endOf(right) < this.#endOf(left) ? right : left;
      if (!this.#swapIfEarlier(child, at)) return;
      at = child;
    }
  }

  #endOf(at: number): number {
    return this.#heap[at]?.until_ms ?? Number.POSITIVE_INFINITY;
  }

  #swapIfEarlier(child: number, parent: number): boolean {
    const [a, b] = [this.#heap[child], this.#heap[parent]];
    if (a === undefined || b === undefined || a.until_ms >= b.until_ms) return false;
    [this.#heap[child], this.#heap[parent]] = [b, a];
    return true;
  }
}
