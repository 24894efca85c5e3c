/** A source of choices that gives the same ones again for the same seed: a failing soak is rerun with its seed. */
import { numbersFrom } from '../../src/vpc/numbers.ts';

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

/** Choices by numbers of that seed. */
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
