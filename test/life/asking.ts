/** Asking by TCP who one is, for tests whose own process may be held up while it asks. */
import type { Netns } from '../../src/kernel/netns.ts';
import { askWhoAmI } from '../../src/kernel/sockets.ts';
import { parseIp } from '../../src/net/address.ts';

const LOOK_ms = 100;
/** Who did not come to look for so long was held up. */
const HELD_UP_ms = 500;

/**
 * What the other side at that address saw, or the error's text. A `timeout` counts when this process was there all the time: its clock goes on while it is held
 * up, and it hears no answer; then it asks again. It is the other side too, and packets need no process.
 */
export async function whoAmI(from: Netns, to: string, port: number, limit_ms: number): Promise<string> {
  for (;;) {
    let [last, longest] = [performance.now(), 0];
    const look = (): void => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    };
    const timer = setInterval(look, LOOK_ms);
    const seen = await askWhoAmI(from, parseIp(to), port, limit_ms).catch((error: unknown) =>
      error instanceof Error ? error.message : String(error),
    );
    clearInterval(timer);
    look();
    if (seen !== 'timeout' || longest < HELD_UP_ms) return seen;
  }
}
