/** Many ADDs, then as many DELs, at the same time, on an empty node. */
import { quiet } from './quiet.ts';
import { type Row, rowOf } from './rows.ts';
import { measure, type Peer, timesOf } from './stopwatch.ts';

/** A percentile of rates needs more than a round or two. */
const FEWEST_ROUNDS = 3;
/** The kernel frees what many DELs took away long after they were answered. */
const PAUSE_us = 300_000;

interface Seen {
  readonly rate: number[];
  readonly wall: number[];
  readonly slowest: number[];
  readonly each: number[];
}

const verbs = [
  ['add', 'ADD'],
  ['del', 'DEL'],
] as const;

/** Rows `burst-add/N` (Pods a second), `…/wall`, `…/slowest` and `…/each` (ms), and the same for DEL. `n`: verbs of each kind, at least. */
export async function bursts(
  bin: string,
  peers: readonly Peer[],
  sizes: readonly number[],
  n: number,
  progress: (text: string) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of sizes) {
    const rounds = Math.max(FEWEST_ROUNDS, Math.ceil(n / size));
    const seen = new Map<string, Seen>();
    await quiet();
    for (let round = 0; round < rounds; round++) {
      progress(`${size} at once: round ${round + 1} of ${rounds}`);
      // Another one first each time: what one leaves to do falls on the next.
      const order = peers.map((_, i) => peers[(i + round) % peers.length]).filter((peer) => peer !== undefined);
      for (const [name, verb] of verbs) {
        const measured = await measure(bin, order, { mode: 'at-once', verb, first: 0, count: size, pause_us: PAUSE_us });
        for (const { name: peer } of peers) {
          const key = `burst-${name}/${size} ${peer}`;
          if (!seen.has(key)) seen.set(key, { rate: [], wall: [], slowest: [], each: [] });
          note(seen.get(key), (measured.wall_ns.get(peer) ?? Number.NaN) / 1e6, timesOf(measured, peer));
        }
      }
    }
    for (const [key, one] of seen) rows.push(...rowsOf(key, one));
  }
  return rows;
}

function note(seen: Seen | undefined, wall_ms: number, each: readonly number[]): void {
  seen?.rate.push((each.length * 1000) / wall_ms);
  seen?.wall.push(wall_ms);
  seen?.slowest.push(Math.max(...each));
  seen?.each.push(...each);
}

function rowsOf(key: string, { rate, wall, slowest, each }: Seen): Row[] {
  const [name = '', peer = ''] = key.split(' ');
  return [
    rowOf(name, peer, 'per_s', rate, each.length),
    rowOf(`${name}/wall`, peer, 'ms', wall, each.length),
    rowOf(`${name}/slowest`, peer, 'ms', slowest, each.length),
    rowOf(`${name}/each`, peer, 'ms', each),
  ];
}
