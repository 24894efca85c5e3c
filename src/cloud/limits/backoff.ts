/** How long to wait after a refusal, by kind of error: pure, with the random number handed in. */

/** First pause and longest pause; each refusal in a row doubles the first. */
export interface Backoff {
  readonly first_ms: number;
  readonly longest_ms: number;
}

/** What a pause is for. `settled`: a person has to change something, unless a stale read has
 * misled us: again soon at first, then hardly ever. */
export type PauseKind = 'short' | 'medium' | 'long' | 'full' | 'settled';

/**
 * Throttled calls pause long, since asking keeps the account throttled for everybody; silence pauses medium; a conflict is read back after a short one;
 * a full subnet is left alone for minutes.
 */
export const backoffs: Readonly<Record<PauseKind, Backoff>> = {
  short: { first_ms: 200, longest_ms: 30_000 },
  medium: { first_ms: 1_000, longest_ms: 60_000 },
  long: { first_ms: 5_000, longest_ms: 300_000 },
  full: { first_ms: 120_000, longest_ms: 600_000 },
  settled: { first_ms: 2_000, longest_ms: 900_000 },
};

/**
 * Milliseconds to wait after the `attempt`-th refusal in a row (1 is the first): between half of the doubled pause and all of it, so that many
 * who were refused together do not come back together. `random` gives numbers in [0, 1).
 */
export function pauseAfter(kind: PauseKind, attempt: number, random: () => number): number {
  const { first_ms, longest_ms } = backoffs[kind];
  const whole = Math.min(longest_ms, first_ms * 2 ** Math.min(Math.max(attempt, 1) - 1, 30));
  return Math.round(whole * (0.5 + random() / 2));
}
