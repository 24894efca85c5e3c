/** Several interfaces of one Pod stand in an order. */

/** The first rank that none of these has; one without a rank is the first. */
export function freeRank(others: readonly { readonly rank?: number }[]): number {
  let rank = 0;
  while (others.some((other) => (other.rank ?? 0) === rank)) rank++;
  return rank;
}
