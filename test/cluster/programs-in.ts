/** Programs in the namespaces of another process: to their end, or as daemons that can be killed by name. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { eventually } from './eventually.ts';
import { hasEnded } from '../../src/cli/demo/processes.ts';
import { signalIfThere } from '../signal.ts';

/** How a program ended. */
export interface Ended {
  /** -1 when a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Of a program that runs to its end. */
export interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** It is killed after that; a minute unless told otherwise. */
  readonly limit_s?: number;
  /** Its output goes here as it comes, besides. */
  readonly show?: (part: Buffer) => void;
}

/** A program that goes on. */
export interface Daemon {
  readonly name: string;
  /** As this process sees it. */
  readonly pid: number;
  readonly running: boolean;
  /** What it said so far, this time and before. */
  log(): string;
  /** Sends a signal and waits for nothing. */
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal that ends it, SIGKILL unless told otherwise, and waits for its end. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * kubectl notes which kinds there are, by the API server's address, which all clusters have alike: not in the home that a machine shares with the real one, where
 * the next cluster would find what the last one had.
 */
const kubectlsNotes = { KUBECACHEDIR: '/run/kubectl' };

/** What programs find: nothing of this process's environment. Those in Go, nearly all, look for garbage less often: here memory is plenty, and processors are few. */
const plain = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', GOGC: '400', ...kubectlsNotes };

/** Stands for the process of a program that ended as soon as it was started. */
const NONE = 0;

/** Runs a program in the network, mount, hostname and process namespaces of the process `holder`. */
export async function runIn(holder: number, command: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { stdin = '', env = {}, limit_s = 60, show } = options;
  const child = spawn('nsenter', [...namespacesOf(holder), ...command], {
    env: { ...plain, ...env },
    timeout: limit_s * 1000,
    killSignal: 'SIGKILL',
  });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (part: Buffer) => out.push(part)).on('data', (part: Buffer) => show?.(part));
  child.stderr.on('data', (part: Buffer) => err.push(part)).on('data', (part: Buffer) => show?.(part));
  // It need not read what it is given.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  await once(child, 'close');
  return { status: child.exitCode ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
}

/** Starts one there that goes on until it is killed or the holder ends. `logFile` is appended to. */
export async function startIn(
  holder: number,
  program: { readonly name: string; readonly command: readonly string[]; readonly path?: string; readonly logFile: string },
): Promise<Daemon> {
  const log = openSync(program.logFile, 'a');
  const env = { ...plain, ...(program.path !== undefined && { PATH: `${program.path}:${plain.PATH}` }) };
  const child = spawn('nsenter', [...namespacesOf(holder), ...program.command], { env, stdio: ['ignore', log, log] });
  closeSync(log);
  await once(child, 'spawn');
  const running = (): boolean => !hasEnded(child);
  // nsenter stays outside, as the parent of what it started inside.
  const pid = await eventually(`${program.name} starts`, () => (running() ? onlyChildOf(child.pid ?? 0) : NONE));
  return {
    name: program.name,
    pid,
    get running() {
      return running();
    },
    log: () => readFileSync(program.logFile, 'utf8'),
    signal: (signal) => send(child, pid, signal),
    async kill(signal = 'SIGKILL') {
      if (!running()) return;
      send(child, pid, signal);
      if (running()) await once(child, 'exit');
    },
  };
}

function send(nsenter: ChildProcess, pid: number, signal: NodeJS.Signals): void {
  // It may have ended, and nsenter not told it yet.
  if (pid === NONE || hasEnded(nsenter) || !signalIfThere(pid, signal)) return;
  // nsenter stops itself when its child is stopped.
  if (signal === 'SIGCONT') nsenter.kill(signal);
}

/** The process that another one started, as long as it is one; false when there is none yet. */
export function onlyChildOf(pid: number): number | false {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return child === undefined || child === '' ? false : Number(child);
  } catch {
    return false; // it ended
  }
}

function namespacesOf(holder: number): string[] {
  return ['--target', String(holder), '--net', '--mount', '--uts', '--pid', '--'];
}
