/** Time for this room, handed in so that a test can own it. */
import { uptime } from 'node:os';

/** How much time has gone by, and an alarm. Never the time of day: that of two machines differs, and it jumps. */
export interface ElapsedClock {
  /**
   * Milliseconds since some moment, never less than before. They count on while the process is stopped (SIGSTOP, a frozen cgroup) or the machine
   * sleeps: what was promised for so long must not last longer because nobody was looking.
   */
  elapsed_ms(): number;
  /** Calls back once, after at least that long. Returns the way to cancel. */
  after(delay_ms: number, ring: () => void): () => void;
}

/**
 * The machine's: CLOCK_BOOTTIME, in steps of 10 ms (`/proc/uptime`, proc(5)), which unlike the CLOCK_MONOTONIC of `performance.now()` counts a
 * machine's suspension. A guest that its hypervisor pauses without telling it is the one case no clock in it can see. Alarms do not keep the process alive.
 */
export const elapsedClock: ElapsedClock = {
  elapsed_ms: () => uptime() * 1000,
  after(delay_ms, ring) {
    const timer = setTimeout(ring, delay_ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
