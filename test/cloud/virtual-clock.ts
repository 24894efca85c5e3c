/** A clock that moves only when told. Alarms ring in order; between two of them everything that was set off runs to its end. */
import type { Clock } from '../../src/cloud/clock.ts';

export interface VirtualClock extends Clock {
  /** Lets that much time pass. */
  advance(ms: number): Promise<void>;
  /** How many alarms are set. */
  readonly alarms: number;
}

/** `settled`: resolves when nothing more happens without time passing; where nobody waits for the outside, that is a matter of the event loop alone. */
export function virtualClock(start_ms = 1_700_000_000_000, settled: () => Promise<void> = turnsOfTheLoop): VirtualClock {
  let now = start_ms;
  const alarms = new Set<{ readonly at: number; readonly ring: () => void }>();
  return {
    now_ms: () => now,
    after(delay_ms, ring) {
      const alarm = { at: now + delay_ms, ring };
      alarms.add(alarm);
      return () => alarms.delete(alarm);
    },
    get alarms() {
      return alarms.size;
    },
    async advance(ms) {
      const end = now + ms;
      for (;;) {
        await settled();
        const [next] = [...alarms].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        alarms.delete(next);
        now = Math.max(now, next.at);
        next.ring();
      }
      now = end;
      await settled();
    },
  };
}

/** Everything that needs no time has happened: microtasks run dry before the next turn of the event loop. */
export async function turnsOfTheLoop(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
