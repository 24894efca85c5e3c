/** How long one call of the driver may still take, with all that it sends. */
import type { Clock } from '../clock.ts';

/** Handed down from the call to everything that it sends. */
export interface Patience {
  /** 0 when it is over: nothing is sent any more, as another controller may lead by now. */
  left_ms(): number;
}

/** From now on, for that long. */
export function patienceFor(clock: Clock, deadline_ms: number): Patience {
  const end_ms = clock.now_ms() + deadline_ms;
  return { left_ms: () => Math.max(0, end_ms - clock.now_ms()) };
}
