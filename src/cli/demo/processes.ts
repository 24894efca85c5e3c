/** Programs of the lab: the VPC and the agents, each in the network namespace it belongs to, their logs in files, their pids where `demo-clean` finds them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../../errors/failure.ts';

// One that ends is noticed at once: this is for one that hangs, on a machine or in a guest that many others keep busy.
const START_DEADLINE_ms = 120_000;
const STOP_DEADLINE_ms = 10_000;

/** `bin/flatpod` of this checkout or installation. */
export const launcher = resolve(
  import.meta.dirname,
  existsSync(join(import.meta.dirname, 'host.nft')) ? '../bin/flatpod' : '../../../bin/flatpod',
);

/** A program that runs. */
export interface Running {
  readonly name: string;
  readonly process: ChildProcess;
  /** What it logged so far. */
  log(): string;
  /** Ends it and waits for that; SIGTERM unless another signal is given. Succeeds when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** What is to be started, and how it shows that it has. */
export interface Program {
  /** Names its log and pid files. */
  readonly name: string;
  readonly args: readonly string[];
  /** Path of the namespace to run in; absent: here. */
  readonly netns?: string;
  /** Path of the mount namespace to run in besides; absent: here. */
  readonly mounts?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** It has started when somebody listens on this socket. */
  readonly ready: string;
}

/** Starts `flatpod ARGS` and waits until it is ready. @throws Failure labProgram with the end of its log. */
export async function start(dir: string, program: Program): Promise<Running> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  rmSync(program.ready, { force: true });
  const logFile = join(dir, `${program.name}.log`);
  const out = openSync(logFile, 'a');
  const rooms = [
    ...(program.netns === undefined ? [] : [`--net=${program.netns}`]),
    ...(program.mounts === undefined ? [] : [`--mount=${program.mounts}`]),
  ];
  const child = spawn(rooms.length === 0 ? launcher : 'nsenter', [...(rooms.length === 0 ? [] : [...rooms, launcher]), ...program.args], {
    stdio: ['ignore', out, out],
    env: { ...process.env, ...program.env },
    detached: true,
  });
  // Whoever started it may end before it does; a demo that is kept running does.
  child.unref();
  closeSync(out);
  writeFileSync(join(dir, `${program.name}.pid`), String(child.pid ?? ''));
  const log = (): string => readFileSync(logFile, 'utf8');
  const running: Running = {
    name: program.name,
    process: child,
    log,
    stop: (signal = 'SIGTERM') => stop(dir, program.name, child, signal),
  };
  const deadline = performance.now() + START_DEADLINE_ms;
  while (!(await accepts(program.ready))) {
    if (hasEnded(child) || performance.now() > deadline) {
      await running.stop('SIGKILL');
      throw failure('labProgram', { program: `flatpod ${program.args.join(' ')}`, text: log().trim().split('\n').slice(-3).join(' | ') });
    }
    await sleep(10);
  }
  return running;
}

/** Whether the process is over, by an exit or by a signal. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Whether somebody listens: the socket's file is there a moment before that. */
function accepts(socket: string): Promise<boolean> {
  const { promise, resolve: answer } = Promise.withResolvers<boolean>();
  const client = connect(socket, () => answer(true)).on('error', () => answer(false));
  return promise.finally(() => client.destroy());
}

async function stop(dir: string, name: string, child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise<void>((done) => (hasEnded(child) ? done() : child.once('exit', () => done())));
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_ms);
  await ended;
  clearTimeout(late);
  rmSync(join(dir, `${name}.pid`), { force: true });
}

/** Kills what a crashed demo left running: processes named in pid files that really are ours. */
export function killLeftovers(dir: string): number {
  if (!existsSync(dir)) return 0;
  let killed = 0;
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.pid'))) {
    const pid = Number(readFileSync(join(dir, file), 'utf8'));
    if (pid > 1 && commandOf(pid).includes('flatpod')) {
      process.kill(pid, 'SIGKILL');
      killed++;
    }
    rmSync(join(dir, file));
  }
  return killed;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
