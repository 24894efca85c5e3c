/** ADD and DEL one at a time, on a node with so many Pods already. */
import { quiet } from './quiet.ts';
import { type Row, rowOf } from './rows.ts';
import { measure, type Peer, timesOf } from './stopwatch.ts';

/** Background Pods are added so many at once. */
const CHUNK = 50;
/** Pods above the level that one round adds and removes again. The kernel's bridge has no more than 1023 ports. */
const ROUND = 20;
/** Numbers of the measured Pods start here: above all background Pods. */
const MEASURED = 1000;

/** Namespaces that {@link latencies} needs for each peer. */
export const podsNeeded = MEASURED + ROUND;

const verbs = [
  ['add', 'ADD'],
  ['del', 'DEL'],
] as const;

/** Rows `add/N` and `del/N` for each level in ascending order. The Pods of the last level stay. */
export async function latencies(
  bin: string,
  peers: readonly Peer[],
  levels: readonly number[],
  n: number,
  progress: (text: string) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  let there = 0;
  for (const level of levels) {
    there = await fill(bin, peers, there, level, progress);
    const times = new Map<string, number[]>();
    for (let done = 0; done < n; done += ROUND) {
      progress(`one at a time with ${level} Pods (${peers.map(({ name }) => name).join(', ')}): ${done} of ${n}`);
      for (const [name, verb] of verbs) {
        const measured = await measure(bin, peers, { mode: 'turns', verb, first: MEASURED, count: ROUND });
        for (const { name: peer } of peers) {
          const key = `${name}/${level} ${peer}`;
          times.set(key, [...(times.get(key) ?? []), ...timesOf(measured, peer)]);
        }
      }
    }
    for (const [key, values] of times) {
      const [name = '', peer = ''] = key.split(' ');
      rows.push(rowOf(name, peer, 'ms', values));
    }
  }
  return rows;
}

/** Adds background Pods to all, and waits until the kernel has calmed down. Returns how many there are now. */
async function fill(bin: string, peers: readonly Peer[], there: number, level: number, progress: (text: string) => void): Promise<number> {
  if (there >= level) return there;
  for (let first = there; first < level; first += CHUNK) {
    progress(`Pods on each node: ${first} of ${level}`);
    await measure(bin, peers, { mode: 'at-once', verb: 'ADD', first, count: Math.min(CHUNK, level - first) });
  }
  progress(`${level} Pods on each node: waiting until the machine is quiet`);
  await quiet();
  return level;
}
