/** One line per step: overwritten while it runs on a terminal, printed once elsewhere. Goes to stderr, so that stdout is the result alone. */
import { styled } from '../table.ts';

/** A step that runs. */
export interface Step {
  /** Shows how far it is. */
  update(text: string): void;
  done(text: string): void;
}

const started = performance.now();

/** Begins a step. */
export function step(what: string): Step {
  const out = process.stderr;
  const live = out.isTTY;
  if (live) out.write(`  … ${what}`);
  return {
    update: (text) => void (live && out.write(`\r\x1b[K  … ${what}: ${text}`)),
    done(text) {
      const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
      out.write(`${live ? '\r\x1b[K' : ''}${styled(out, 'dim', `${seconds} s`)}  ${styled(out, 'green', '✔')} ${what}: ${text}\n`);
    },
  };
}
