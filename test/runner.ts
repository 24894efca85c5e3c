/** Node's test runner as this repository uses it: one process without isolation for all files (each cleans up after itself), shown as it goes. */
import { type ChildProcess, spawn } from 'node:child_process';

const options = [
  '--disable-warning=ExperimentalWarning',
  '--test',
  '--test-isolation=none',
  '--test-concurrency=1',
  '--test-reporter=spec',
];

/** A run that goes on. */
export interface Run {
  readonly process: ChildProcess;
  /** What the runner counted under that word (`pass`, `fail`, …); 0 until it says so, at its end. */
  readonly count: (what: string) => number;
}

/** Starts the tests of those files. */
export function runTests(files: readonly string[]): Run {
  // As the launcher does: deleting links side by side needs the threads (src/kernel/remove-links.ts).
  const env = { UV_THREADPOOL_SIZE: '16', ...process.env };
  const run = spawn(process.execPath, [...options, ...files], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const counts = new Map<string, number>();
  let line = '';
  run.stdout.on('data', (part: Buffer) => {
    process.stdout.write(part);
    const lines = (line + part.toString()).split('\n');
    line = lines.pop() ?? '';
    for (const [, what = '', number = ''] of lines.map((one) => /^ℹ (\w+) (\d+)$/.exec(one) ?? [])) counts.set(what, Number(number));
  });
  return { process: run, count: (what) => counts.get(what) ?? 0 };
}
