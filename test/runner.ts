/** Node's test runner as this repository uses it: one process without isolation for all files (each cleans up after itself), shown as it goes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** What Node gets before the names of the files. */
export const runnerArguments = [
  '--disable-warning=ExperimentalWarning',
  '--test',
  '--test-isolation=none',
  '--test-concurrency=1',
  '--test-reporter=spec',
] as const;

/** Variable with the id of a process of this suite that runs beside: its traces are none that were forgotten. */
export const BESIDE = 'FLATPOD_TEST_BESIDE';

/** As the launcher does: deleting links side by side needs the threads (src/kernel/remove-links.ts). */
export const runnerEnvironment = { UV_THREADPOOL_SIZE: '16' } as const;

/** What a runner counts, taken from what it prints. */
export interface Counts {
  /** The next part of its output. */
  readonly read: (part: string) => void;
  /** What it counted under that word (`pass`, `fail`, …); 0 until it says so, at its end. */
  readonly count: (what: string) => number;
  /** What it says of the tests that failed, at its end; empty when none did. */
  readonly failures: () => string;
}

/** What a runner's account of failed tests begins with. */
const FAILING = '✖ failing tests:';

/** Counts of a run that has printed nothing yet. */
export function counts(): Counts {
  const numbers = new Map<string, number>();
  const failing: string[] = [];
  let line = '';
  return {
    read(part) {
      const lines = (line + part).split('\n');
      line = lines.pop() ?? '';
      for (const one of lines) if (failing.length > 0 || one === FAILING) failing.push(one);
      for (const [, what = '', number = ''] of lines.map((one) => /^ℹ (\w+) (\d+)$/.exec(one) ?? [])) numbers.set(what, Number(number));
    },
    count: (what) => numbers.get(what) ?? 0,
    failures: () => failing.slice(1).join('\n').trim(),
  };
}

/** A run that goes on. */
export interface Run extends Pick<Counts, 'count' | 'failures'> {
  readonly process: ChildProcess;
}

/** Starts the tests of those files. `more`: variables for them; `show`: gets what they print. */
export function runTests(
  files: readonly string[],
  more: Readonly<Record<string, string>> = {},
  show: (part: Buffer) => void = (part) => void process.stdout.write(part),
): Run {
  const env = { ...runnerEnvironment, ...process.env, ...more };
  const run = spawn(process.execPath, [...runnerArguments, ...files], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const { read, count, failures } = counts();
  // A part may end within a character.
  const decoder = new TextDecoder();
  run.stdout.on('data', (part: Buffer) => {
    show(part);
    read(decoder.decode(part, { stream: true }));
  });
  return { process: run, count, failures };
}

/** What a run counted. */
export interface Numbers {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** As {@link Counts.failures}. */
  readonly failures: string;
}

/** What a run counts once it is over. */
export async function ended(run: Run): Promise<Numbers> {
  // Of 'close': the exit status, null after a signal.
  const [status] = (await once(run.process, 'close')) as [number | null];
  return numbersOf(run, status);
}

/** What was counted by a runner that ended with that status. */
export function numbersOf({ count, failures }: Pick<Counts, 'count' | 'failures'>, status: number | null): Numbers {
  const [passed, told, skipped] = [count('pass'), count('fail') + count('cancelled'), count('skipped')];
  // A runner that was ended or crashed says no numbers.
  const failed = told === 0 && (passed + skipped === 0 || status !== 0) ? 1 : told;
  return { passed, failed, skipped, failures: failures() };
}
