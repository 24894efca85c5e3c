/**
 * Jobs: what takes time. Each is pending, then working, then final; its work is done, as one transaction, when it ends.
 *
 * Invariants
 * - a job is in the database before its id is answered: a program that was killed finishes it after its restart
 * - one job at a time changes a resource
 */
import { asFailure, sentence } from '../../errors/failure.ts';
import type { Log } from '../../log.ts';
import type { Model, Transaction } from '../model/model.ts';
import type { State } from '../model/objects.ts';
import { freshId } from './ids.ts';
import { type Facts, notesOf, noteOf, putNote, removeNote } from './notes.ts';
import { Problem } from './problem.ts';

/** What a job does to which resources, by the ids of this API. */
export type Work =
  | { readonly kind: 'attach'; readonly instance: string; readonly of: readonly string[] }
  | { readonly kind: 'detach'; readonly of: readonly string[] }
  | { readonly kind: 'allocate'; readonly of: readonly string[] }
  | { readonly kind: 'release'; readonly of: readonly string[] }
  | { readonly kind: 'terminate'; readonly of: readonly string[] }
  | { readonly kind: 'applyGroup'; readonly group: string; readonly of: readonly string[] }
  | { readonly kind: 'updateBalancers'; readonly of: readonly string[] }
  | { readonly kind: 'deleteBalancers'; readonly of: readonly string[] }
  | { readonly kind: 'record'; readonly of: readonly string[] };

/** How jobs end. */
export type Outcome = 'successful' | 'failed' | 'done with failure';

/** A job that was started. */
export interface Job {
  readonly id: string;
}

/** How a job is to be: as drawn, or as a fault wants it. */
export interface Course {
  readonly duration_ms: number;
  readonly outcome: Outcome;
  /** How much of the work is done when the outcome is `done with failure`; half when absent. */
  readonly keep?: number | undefined;
  /** Listed never. */
  readonly hidden: boolean;
}

/** A job as it is stored. */
interface Stored {
  readonly owner: string;
  readonly action: string;
  readonly resources: readonly string[];
  readonly work: Work;
  readonly course: Course;
  readonly created_ms: number;
  readonly ended?: Outcome;
  readonly ended_ms?: number;
}

const MOST_JOBS = 2000;

/** Jobs that are not final are pending for the first third of their time. */
export function statusOf({ course, created_ms: at_ms, ended }: Stored, now_ms: number): string {
  if (ended !== undefined) return ended;
  return now_ms - at_ms < course.duration_ms / 3 ? 'pending' : 'working';
}

/** The job of the note. */
function storedOf(facts: Facts): Stored {
  const known = parsed.get(facts);
  if (known !== undefined) return known;
  const stored = JSON.parse(facts['job'] ?? '') as Stored; // what putJob wrote
  parsed.set(facts, stored);
  return stored;
}

/** Notes are never changed in place, so each is parsed once. */
const parsed = new WeakMap<Facts, Stored>();

/** All jobs, oldest first. */
export function jobsOf(state: State): { readonly id: string; readonly job: Stored }[] {
  return notesOf(state, 'job').map(({ key, facts }) => ({ id: key, job: storedOf(facts) }));
}

/** Whether a job that is not final changes it. */
export function isBusy(state: State, resource: string): boolean {
  return busyIn(state).has(resource);
}

/** All resources that jobs change which are not final, with such a job's work. */
export function busyIn(state: State): ReadonlyMap<string, Work> {
  return new Map(
    jobsOf(state).flatMap(({ job }) => (job.ended === undefined ? job.resources.map((resource) => [resource, job.work] as const) : [])),
  );
}

/** @throws Problem 1400. */
export function checkIdle(state: State, resources: readonly string[]): void {
  const all = busyIn(state);
  const busy = resources.find((resource) => all.has(resource));
  if (busy !== undefined) throw new Problem('denied', `resource [${busy}] is in transition, try later`);
}

/** Writes down a new job. Its resources must be idle. */
export function putJob(
  transaction: Transaction,
  owner: string,
  action: string,
  resources: readonly string[],
  work: Work,
  course: Course,
): Job {
  forgetOld(transaction);
  const id = freshId('j');
  put(transaction, id, { owner, action, resources, work, course, created_ms: transaction.now_ms });
  return { id };
}

/** Does what the job is for, to those resources of it that are `done`. Returns how many of them it could not be done to. */
export type Doing = (transaction: Transaction, work: Work, done: readonly string[]) => number;

/** Runs jobs to their ends. */
export class Runner {
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly model: Model;
  private readonly work: Doing;
  private readonly ended: () => Promise<void>;
  private readonly log: Log;

  /** `work` is called at each end, within a transaction; `ended` after it. */
  constructor(model: Model, work: Doing, ended: () => Promise<void>, log: Log) {
    this.model = model;
    this.log = log;
    this.work = work;
    this.ended = ended;
    this.follow();
  }

  /** Sees to it that every job that is not final will end. Call it after each start. */
  follow(): void {
    for (const { id, job } of jobsOf(this.model.state)) {
      if (job.ended !== undefined || this.timers.has(id)) continue;
      const left_ms = Math.max(0, job.created_ms + job.course.duration_ms - Date.now());
      this.timers.set(
        id,
        setTimeout(() => this.end(id), left_ms),
      );
    }
  }

  close(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }

  private end(id: string): void {
    this.timers.delete(id);
    try {
      this.finish(id, (transaction, job) => this.outcomeOf(transaction, job));
    } catch (error) {
      // A mistake of ours, which must not end the program: nothing of the job was done.
      const failed = asFailure(error);
      this.log.error(sentence(failed), { code: failed.code, job: id });
      this.finish(id, () => 'failed');
    }
    void this.ended();
  }

  private finish(id: string, outcome: (transaction: Transaction, job: Stored) => Outcome): void {
    this.model.transaction((transaction) => {
      const facts = noteOf(transaction.state, 'job', id);
      if (facts === undefined) return;
      const job = storedOf(facts);
      put(transaction, id, { ...job, ended: outcome(transaction, job), ended_ms: transaction.now_ms });
    });
  }

  private outcomeOf(transaction: Transaction, { work, course }: Stored): Outcome {
    const keep =
      course.outcome === 'successful' ? work.of.length : course.outcome === 'failed' ? 0 : (course.keep ?? Math.floor(work.of.length / 2));
    const failed = this.work(transaction, work, work.of.slice(0, keep));
    if (course.outcome !== 'successful') return course.outcome;
    return failed === 0 ? 'successful' : failed === work.of.length ? 'failed' : 'done with failure';
  }
}

function put(transaction: Transaction, id: string, job: Stored): void {
  putNote(transaction, 'job', id, { created_ms: String(job.created_ms), job: JSON.stringify(job) });
}

function forgetOld(transaction: Transaction): void {
  const final = notesOf(transaction.state, 'job').filter(({ facts }) => storedOf(facts).ended !== undefined);
  for (const { key } of final.slice(0, Math.max(0, final.length - MOST_JOBS))) removeNote(transaction, 'job', key);
}
