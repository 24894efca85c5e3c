/**
 * One term of leading after the other.
 *
 * Invariants
 * - a term is told at once that it is over, whatever it waits for; it begins nothing after that
 * - the next one begins as soon as it is ours: what the one before has still on its way is known by its older number, and is nobody's to wait for
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';

/** Leads for a term: resolves when that is over and nothing of it runs any more. Rejects when it cannot lead. */
export type Lead = (term: number, over: AbortSignal) => Promise<void>;

/** See the head of this file. */
export interface Terms {
  began(term: number): void;
  ended(): void;
  /** Rejects when a term could not be led, never resolves. */
  readonly failed: Promise<never>;
  /** Ends the present one and waits until nothing of any runs any more; that long at the most, then false. */
  stop(patience_ms: number): Promise<boolean>;
}

/** None yet. */
export function terms(lead: Lead, log: Log): Terms {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  const running = new Set<Promise<void>>();
  let present = new AbortController();
  const run = async (term: number, over: AbortSignal): Promise<void> => {
    try {
      await lead(term, over);
    } catch (error) {
      if (over.aborted) log.warn(`term ${term} did not end in good order: ${sentence(asFailure(error))}`);
      else reject(asFailure(error));
    }
  };
  const ended = (): void => present.abort();
  return {
    began(term) {
      ended();
      present = new AbortController();
      const one = run(term, present.signal).finally(() => running.delete(one));
      running.add(one);
    },
    ended,
    failed,
    async stop(patience_ms) {
      ended();
      const enough = new AbortController();
      const late = sleep(patience_ms, false, { signal: enough.signal }).catch(() => false);
      const done = await Promise.race([Promise.all(running).then(() => true), late]);
      enough.abort();
      return done;
    },
  };
}

/** Resolves with the first of them: that, or the end of the term, with undefined. */
export async function orOver<T>(what: Promise<T>, over: AbortSignal): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const end = (): void => resolve(undefined);
  over.addEventListener('abort', end, { once: true });
  try {
    return over.aborted ? undefined : await Promise.race([what, promise]);
  } finally {
    over.removeEventListener('abort', end);
  }
}
