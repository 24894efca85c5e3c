/** Things by what they have in common, so that nobody has to look through all of them. */
export class Groups<K, T> {
  readonly #groups = new Map<K, Set<T>>();

  add(key: K, one: T): void {
    const group = this.#groups.get(key) ?? new Set();
    this.#groups.set(key, group.add(one));
  }

  remove(key: K, one: T): void {
    const group = this.#groups.get(key);
    group?.delete(one);
    if (group?.size === 0) this.#groups.delete(key);
  }

  /** Those of that key. Ones that are added or removed meanwhile do no harm. */
  of(key: K): readonly T[] {
    const group = this.#groups.get(key);
    return group === undefined ? [] : [...group];
  }
}
