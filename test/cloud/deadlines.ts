/**
 * Deadlines of the drivers' exchanges that pass when a test says so. Real ones go on while this process is held up: one that is short enough for a test may
 * be over before anything was asked, and then shows nothing of a server that was asked and is silent.
 */
import type { TestContext } from 'node:test';

export interface Deadlines {
  /** How long each exchange was given. */
  readonly given_ms: readonly number[];
  /** The deadlines of all that goes on are over. */
  readonly pass: () => void;
}

/** Until the test ends: those of src/cloud/wire/http.ts, of every driver. */
export function deadlines(t: TestContext): Deadlines {
  const given_ms: number[] = [];
  let running = new AbortController();
  t.mock.method(AbortSignal, 'timeout', (ms: number) => {
    given_ms.push(ms);
    return running.signal;
  });
  return {
    given_ms,
    pass() {
      const over = running;
      running = new AbortController();
      over.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    },
  };
}
