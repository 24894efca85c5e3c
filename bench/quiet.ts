/** Waiting until the machine has nothing to do. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_ms = 1000;
/** Quiet is less than this share of all processors' time. */
const BUSY = 0.15;
const PATIENCE_ms = 20_000;

/** Resolves after a second in which the processors were idle, and after twenty in any case: other people's load may never end. */
export async function quiet(): Promise<void> {
  const end = performance.now() + PATIENCE_ms;
  let before = ticks();
  while (performance.now() < end) {
    await sleep(LOOK_ms);
    const now = ticks();
    if (1 - (now.idle - before.idle) / (now.all - before.all) < BUSY) return;
    before = now;
  }
}

/** The first line of /proc/stat (proc_stat(5)): the fourth and fifth numbers are idle time. */
function ticks(): { readonly all: number; readonly idle: number } {
  const numbers = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/).slice(1).map(Number) ?? [];
  return { all: numbers.slice(0, 8).reduce((sum, one) => sum + one, 0), idle: (numbers[3] ?? 0) + (numbers[4] ?? 0) };
}
