/** Faults that only this API has, beside those of the VPC, which strike its actions too: by action, as often as asked for. */
import * as z from 'zod';
import type { Outcome } from './jobs.ts';
import { Problem } from './problem.ts';

const MOST_FAULTS = 100;
const ms = z.int().min(0).max(600_000);

const effect = z.discriminatedUnion('kind', [
  /** A `ret_code` of choice, such as 2400 or 2500. Nothing is done. */
  z.strictObject({ kind: z.literal('refuse'), code: z.int().min(1).max(99_999), message: z.string().max(500).default('as asked for') }),
  /** Another HTTP status with a page for people, as a proxy on the way sends it. Nothing is done. */
  z.strictObject({ kind: z.literal('html'), status: z.int().min(200).max(599).default(502) }),
  /** It is done; half of the answer comes, then the connection is cut. */
  z.strictObject({ kind: z.literal('truncate') }),
  /** No answer for so long, then the connection is cut. It is done before. */
  z.strictObject({ kind: z.literal('stall'), ms }),
  /** The job ends so; of `done with failure` that many resources are done, half when absent. */
  z.strictObject({
    kind: z.literal('jobFails'),
    outcome: z.enum(['failed', 'done with failure']),
    keep: z.int().min(0).max(256).optional(),
  }),
  /** The job is done and DescribeJobs never shows it. */
  z.strictObject({ kind: z.literal('jobVanishes') }),
  /** The job takes that long. */
  z.strictObject({ kind: z.literal('jobTakes'), ms }),
]);

/** The body of the call that asks for a fault. */
export const asked = z.strictObject({ action: z.string().max(64).default('*'), count: z.int().min(1).max(100_000).optional(), effect });
/** What such a fault does. */
export type OwnEffect = z.output<typeof effect>;

interface Live {
  readonly action: string;
  readonly effect: OwnEffect;
  count: number;
}

/** The faults in force. */
export class OwnFaults {
  private live: Live[] = [];

  /** @throws Problem 2500 when there are too many. */
  add({ action, count = Number.POSITIVE_INFINITY, effect: what }: z.output<typeof asked>): void {
    if (this.live.length >= MOST_FAULTS) throw new Problem('quota', `${MOST_FAULTS} faults are in force`);
    this.live.push({ action, effect: what, count });
  }

  clear(): void {
    this.live = [];
  }

  /** What strikes this call. */
  strike(action: string): OwnEffect[] {
    const hit = this.live.filter((fault) => fault.action === '*' || fault.action === action);
    for (const fault of hit) fault.count--;
    this.live = this.live.filter(({ count }) => count > 0);
    return hit.map((fault) => fault.effect);
  }
}

/** How a job of the call is to end. */
export function outcomeOf(effects: readonly OwnEffect[]): { readonly outcome: Outcome; readonly keep?: number | undefined } {
  const fails = effects.find((one) => one.kind === 'jobFails');
  return fails === undefined ? { outcome: 'successful' } : { outcome: fails.outcome, keep: fails.keep };
}
