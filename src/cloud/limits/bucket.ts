/** A token bucket, as clouds keep one for each account and call: pure arithmetic on a time handed in. */

/** Tokens come back at `perSecond`, at most `burst` are kept. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What was left at a moment. Below zero: promised to calls that wait. */
export interface Bucket {
  readonly tokens: number;
  readonly at_ms: number;
}

/** A bucket as it is before the first call. */
export function fullBucket(rate: Rate, now_ms: number): Bucket {
  return { tokens: rate.burst, at_ms: now_ms };
}

/** Takes one token now, and says how long its taker must wait until it is really there (0: not at all). */
export function takeToken(bucket: Bucket, rate: Rate, now_ms: number): { bucket: Bucket; wait_ms: number } {
  const tokens = refilled(bucket, rate, now_ms) - 1;
  return { bucket: { tokens, at_ms: now_ms }, wait_ms: tokens >= 0 ? 0 : Math.ceil((-tokens / rate.perSecond) * 1000) };
}

/** The cloud's own bucket is empty, whatever ours says: no token before the pause is over. */
export function drained(bucket: Bucket, rate: Rate, now_ms: number, pause_ms: number): Bucket {
  const tokens = Math.min(refilled(bucket, rate, now_ms), -(pause_ms / 1000) * rate.perSecond);
  return { tokens, at_ms: now_ms };
}

/** A clock that went back refills nothing. */
function refilled(bucket: Bucket, rate: Rate, now_ms: number): number {
  const passed_s = Math.max(0, now_ms - bucket.at_ms) / 1000;
  return Math.min(rate.burst, bucket.tokens + passed_s * rate.perSecond);
}
