/**
 * Time that passes only when a test says so, for the driver and the double alike: what a test does before a job ends is done before that, however long this
 * process is held up.
 */
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../life/lab.ts';

export interface HeldTime {
  pass(ms: number): void;
  /** Lets time pass until that has ended, no sooner than `begun`: before, nothing is late. */
  during<T>(work: Promise<T>, begun?: () => Promise<boolean>): Promise<T>;
  /** Lets time pass until it is so. */
  until(what: string, isSo: () => Promise<boolean>): Promise<void>;
}

/** Of one turn of a poll, and little beside the deadlines of calls: answers come in real time meanwhile. */
const STEP_ms = 100;
const LEAP_ms = 1000;
/** Real time, for requests alone. */
const LIMIT_s = 60;

/** From now on until the test ends. What was started before goes by real time: the double is to be made after this. */
export function heldTime(t: TestContext): HeldTime {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
  const pass = (ms: number): void => t.mock.timers.tick(ms);
  return {
    pass,
    async during(work, begun = () => Promise.resolve(true)) {
      const state = { isOver: false };
      const ended = work.finally(() => (state.isOver = true));
      // It is told to whoever called, in the end.
      ended.catch(() => undefined);
      await eventually('it has begun', async () => state.isOver || (await begun()), LIMIT_s);
      for (; !state.isOver; await sleep(5)) pass(STEP_ms);
      return ended;
    },
    async until(what, isSo) {
      await eventually(
        what,
        async () => {
          if (await isSo()) return true;
          pass(LEAP_ms);
          return false;
        },
        LIMIT_s,
      );
    },
  };
}
