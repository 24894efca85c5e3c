/** Part `pod-start`: from the creation of a Pod until it is ready, one after the other and many at once, with Flatpod and with the reference plugins. */
import { quiet } from '../quiet.ts';
import { type Row, rowOf } from '../rows.ts';
import { type BedName, COLD, startBed } from './beds.ts';
import { type Batch, type Namespace, removePods, startPods, untilRested } from './pods.ts';
import { sandboxTimes } from './sandboxes.ts';

/** How much of it: each kind of cluster is started `turns` times, and of each size there are so many rounds in each. */
export interface PodStartEffort {
  readonly turns: number;
  readonly cases: readonly { readonly size: number; readonly rounds: number }[];
}

interface Seen {
  readonly took: number[];
  readonly sandbox: number[];
  readonly rate: number[];
  readonly slowest: number[];
}

/**
 * Rows `pod-start/N`: milliseconds from the answer to the creation until ready; `…/sandbox`: containerd's share of them; `…/slowest` of each round;
 * `…/rate`: Pods a second from the first request on.
 */
export async function podStart({ turns, cases }: PodStartEffort, progress: (text: string) => void): Promise<Row[]> {
  const seen = new Map<string, Seen>();
  for (let turn = 0; turn < turns; turn++) {
    // Another one first each time: what slows the machine down for minutes hits both.
    const order: readonly BedName[] = turn % 2 === 0 ? ['flatpod', 'ptp'] : ['ptp', 'flatpod'];
    for (const name of order) {
      progress(`a cluster on ${name}, ${turn + 1} of ${turns}`);
      await using bed = await startBed(name);
      for (const { size, rounds } of cases) {
        for (const namespace of bed.namespaces) {
          const key = `pod-start/${size} ${namespace.subject}`;
          const one = seen.get(key) ?? { took: [], sandbox: [], rate: [], slowest: [] };
          seen.set(key, one);
          // Until a node is cold again a minute passes; meanwhile the others have their rounds.
          const times = namespace.subject === COLD ? 1 : rounds;
          progress(`${size} at once on ${namespace.subject}, ${times} times`);
          if (size === 1) await singly(namespace, times, one);
          else for (let round = 0; round < times; round++) await together(namespace, size, one);
        }
      }
    }
  }
  return [...seen].flatMap(([key, one]) => rowsOf(key, one));
}

/** Their removal would disturb the next, so they are removed together. */
async function singly(namespace: Namespace, rounds: number, seen: Seen): Promise<void> {
  await untilRested(namespace);
  for (let round = 0; round < rounds; round++) {
    await quiet();
    note(namespace, await startPods(namespace, 1), seen);
  }
  await removePods(namespace);
}

async function together(namespace: Namespace, size: number, seen: Seen): Promise<void> {
  await untilRested(namespace);
  await quiet();
  note(namespace, await startPods(namespace, size), seen);
  await removePods(namespace);
}

function note({ cluster }: Namespace, { pods, wall_ms }: Batch, seen: Seen): void {
  const sandboxes = new Map(cluster.nodes.flatMap((node) => [...sandboxTimes(node.log('containerd'))]));
  const took = pods.map(({ took_ms }) => took_ms);
  seen.took.push(...took);
  seen.sandbox.push(...pods.map(({ uid }) => sandboxes.get(uid) ?? Number.NaN));
  seen.rate.push((pods.length * 1000) / wall_ms);
  seen.slowest.push(Math.max(...took));
}

function rowsOf(key: string, { took, sandbox, rate, slowest }: Seen): Row[] {
  const [name = '', subject = ''] = key.split(' ');
  const each = [rowOf(name, subject, 'ms', took), rowOf(`${name}/sandbox`, subject, 'ms', sandbox)];
  if (slowest.length === took.length) return each;
  return [
    ...each,
    rowOf(`${name}/slowest`, subject, 'ms', slowest, took.length),
    rowOf(`${name}/rate`, subject, 'per_s', rate, took.length),
  ];
}
