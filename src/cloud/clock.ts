/** Time as a thing that is handed in, so that a test or the simulation can own it. */

/** A clock and its alarm. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now_ms(): number;
  /** Calls back once, after at least that long. Returns the way to cancel. */
  after(delay_ms: number, ring: () => void): () => void;
}

/** The machine's clock. Its alarms do not keep the process alive. */
export const systemClock: Clock = {
  now_ms: () => Date.now(),
  after(delay_ms, ring) {
    const timer = setTimeout(ring, delay_ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after that long. */
export function sleep(clock: Clock, delay_ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delay_ms, resolve);
  });
}
