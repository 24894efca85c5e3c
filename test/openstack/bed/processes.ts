/** The processes of a bed: known by id and time of birth together, so one that got the id of another later is never taken for it. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { home } from './places.ts';

const python = resolve(import.meta.dirname, 'python');

/** A process that may have ended. */
export interface Known {
  readonly pid: number;
  /** In clock ticks since the machine started (proc_pid_stat(5), field 22). */
  readonly birth: string;
}

/** When that process began; undefined when there is none, or only what is left of one that nobody has reaped. */
export function birthOf(pid: number): string | undefined {
  try {
    // The name in parentheses may hold blanks: what follows the last one is field 3, the state, and so on.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Whether that very process still runs. */
export const alive = ({ pid, birth }: Known): boolean => birthOf(pid) === birth;

/** What is written in `file` as `PID BIRTH`; undefined when nothing is. */
export function knownIn(file: string): Known | undefined {
  try {
    const [pid = '', birth = ''] = readFileSync(file, 'utf8').split(' ');
    return { pid: Number(pid), birth };
  } catch {
    return undefined;
  }
}

/** Writes a running process into `file`. */
export function note(file: string, pid: number): void {
  writeFileSync(file, `${pid} ${birthOf(pid) ?? 'gone'}`);
}

/** Sends SIGKILL and waits for the end, a minute at most. The databases are in WAL mode and survive it. @throws Error when it goes on. */
async function end(known: Known): Promise<void> {
  for (const deadline = performance.now() + 60_000; alive(known); await sleep(10)) {
    if (performance.now() > deadline) throw new Error(`process ${known.pid} does not end`);
    try {
      process.kill(known.pid, 'SIGKILL');
    } catch {
      // it ended between the look and the signal
    }
  }
}

/** How a module of the bed is run. */
export interface Start {
  /** The bed's folder. */
  readonly state: string;
  /** Name of its log and of the note of its process. */
  readonly name: string;
  /** A module of the package `fpbed`, and its arguments. */
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The process ends when this one does. */
  readonly leashed: boolean;
}

/**
 * Starts Debian's own Python on a module. Its environment is small and fixed: no virtual environment of the caller reaches it.
 * Resolves with the exit code.
 */
export function startPython({ state, name, argv, env = {}, leashed }: Start): Promise<number> {
  const log = openSync(join(state, 'log', `${name}.log`), 'a');
  const [module = '', ...rest] = argv;
  const child = spawn('/usr/bin/python3', ['-m', `fpbed.${module}`, ...rest], {
    cwd: state,
    detached: true,
    stdio: ['ignore', log, log],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      // Shared by all beds: Python's list of what is installed is kept there, and takes a second to make.
      HOME: home,
      LANG: 'C.UTF-8',
      PYTHONPATH: python,
      PYTHONDONTWRITEBYTECODE: '1',
      FPBED_STATE: state,
      ...(leashed && { FPBED_OWNER: String(process.pid) }),
      ...env,
    },
  });
  closeSync(log);
  if (child.pid !== undefined) note(join(state, 'run', name), child.pid);
  // A program that starts a bed and leaves it running must be able to end.
  if (!leashed) child.unref();
  return new Promise((ended, failed) => {
    child.on('error', failed);
    child.on('exit', (code) => ended(code ?? 1));
  });
}

/** Ends what `startPython` noted under that name. */
export async function endNoted(state: string, name: string): Promise<void> {
  const file = join(state, 'run', name);
  const known = knownIn(file);
  if (known !== undefined) await end(known);
  rmSync(file, { force: true });
}
