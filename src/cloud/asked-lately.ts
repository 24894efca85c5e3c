/** What of each subnet a driver asked for by value a moment ago: the cloud's lists may not show it yet. All of it has an end. */
import type { SubnetId } from './cloud.ts';

/** The memory of one driver; `T` as its choice has them: addresses or blocks. */
export interface AskedLately<T> {
  /** These are asked for from now on. Call the answer when that is over: they count as asked for lately for some seconds more. */
  ask(subnet: SubnetId, those: readonly T[]): () => void;
  /** What is being asked for right now. */
  now(subnet: SubnetId): ReadonlySet<T>;
  /** Also what was some seconds ago. */
  lately(subnet: SubnetId): ReadonlySet<T>;
  /** It was given back. */
  forget(subnet: SubnetId, one: T): void;
}

/** Lists are seldom older than that. */
const LAG_ms = 15_000;

/** An empty memory. */
export function askedLately<T>(now_ms: () => number): AskedLately<T> {
  const all = new Map<SubnetId, Map<T, number>>();
  const after = (subnet: SubnetId, time_ms: number): Set<T> =>
    new Set([...(all.get(subnet) ?? [])].filter(([, until_ms]) => until_ms > time_ms).map(([one]) => one));
  const note = (subnet: SubnetId, those: readonly T[], until_ms: number): void => {
    const still = [...(all.get(subnet) ?? [])].filter(([, its_ms]) => its_ms > now_ms());
    all.set(subnet, new Map([...still, ...those.map((one) => [one, until_ms] as const)]));
  };
  return {
    ask(subnet, those) {
      note(subnet, those, Number.POSITIVE_INFINITY);
      return () => note(subnet, those, now_ms() + LAG_ms);
    },
    now: (subnet) => after(subnet, Number.MAX_VALUE),
    lately: (subnet) => after(subnet, now_ms()),
    forget: (subnet, one) => void all.get(subnet)?.delete(one),
  };
}
