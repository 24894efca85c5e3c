/**
 * Which of several processes leads: by a Lease (coordination.k8s.io/v1), as k8s.io/client-go/tools/leaderelection does it.
 *
 * Invariants
 * - never two with `holdsFor_ms() > 0` at once, however slow, stopped or cut off they are; except when somebody edits or deletes the Lease by hand
 * - a Lease has run out only when it was seen unchanged for its whole duration by one's own clock: times written in it are for people
 * - how long we hold it counts from before the request that renewed it was sent
 * - each time somebody comes to lead begins a new term, also when nobody else led in between: what an earlier term left on its way is known as such
 * - every change of it is made to the version that was looked at: of two that want it at once, one gets a conflict
 */
import { randomUUID } from 'node:crypto';
import { asFailure, isFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';
import type { KubeApi } from './api.ts';
import { type ElapsedClock, elapsedClock } from './clock.ts';
import { durationOf_ms, givenBack, heldBy, holderOf, type Lease, leases, newLease, parseLease, recordOf, transitionsOf } from './lease.ts';

/**
 * How quickly leaders change. The defaults are shorter than client-go's (15, 10 and 2 s): docs/adr/0014 tells what they bear. An API server that takes
 * `request_ms` for every answer costs nobody the lead as long as two of them fit into `renew_ms`.
 */
export interface ElectionTimings {
  /** A leader that was not heard of for so long leads no more; 8 s. */
  readonly lease_ms: number;
  /** One that could not renew for so long steps down; 6.5 s. */
  readonly renew_ms: number;
  /** From one try to the next, the later one when the first takes longer; 1 s. */
  readonly retry_ms: number;
  /** A request that is not answered by then is given up, and what it did is looked at; 3.2 s. */
  readonly request_ms: number;
}

/** Who stands for what. */
export interface ElectionOptions {
  readonly namespace: string;
  /** Name of the Lease. */
  readonly lease: string;
  /** Name of the Pod or host, for people. An end of its own is added: a process that was restarted is another candidate. */
  readonly candidate: string;
  readonly log: Log;
  /** We lead from now on. On a later turn than `stand`. */
  readonly began: (term: number) => void;
  /** We lead no more: another may from now on, or soon. Stop at once; `holdsFor_ms` is 0 already. It goes on standing, unless it was stopped. */
  readonly ended: (why: string) => void;
  readonly timings?: Partial<ElectionTimings>;
  readonly clock?: ElapsedClock;
  /** In [0, 1); Math.random when absent. */
  readonly random?: () => number;
}

/** A standing candidate. */
export interface Election {
  /** As it stands in the Lease. */
  readonly identity: string;
  /** The Lease's leaseTransitions since our acquisition, which grows with each; undefined when we do not lead. */
  readonly term: number | undefined;
  /** Identity of whoever was last seen leading, for status. */
  readonly leader: string | undefined;
  /** The last try got an answer about the Lease, so that we could lead if it were our turn; false before the first. */
  readonly inTouch: boolean;
  /** For how long from now nobody else can lead; 0 when we do not lead. Ask before each write, and give that write no longer. */
  holdsFor_ms(): number;
  /**
   * That term was written somewhere, so ours has to be a later one, and is not when somebody deleted the Lease, or another stands in another namespace:
   * ends ours, and leads again in one after it.
   */
  outrank(term: number): void;
  /** Steps down and gives the Lease back, so that another leads at once: end your own work first. Resolves also when that failed, within 4 s. */
  stop(): Promise<void>;
}

/** The part of the API that an election needs. */
export type LeaseApi = Pick<KubeApi, 'find' | 'create' | 'replace'>;

/**
 * The longest that something may take which only a leader may do, when leaders change as quickly as by default: somebody who holds on for less must not
 * begin it. With every answer of the API server a second late, a leader that renews holds on for longer than this at every moment.
 */
export const LONGEST_CALL_ms = 4_500;
const USUAL: ElectionTimings = { lease_ms: 8_000, renew_ms: 6_500, retry_ms: 1_000, request_ms: 3_200 };
/** Giving the Lease back, the try under way among it. */
const STOP_ms = 4_000;
/** Two clocks that are both right may differ by less than this share; and elapsed time comes in steps of 10 ms. */
const CLOCK_DRIFT = 0.01;
const CLOCK_STEP_ms = 20;

/** Begins to stand. Never gives up by itself. */
export function stand(api: LeaseApi, options: ElectionOptions): Election {
  return new Candidate(api, options);
}

/** What was last seen of the Lease. */
interface Seen {
  readonly lease: Lease;
  /** Since when its record is what it is, by our clock. */
  readonly since_ms: number;
}

class Candidate implements Election {
  readonly identity: string;
  readonly #api: LeaseApi;
  readonly #options: ElectionOptions;
  readonly #timings: ElectionTimings;
  readonly #clock: ElapsedClock;
  readonly #random: () => number;
  /** While we lead. `sent_ms`: when the last renewal that came through was sent. */
  #held: { readonly term: number; sent_ms: number } | undefined;
  #seen: Seen | undefined;
  /** The Lease in `#seen` is what the server had a moment ago, as far as we know: its version may be written to without looking. */
  #fresh = false;
  /** Terms begin here. */
  #firstTerm = 0;
  /** How many looks in a row found no Lease. */
  #missing = 0;
  #outage = false;
  #inTouch = false;
  #stopped = false;
  #cancel: () => void = () => {};
  #cancelEnd: () => void = () => {};
  #step: Promise<void> = Promise.resolve();

  constructor(api: LeaseApi, options: ElectionOptions) {
    this.#api = api;
    this.#options = options;
    this.#timings = { ...USUAL, ...options.timings };
    this.#clock = options.clock ?? elapsedClock;
    this.#random = options.random ?? Math.random;
    this.identity = `${options.candidate}_${randomUUID()}`;
    this.#next(0);
  }

  get term(): number | undefined {
    return this.#held?.term;
  }

  get leader(): string | undefined {
    return this.#seen === undefined ? undefined : holderOf(this.#seen.lease);
  }

  get inTouch(): boolean {
    return this.#inTouch;
  }

  holdsFor_ms(): number {
    if (this.#held === undefined) return 0;
    const whole_ms = this.#timings.lease_ms * (1 - CLOCK_DRIFT) - CLOCK_STEP_ms;
    return Math.max(0, this.#held.sent_ms + whole_ms - this.#clock.elapsed_ms());
  }

  outrank(term: number): void {
    this.#firstTerm = Math.max(this.#firstTerm, term + 1);
    if (this.#held !== undefined && this.#held.term <= term) this.#end(`term ${term} was there before`);
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancel();
    this.#end('it was stopped');
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(STOP_ms, resolve);
    await Promise.race([this.#step.then(() => this.#giveBack()), late]);
    cancel();
  }

  #next(pause_ms: number): void {
    this.#cancel = this.#clock.after(pause_ms, () => {
      const began_ms = this.#clock.elapsed_ms();
      this.#step = this.#try().then((wait_ms) => {
        const taken_ms = this.#clock.elapsed_ms() - began_ms;
        if (!this.#stopped) this.#next(Math.max(wait_ms - taken_ms, this.#timings.retry_ms / 10));
      });
    });
  }

  /** One try to get or to keep it. Resolves with the time from its beginning to the next. Never rejects. */
  async #try(): Promise<number> {
    const { retry_ms } = this.#timings;
    try {
      if (!this.#fresh) await this.#look();
      const seen = this.#seen;
      if (!this.#stopped && this.#isOurs(seen)) await this.#write(seen);
      if (this.#outage) this.#options.log.info(`the Lease ${this.#options.lease} can be reached again`);
      this.#outage = false;
      this.#inTouch = true;
    } catch (error) {
      this.#fresh = false;
      // Somebody was quicker. A leader looks at once who that is: it may have been a person with a label.
      if (isFailure(error, 'kubeConflict') || isFailure(error, 'kubeAlreadyExists'))
        return this.#held === undefined ? retry_ms : retry_ms / 10;
      this.#inTouch = false;
      if (!this.#outage) this.#options.log.warn(`the Lease ${this.#options.lease} cannot be had: ${sentence(asFailure(error))}`);
      this.#outage = true;
    }
    // Candidates that were refused together should not come back together.
    return this.#held === undefined ? retry_ms * (1 + 0.2 * this.#random()) : retry_ms;
  }

  get #patience(): { readonly deadline_ms: number } {
    return { deadline_ms: this.#timings.request_ms };
  }

  async #look(): Promise<void> {
    const { namespace, lease: name } = this.#options;
    const lease = await this.#api.find({ ...leases, namespace, name }, parseLease, this.#patience);
    this.#missing = lease === undefined ? this.#missing + 1 : 0;
    if (lease === undefined) return;
    this.#remember(lease);
    const holder = holderOf(lease);
    if (this.#held !== undefined && holder !== this.identity)
      this.#end(holder === undefined ? 'the Lease was given away' : `${holder} leads`);
  }

  #remember(lease: Lease): void {
    const same = this.#seen !== undefined && recordOf(this.#seen.lease) === recordOf(lease);
    this.#seen = { lease, since_ms: same && this.#seen !== undefined ? this.#seen.since_ms : this.#clock.elapsed_ms() };
  }

  /** Whether it is our turn to write: it is ours, nobody's, or was not renewed in time. */
  #isOurs(seen: Seen | undefined): boolean {
    if (seen === undefined) return this.#missing >= 2;
    const holder = holderOf(seen.lease);
    // One that was deleted is treated as if its holder had not been heard of since: it may not know yet.
    if (this.#missing === 0 && holder === undefined) return true;
    if (holder === this.identity) return true;
    return this.#clock.elapsed_ms() - seen.since_ms >= Math.max(durationOf_ms(seen.lease), this.#timings.lease_ms);
  }

  /** Writes that we lead, which makes it so when it comes through. */
  async #write(seen: Seen | undefined): Promise<void> {
    const { namespace, lease: name } = this.#options;
    const term = this.#held?.term ?? Math.max(this.#firstTerm, seen === undefined ? 0 : transitionsOf(seen.lease) + 1);
    const sent_ms = this.#clock.elapsed_ms();
    const acquired = this.#held === undefined;
    const missing = this.#missing > 0 || seen === undefined;
    this.#fresh = false;
    const body = heldBy(missing ? newLease(namespace, name) : seen.lease, this.identity, term, this.#timings.lease_ms, acquired);
    const lease = missing
      ? await this.#api.create({ ...leases, namespace }, body, parseLease, this.#patience)
      : await this.#api.replace({ ...leases, namespace, name }, body, parseLease, this.#patience);
    this.#missing = 0;
    this.#remember(lease);
    this.#fresh = true;
    // An answer that is read late, by a process that was stopped meanwhile, renews nothing: the next try does.
    if (!this.#stopped && this.#clock.elapsed_ms() - sent_ms < this.#timings.renew_ms) this.#hold(term, sent_ms);
  }

  #hold(term: number, sent_ms: number): void {
    const begins = this.#held === undefined;
    this.#held = { term, sent_ms };
    this.#cancelEnd();
    const left_ms = sent_ms + this.#timings.renew_ms - this.#clock.elapsed_ms();
    this.#cancelEnd = this.#clock.after(Math.max(0, left_ms), () =>
      this.#end(`the Lease could not be renewed for ${this.#timings.renew_ms / 1000} s`),
    );
    if (!begins) return;
    this.#options.log.info(`leads by the Lease ${this.#options.lease}`, { term, identity: this.identity });
    this.#options.began(term);
  }

  #end(why: string): void {
    this.#cancelEnd();
    if (this.#held === undefined) return;
    this.#held = undefined;
    this.#options.log.warn(`leads no more: ${why}`, { identity: this.identity });
    this.#options.ended(why);
  }

  async #giveBack(): Promise<void> {
    const { namespace, lease: name, log } = this.#options;
    try {
      if (this.#seen === undefined || holderOf(this.#seen.lease) !== this.identity) return;
      if (!this.#fresh) await this.#look();
      if (holderOf(this.#seen.lease) !== this.identity) return;
      await this.#api.replace({ ...leases, namespace, name }, givenBack(this.#seen.lease), parseLease, this.#patience);
    } catch (error) {
      log.warn(`the Lease ${name} could not be given back; it runs out by itself: ${sentence(asFailure(error))}`);
    }
  }
}
