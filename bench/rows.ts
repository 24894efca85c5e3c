/** One figure of the benchmark, and how many single times become one. */

/** What `bench/results.json` holds and the table shows. Percentiles are by rank; `n` counts single measurements. */
export interface Row {
  /** `add/100`: what was measured, and with how many Pods on the node. */
  readonly case: string;
  /** Who did it. */
  readonly subject: string;
  readonly unit: 'ms' | 'us' | 'per_s' | 'mib' | 'gbit_per_s' | 'percent' | 's' | 'per_pod' | 'per_min' | 'calls' | 'count';
  readonly n: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** The figure of these values, at least one. For rates, p90 and p99 are those that 90 and 99 of 100 rounds exceed. */
export function rowOf(name: string, subject: string, unit: Row['unit'], values: readonly number[], n = values.length): Row {
  const more = unit === 'per_s' || unit === 'gbit_per_s';
  const ordered = values.toSorted((a, b) => (more ? b - a : a - b));
  const at = (share: number): number => round(ordered[Math.max(0, Math.ceil(share * ordered.length) - 1)] ?? Number.NaN);
  return { case: name, subject, unit, n, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

/** Three or more significant digits: what can be told apart, and no more. */
function round(value: number): number {
  return value >= 100 ? Math.round(value * 10) / 10 : Math.round(value * 1000) / 1000;
}
