/**
 * Jobs: what a call has started, and how it ends. All that are waited for are asked about in one call, with growing pauses.
 *
 * Invariants
 * - `successful`, `failed` and `done with failure` are final; a job that is not listed is waited for some seconds, as lists lag, and is then `unknown`
 * - a job is watched to its end also when nobody waits any more, but not for ever
 * - one that the cloud does not know hides no other: where a list is refused for it, it is asked for by itself from then on
 */
import { isFailure } from '../../errors/failure.ts';
import type { Clock } from '../clock.ts';
import { type JobRecord, jobRecord, type JobStatus } from './answers.ts';
import type { Api } from './call.ts';
import { type Patience, patienceFor } from './patience.ts';
import { thoseKnown } from './those-known.ts';

/** How a job ended. `unknown`: nobody knows, so what it was for has to be read back. */
export type JobEnd = Extract<JobStatus, 'successful' | 'failed' | 'done with failure'> | 'unknown';

/** The jobs of one driver. */
export interface Jobs {
  /** Resolves when it has ended; never rejects. */
  ended(job: string): Promise<JobEnd>;
  /** When all have ended, in their order, or undefined when the time for it was over before. */
  allEnded(jobs: readonly string[], patience: Patience): Promise<JobEnd[] | undefined>;
  /** Ends what is under way: jobs that are watched become `unknown`. */
  close(): void;
}

const FIRST_PAUSE_ms = 100;
const LONGEST_PAUSE_ms = 3_000;
const GROWTH = 1.5;
const ABSENT_ms = 5_000;
/** An attachment that took longer was never seen to end well. */
const LONGEST_ms = 300_000;
const ASK_ms = 5_000;
const AT_ONCE = 100;

interface Watched {
  readonly since_ms: number;
  seen_ms: number;
  /** A list was refused for it. */
  isRefused: boolean;
  readonly promise: Promise<JobEnd>;
  readonly resolve: (end: JobEnd) => void;
}

/** Watches jobs through that API. Nothing runs while there are none. */
export class JobWatch implements Jobs {
  private readonly watched = new Map<string, Watched>();
  private readonly api: Api;
  private readonly clock: Clock;
  private pause_ms = FIRST_PAUSE_ms;
  private isRunning = false;
  private isClosed = false;
  private endPause = (): void => undefined;

  constructor(api: Api, clock: Clock) {
    this.api = api;
    this.clock = clock;
  }

  ended(job: string): Promise<JobEnd> {
    if (this.isClosed) return Promise.resolve('unknown');
    const known = this.watched.get(job);
    if (known !== undefined) return known.promise;
    const now_ms = this.clock.now_ms();
    const one: Watched = { since_ms: now_ms, seen_ms: now_ms, isRefused: false, ...Promise.withResolvers<JobEnd>() };
    this.watched.set(job, one);
    // The pauses of an old job are not those of a new one.
    this.pause_ms = FIRST_PAUSE_ms;
    if (!this.isRunning) {
      this.isRunning = true;
      void this.watch();
    }
    return one.promise;
  }

  async allEnded(jobs: readonly string[], patience: Patience): Promise<JobEnd[] | undefined> {
    const all = Promise.all(jobs.map((job) => this.ended(job)));
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const cancel = this.clock.after(patience.left_ms(), () => resolve(undefined));
    try {
      return await Promise.race([all, promise]);
    } finally {
      cancel();
    }
  }

  close(): void {
    this.isClosed = true;
    for (const job of this.watched.keys()) this.end(job, 'unknown');
    this.endPause();
  }

  private async watch(): Promise<void> {
    while (this.watched.size > 0) {
      await this.pause();
      this.pause_ms = Math.min(this.pause_ms * GROWTH, LONGEST_PAUSE_ms);
      if (this.watched.size > 0) await this.ask();
      const now_ms = this.clock.now_ms();
      for (const [job, { since_ms }] of this.watched) if (now_ms - since_ms > LONGEST_ms) this.end(job, 'unknown');
    }
    this.isRunning = false;
  }

  /** Over at once when nobody waits any more. */
  private pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.clock.after(this.pause_ms, resolve);
    this.endPause = () => {
      cancel();
      resolve();
    };
    return promise;
  }

  private async ask(): Promise<void> {
    const { alone = [], together = [] } = Object.groupBy(this.watched, ([, { isRefused }]) => (isRefused ? 'alone' : 'together'));
    const lists = alone.map(([job]) => [job]);
    for (let from = 0; from < together.length; from += AT_ONCE) lists.push(together.slice(from, from + AT_ONCE).map(([job]) => job));
    // What cannot be asked now is asked again; a job is given up by its age alone.
    for (const jobs of lists) await this.askFor(jobs).catch(() => undefined);
  }

  private async askFor(jobs: readonly string[]): Promise<void> {
    const found = await thoseKnown(jobs, (some) => this.list(some));
    const now_ms = this.clock.now_ms();
    for (const { id, status } of found) {
      const one = this.watched.get(id);
      if (one !== undefined) one.seen_ms = now_ms;
      if (status !== 'pending' && status !== 'working') this.end(id, status);
    }
    for (const job of jobs) if (now_ms - (this.watched.get(job)?.seen_ms ?? now_ms) > ABSENT_ms) this.end(job, 'unknown');
  }

  private async list(jobs: readonly string[]): Promise<JobRecord[]> {
    const list = { action: 'DescribeJobs', about: `${jobs.length} jobs`, parameters: { jobs }, set: 'job_set', read: jobRecord };
    try {
      return await this.api.list({ ...list, keyOf: ({ id }) => id }, patienceFor(this.clock, ASK_ms));
    } catch (error) {
      const one = jobs.length === 1 ? this.watched.get(jobs[0] ?? '') : undefined;
      if (one !== undefined && isFailure(error, 'cloudNotFound')) one.isRefused = true;
      throw error;
    }
  }

  private end(job: string, how: JobEnd): void {
    this.watched.get(job)?.resolve(how);
    this.watched.delete(job);
  }
}
