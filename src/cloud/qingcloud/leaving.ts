/**
 * Reserved addresses on their way out: their release was accepted and has not ended, so lists still have them, and they will be nobody's. They count as held
 * by no NIC, and as free for none.
 *
 * Invariants
 * - one that this process has asked to release is on its way until its job has ended, and some seconds more, as lists lag; when the job failed, it stays
 * - a process that is new, or whose release had no answer, asks once for all jobs that run: what another one began is known so, as far as jobs name what they change
 * - nothing depends on that answer alone: a cloud that refuses the question is not asked again, and its addresses are what lists say
 */
import { isFailure } from '../../errors/failure.ts';
import type { Clock } from '../clock.ts';
import { jobRecord } from './answers.ts';
import type { Api } from './call.ts';
import type { Jobs } from './jobs.ts';
import type { Patience } from './patience.ts';

/** The reserved addresses that one driver knows to be leaving; by their ids. */
export interface Leaving {
  /** That job releases them. */
  begun(vips: readonly string[], job: string): void;
  /** A release failed so: perhaps there is a job of which we do not know, ours or another's. */
  failed(error: unknown): void;
  /** Whether somebody else may have begun to release some. */
  isUnsure(): boolean;
  /** Asks for the jobs that run. @throws Failure cloud* */
  look(patience: Patience): Promise<void>;
  has(vip: string): boolean;
  /** The jobs that release one of these and have not ended. */
  jobsOf(vips: readonly string[]): string[];
}

/** Lists are seldom older than that. */
const LAG_ms = 15_000;
const RELEASE = 'ReleaseVips';

interface Going {
  /** Absent: it has ended. */
  readonly job?: string;
  readonly until_ms: number;
}

/** None known yet. */
export function noneLeaving(api: Api, jobs: Jobs, clock: Clock): Leaving {
  const going = new Map<string, Going>();
  let [isUnsure, unclear_ms] = [true, Number.NEGATIVE_INFINITY];

  function begun(vips: readonly string[], job: string): void {
    for (const vip of vips) going.set(vip, { job, until_ms: Number.POSITIVE_INFINITY });
    void jobs.ended(job).then((end) => {
      const mine = vips.filter((vip) => going.get(vip)?.job === job);
      for (const vip of mine)
        if (end === 'failed') going.delete(vip);
        else going.set(vip, { until_ms: clock.now_ms() + LAG_ms });
      for (const [vip, { until_ms }] of going) if (until_ms <= clock.now_ms()) going.delete(vip);
    });
  }

  return {
    begun,
    failed(error) {
      if (!isFailure(error) || !['cloudUnavailable', 'cloudGarbled', 'cloudConflict'].includes(error.kind)) return;
      [isUnsure, unclear_ms] = [true, clock.now_ms()];
    },
    isUnsure: () => isUnsure,
    async look(patience) {
      const parameters = { status: ['pending', 'working'] };
      const list = { action: 'DescribeJobs', about: 'all jobs that run', parameters, set: 'job_set', read: jobRecord };
      const asked_ms = clock.now_ms();
      const running = await api.list({ ...list, keyOf: ({ id }) => id }, patience).catch((error: unknown) => {
        if (!isFailure(error) || !['cloudInvalid', 'cloudDenied', 'cloudGarbled', 'cloudNotFound'].includes(error.kind)) throw error;
        return [];
      });
      for (const { id, action, resources } of running)
        if (action === RELEASE && !resources.every((vip) => going.get(vip)?.job === id)) begun(resources, id);
      if (asked_ms - unclear_ms >= LAG_ms) isUnsure = false;
    },
    has: (vip) => (going.get(vip)?.until_ms ?? 0) > clock.now_ms(),
    jobsOf: (vips) => [...new Set(vips.flatMap((vip) => going.get(vip)?.job ?? []))],
  };
}
