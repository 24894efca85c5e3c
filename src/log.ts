/** The log: JSON lines with pino's field names on stderr, one line a fact. No library: the agent has a memory budget. */
import { writeSync } from 'node:fs';

/** Severity, from the least. */
export const levels = ['debug', 'info', 'warn', 'error'] as const;
/** One of them; numbered as pino does. */
export type Level = (typeof levels)[number];
const numbers: Record<Level, number> = { debug: 20, info: 30, warn: 40, error: 50 };

/** What a line may carry beside its message. */
export type LogFields = Record<string, string | number | boolean | null | undefined>;

/** Writes facts about what happened. Implementations never throw. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log that drops lines below `least`, which is asked at each line where it may change, and hands the others, newline included, to `write` (stderr when absent). */
export function createLog(name: string, least: Level | (() => Level) = 'info', write: (line: string) => void = toStderr): Log {
  const leastNow = typeof least === 'string' ? (): Level => least : least;
  const at =
    (level: Level) =>
    (message: string, fields: LogFields = {}): void => {
      if (numbers[level] < numbers[leastNow()]) return;
      write(`${JSON.stringify({ level: numbers[level], time: Date.now(), name, ...fields, msg: message })}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function toStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // A full disk or a closed pipe under the log must not take the network down.
  }
}
