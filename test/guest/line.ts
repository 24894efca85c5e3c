/** The serial line by which a guest obeys: numbers of scripts go there, numbers and statuses come back (init.sh). */
import type { Duplex } from 'node:stream';

const BOOT_LIMIT_s = 60;

/** Who waits for what on a guest's serial line. */
export interface Answers {
  /** Kept once the guest obeys. */
  readonly up: Promise<void>;
  /** Asks for the script of that number; its status. */
  ask(number: number, limit_s: number): Promise<number>;
  /** A number for the next script. */
  next(): number;
}

/** The machine's end of the serial line. Once it is closed, or somebody waited too long, nobody waits any more. */
export function obey(line: Duplex, lastWords: () => string): Answers {
  const waiting = new Map<number, PromiseWithResolvers<number>>();
  const booted = Promise.withResolvers<void>();
  let [asked, dead, rest] = [0, false, ''];
  const die = (why: string): void => {
    if (dead) return;
    dead = true;
    const error = new Error(`the guest ${why}; its console ended with:\n${lastWords()}`);
    booted.reject(error);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  line.setEncoding('latin1');
  line.on('data', (part: string) => {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines.map((one) => one.trim())) {
      const [, number, status] = /^(\d+) (\d+)$/.exec(text) ?? [];
      if (text === 'up') booted.resolve();
      else if (text.startsWith('guest:')) die(`gave up (${text.slice('guest: '.length)})`);
      else if (number !== undefined) waiting.get(Number(number))?.resolve(Number(status));
    }
  });
  for (const event of ['end', 'error', 'close']) line.on(event, () => die('is gone'));
  return {
    up: within(BOOT_LIMIT_s, booted.promise, () => die(`was not up within ${BOOT_LIMIT_s} s`)),
    next: () => ++asked,
    async ask(number, limit_s) {
      const answer = Promise.withResolvers<number>();
      if (dead) throw new Error(`the guest is gone; its console ended with:\n${lastWords()}`);
      waiting.set(number, answer);
      line.write(`${number}\n`);
      try {
        return await within(limit_s, answer.promise, () => die(`answered nothing for ${limit_s} s`));
      } finally {
        waiting.delete(number);
      }
    },
  };
}

async function within<T>(limit_s: number, promise: Promise<T>, late: () => void): Promise<T> {
  const timer = setTimeout(late, limit_s * 1000);
  return promise.finally(() => clearTimeout(timer));
}
