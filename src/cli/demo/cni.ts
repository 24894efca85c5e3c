/** Plays the runtime: calls the CNI executable as containerd would, one process a verb. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { failure } from '../../errors/failure.ts';
import { launcher } from './processes.ts';

const DEADLINE_ms = 60_000;

/** The CNI executable of this checkout or installation. */
const executable = join(dirname(dirname(launcher)), 'dist/cni/flatpod');

/** One call's ending. */
export interface CniAnswer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** From exec to exit, milliseconds. */
  readonly took_ms: number;
}

/** Variables of a call beside CNI_COMMAND, and the configuration on stdin. */
export interface CniCall {
  readonly verb: 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';
  readonly env: Readonly<Record<string, string>>;
  readonly config: string;
}

/** Executes it once. Rejects only when it cannot be started at all. @throws Failure labProgram. */
export function cni({ verb, env, config }: CniCall): Promise<CniAnswer> {
  if (!existsSync(executable)) throw failure('labProgram', { program: executable, text: 'it has not been built: make build' });
  const { promise, resolve, reject } = Promise.withResolvers<CniAnswer>();
  const started = performance.now();
  const child = spawn(executable, [], {
    env: { PATH: process.env['PATH'] ?? '', CNI_COMMAND: verb, CNI_PATH: dirname(executable), ...env },
    timeout: DEADLINE_ms,
  });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (part: Buffer) => out.push(part));
  child.stderr.on('data', (part: Buffer) => err.push(part));
  child.on('error', reject);
  child.on('close', (code) => {
    const took_ms = performance.now() - started;
    resolve({ status: code ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString(), took_ms });
  });
  // It may have answered (and closed its end) before it read all of stdin.
  child.stdin.on('error', () => undefined);
  child.stdin.end(config);
  return promise;
}
