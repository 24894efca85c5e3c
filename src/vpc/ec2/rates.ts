/** Token buckets by action, as EC2 has them for each account: RequestLimitExceeded when one is empty. */
import { Refused } from './refused.ts';

/** A bucket: `burst` requests at once, `perSecond` more each second. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Rates by action; `*` is for each of those not named. May be changed while it serves. */
export type Rates = Map<string, Rate>;

interface Bucket {
  left: number;
  at_ms: number;
}

/** Counts requests against the rates. @throws Refused RequestLimitExceeded (by the function it returns). */
export function throttle(rates: Rates, now_ms: () => number): (action: string) => void {
  const buckets = new Map<string, Bucket>();
  return (action) => {
    const rate = rates.get(action) ?? rates.get('*');
    if (rate === undefined) return;
    const now = now_ms();
    const before = buckets.get(action) ?? { left: rate.burst, at_ms: now };
    const left = Math.min(rate.burst, before.left + ((now - before.at_ms) * rate.perSecond) / 1000);
    buckets.set(action, { left: left >= 1 ? left - 1 : left, at_ms: now });
    if (left < 1) throw new Refused('RequestLimitExceeded', 'Request limit exceeded.', 503);
  };
}
