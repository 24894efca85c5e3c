/**
 * Work that many things ask for and that is done seldom: all that was asked for meanwhile, in one go.
 *
 * Invariants
 * - what was asked for is done, at the latest after `every_ms`; what failed is asked for again
 * - two goes never overlap, and begin at least `every_ms` apart
 */
import type { Clock } from '../../cloud/clock.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { Log } from '../../log.ts';

/** See the head of this file. */
export interface Seldom {
  /** Asks for it. */
  ask(key: string): void;
  /** Does no more; resolves when a go that runs has ended. */
  stop(): Promise<void>;
}

/** How. */
export interface SeldomOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly every_ms: number;
  /** The first go after a rest begins after this long. */
  readonly first_ms: number;
  /** For the log, such as `the status of PodSubnets`. */
  readonly what: string;
}

/** `work` answers with the keys that have to be done again. */
export function seldom(
  { clock, log, every_ms, first_ms, what }: SeldomOptions,
  work: (keys: readonly string[]) => Promise<readonly string[]>,
): Seldom {
  let asked = new Set<string>();
  let cancel: (() => void) | undefined;
  let running: Promise<void> | undefined;
  let began_ms = Number.NEGATIVE_INFINITY;
  let stopped = false;

  function arm(): void {
    if (stopped || running !== undefined || cancel !== undefined || asked.size === 0) return;
    cancel = clock.after(Math.max(first_ms, began_ms + every_ms - clock.now_ms()), () => {
      cancel = undefined;
      running = go().finally(() => {
        running = undefined;
        arm();
      });
    });
  }
  async function go(): Promise<void> {
    const keys = [...asked];
    asked = new Set();
    began_ms = clock.now_ms();
    try {
      for (const key of await work(keys)) asked.add(key);
    } catch (error) {
      log.warn(`${what}: ${sentence(asFailure(error))}`);
      for (const key of keys) asked.add(key);
    }
  }
  return {
    ask(key) {
      asked.add(key);
      arm();
    },
    async stop() {
      stopped = true;
      cancel?.();
      await running;
    },
  };
}
