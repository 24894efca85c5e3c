/** The data plane: TCP between Pods, beside TCP between nodes through the same fabric and between Pods of a bridge. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Row, rowOf } from './rows.ts';

/** Two network namespaces that talk. */
export interface Path {
  /** `one-node`, `two-nodes`. */
  readonly between: string;
  readonly subject: string;
  /** Paths of the namespaces. */
  readonly from: string;
  readonly to: string;
}

const PORT = 7777;
const SLICE_ms = 50;
/** Slices of one turn; after it comes the next pair, so that the machine's noise falls on all alike. */
const TURN = 10;
const modes = [
  { mode: 'stream', name: 'tcp-stream', unit: 'gbit_per_s', scale: 8e-9 },
  { mode: 'echo', name: 'tcp-round-trips', unit: 'per_s', scale: 1 },
  { mode: 'connect', name: 'tcp-connects', unit: 'per_s', scale: 1 },
] as const;

/** Rows `tcp-stream/BETWEEN/PODS`, `tcp-round-trips/…`, `tcp-connects/…` for every pair; `n` slices each. */
export async function traffic(
  bin: string,
  paths: readonly Path[],
  pods: number,
  n: number,
  progress: (text: string) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { mode, name, unit, scale } of modes) {
    const values = paths.map((): number[] => []);
    const servers: ChildProcess[] = [];
    try {
      for (const to of new Set(paths.map((path) => path.to)))
        servers.push(spawn(join(bin, 'traffic'), ['serve', mode, to, String(PORT)], { stdio: 'inherit' }));
      await sleep(100);
      for (let done = 0; done < n; done += TURN) {
        progress(`${name} with ${pods} Pods: ${done} of ${n}`);
        for (const [i, path] of paths.entries()) {
          const seen = await ask(bin, mode, path);
          values[i]?.push(...seen.map((value) => value * scale));
        }
      }
    } finally {
      for (const server of servers) server.kill('SIGKILL');
    }
    for (const [i, { between, subject }] of paths.entries()) rows.push(rowOf(`${name}/${between}/${pods}`, subject, unit, values[i] ?? []));
  }
  return rows;
}

/** One turn's slices. The first is left out: a connection begins slowly. */
async function ask(bin: string, mode: string, { from, to }: Path): Promise<number[]> {
  const client = spawn(join(bin, 'traffic'), ['ask', mode, from, addressIn(to), String(PORT), String(TURN + 1), String(SLICE_ms)]);
  const ended = new Promise<number>((done, failed) => client.on('error', failed).on('close', (code) => done(code ?? -1)));
  const [said, complaint, code] = await Promise.all([text(client.stdout), text(client.stderr), ended]);
  if (code !== 0) throw new Error(`traffic from ${from} to ${to}: ${complaint.trim()}`);
  return said.trim().split('\n').slice(1).map(Number);
}

/** The first IPv4 address of eth0 in the namespace. */
function addressIn(netns: string): string {
  const shown = execFileSync('nsenter', [`--net=${netns}`, 'ip', '-o', '-4', 'address', 'show', 'eth0'], { encoding: 'utf8' });
  const address = /inet ([\d.]+)/.exec(shown)?.[1];
  if (address === undefined) throw new Error(`${netns}: eth0 has no IPv4 address`);
  return address;
}
