/** How many rounds, from which seeds, and how many at once. */
import { randomInt } from 'node:crypto';

/** Most of a round is waiting for a server. */
const AT_ONCE = 4;

/** FLATPOD_FAULT_ROUNDS, else `usual`. */
export function roundsOf(usual: number): number {
  const told = Number(process.env['FLATPOD_FAULT_ROUNDS'] ?? usual);
  return Number.isSafeInteger(told) && told > 0 ? told : usual;
}

/** FLATPOD_FAULT_SEED alone, else 1 for what is always tried, and others that nobody has chosen. */
export function seedsOf(rounds: number): number[] {
  const told = process.env['FLATPOD_FAULT_SEED'];
  if (told !== undefined) return [Number(told)];
  return [1, ...Array.from({ length: rounds - 1 }, () => randomInt(2, 1_000_000))];
}

/** Does it for all, several at once; rejects with the first that fails. */
export async function sideBySide<T>(all: readonly T[], body: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const lane = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await body(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
