/** A source of choices that gives the same ones again for the same seed: a failing soak is rerun with its seed. */

/** Choices. */
export interface Random {
  /** A whole number below `limit`. */
  below(limit: number): number;
  /** Whether something happens that happens once in `times`. */
  once(times: number): boolean;
  /** One of the list; undefined of an empty one. */
  one<T>(of: readonly T[]): T | undefined;
  /** One of a list that is known not to be empty. */
  of<T>(first: T, ...others: readonly T[]): T;
  /** One key, each as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K;
}

/** Numbers from 0 to below 1. mulberry32 (public domain, Tommy Ettinger): small, seeded, good enough to choose steps. */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Choices by such numbers. */
export function randomFrom(seed: number): Random {
  const next = numbersFrom(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  const one = <T>(of: readonly T[]): T | undefined => of[below(of.length)];
  return {
    below,
    one,
    once: (times) => below(times) === 0,
    of: (first, ...others) => one([first, ...others]) ?? first,
    weighted(weights) {
      // Object.keys forgets the type of the keys.
      const keys = Object.keys(weights) as (keyof typeof weights)[];
      let left = next() * keys.reduce((sum, key) => sum + weights[key], 0);
      return keys.find((key) => (left -= weights[key]) < 0) ?? (keys[0] as keyof typeof weights);
    },
  };
}
