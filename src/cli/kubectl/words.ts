/** Small words that all commands of the plugin use alike. */

/** How long ago, as kubectl says it: `7s`, `12m`, `3h`, `5d`; `-` when nobody knows. */
export function ago(then_ms: number | undefined, now_ms: number): string {
  if (then_ms === undefined || then_ms === 0) return '-';
  const s = Math.max(0, Math.round((now_ms - then_ms) / 1000));
  if (s < 120) return `${s}s`;
  if (s < 2 * 3600) return `${Math.floor(s / 60)}m`;
  return s < 48 * 3600 ? `${Math.floor(s / 3600)}h` : `${Math.floor(s / 86_400)}d`;
}

/** `1 Pod`, `2 Pods`, `no Pods`. */
export function count(n: number, what: string): string {
  return `${n === 0 ? 'no' : n} ${what}${n === 1 ? '' : what.endsWith('s') ? 'es' : 's'}`;
}

/** The first `most` of a list with commas, and how many more there are. */
export function some(names: readonly string[], most = 8): string {
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}
