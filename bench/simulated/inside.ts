/** Runs a program of this folder in a network namespace of its own, where an API server can listen, and hands on what it finds. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createNetns, deleteNetns } from '../../src/kernel/netns.ts';
import type { Row } from '../rows.ts';

const ADDRESS = '10.99.0.1';

/** Where the program is. */
export interface Inside {
  /** For all files. */
  readonly dir: string;
  readonly netns: string;
  /** The namespace's address. */
  readonly address: string;
}

/** `program`: a file of this folder. Its argument is the plan and where it is; it sends `{ progress }` and `{ rows }`. `name` tells namespaces of one run apart. */
export async function runInside(program: string, name: string, plan: object, progress: (text: string) => void): Promise<Row[]> {
  // By these names what a run leaves that is killed is found (test/cluster/traces.ts).
  const dir = mkdtempSync(join(tmpdir(), `fpe-${process.pid}-`));
  const netns = createNetns(`fpe${process.pid}x${name}`);
  try {
    execFileSync('ip', ['-n', basename(netns), 'link', 'set', 'lo', 'up']);
    execFileSync('ip', ['-n', basename(netns), 'address', 'add', `${ADDRESS}/32`, 'dev', 'lo']);
    const where: Inside = { dir, netns, address: ADDRESS };
    return await rowsOf(netns, [join(import.meta.dirname, program), JSON.stringify({ ...plan, ...where })], progress);
  } finally {
    deleteNetns(basename(netns));
    rmSync(dir, { recursive: true, force: true });
  }
}

async function rowsOf(netns: string, args: readonly string[], progress: (text: string) => void): Promise<Row[]> {
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', ...args];
  const child = spawn('nsenter', [`--net=${netns}`, ...program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let rows: Row[] | undefined;
  child.on('message', (said: { readonly progress?: string; readonly rows?: Row[] }) => {
    if (said.progress !== undefined) progress(said.progress);
    rows = said.rows ?? rows;
  });
  await once(child, 'exit');
  if (rows === undefined) throw new Error(`${args[0]} ended early`);
  return rows;
}
