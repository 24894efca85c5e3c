/** The stopwatch (stopwatch.c): compiles it, runs it, reads what it measured. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Somebody who is measured. */
export interface Peer {
  readonly name: string;
  /** `-`: the C program's work, in the stopwatch's own process. */
  readonly executable: string;
  /** File of the network configuration. */
  readonly conf: string;
  readonly cniPath: string;
  /** Path of the node's namespace. */
  readonly node: string;
  /** First part of the paths of the Pods' namespaces; a number follows. */
  readonly pods: string;
  /** Variables that its executable needs. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One verb of one Pod. */
export interface Timed {
  readonly peer: string;
  readonly pod: number;
  /** CLOCK_MONOTONIC, the clock of process.hrtime(). */
  readonly start_ns: number;
  readonly took_ns: number;
  /** Of the executable and its children. */
  readonly cpu_us: number;
}

/** What one run of the stopwatch said: verbs, and for `at-once` how long each peer took for all. */
export interface Measured {
  readonly timed: readonly Timed[];
  readonly wall_ns: ReadonlyMap<string, number>;
}

/** Which Pods, and how. */
export interface Run {
  readonly mode: 'turns' | 'at-once';
  readonly verb: 'ADD' | 'DEL';
  readonly first: number;
  readonly count: number;
  /** Before each turn, so that nobody pays for what the one before left to do; 3 ms when absent. */
  readonly pause_us?: number;
}

const PAUSE_us = 3000;

/** Compiles the C programs into `dir`. @throws Error when there is no compiler, or it refuses. */
export function compile(dir: string): void {
  mkdirSync(dir, { recursive: true });
  const at = import.meta.dirname;
  const programs = { stopwatch: ['stopwatch.c', 'pod-network.c'], inprocess: ['inprocess.c', 'pod-network.c'], traffic: ['traffic.c'] };
  for (const [program, sources] of Object.entries(programs)) {
    const flags = ['-O2', '-static', '-pthread', '-Wall', '-Wextra', '-Werror', '-o', join(dir, program)];
    execFileSync('gcc', [...flags, ...sources.map((file) => join(at, file))], { stdio: ['ignore', 'inherit', 'inherit'] });
  }
}

/** Runs it; `bin` is where {@link compile} put it. @throws Error with what the first plugin that failed said. */
export async function measure(
  bin: string,
  peers: readonly Peer[],
  { mode, verb, first, count, pause_us = PAUSE_us }: Run,
): Promise<Measured> {
  const child = spawn(join(bin, 'stopwatch'), [mode, verb, String(first), String(count), String(pause_us)]);
  const ended = new Promise<number>((done, failed) => child.on('error', failed).on('close', (code) => done(code ?? -1)));
  const lines = peers.map(({ name, executable, conf, cniPath, node, pods, env = {} }) =>
    [name, executable, conf, cniPath, node, pods, ...Object.entries(env).map(([key, value]) => `${key}=${value}`)].join('\t'),
  );
  child.stdin.end(`${lines.join('\n')}\n`);
  const [said, complaint, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new Error(`stopwatch ${mode} ${verb}: ${complaint.trim()}`);
  const timed: Timed[] = [];
  const wall_ns = new Map<string, number>();
  for (const line of said.split('\n').filter((one) => one !== '')) {
    // The stopwatch is ours, and was compiled from the source beside this file.
    const one = JSON.parse(line) as Timed | { readonly peer: string; readonly wall_ns: number };
    if ('wall_ns' in one) wall_ns.set(one.peer, one.wall_ns);
    else timed.push(one);
  }
  return { timed, wall_ns };
}

/** Milliseconds of one peer's verbs. */
export function timesOf({ timed }: Measured, peer: string): number[] {
  return timed.filter((one) => one.peer === peer).map(({ took_ns }) => took_ns / 1e6);
}
