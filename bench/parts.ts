/** Where the time of an ADD and a DEL goes: an agent with trace.ts in it, beside the stopwatch, on one clock. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchLab } from './lab.ts';
import { flatpod } from './peers.ts';
import { type Row, rowOf } from './rows.ts';
import { measure, type Timed } from './stopwatch.ts';

const ROUND = 20;
const WARM_UP = 3;
const WRITTEN_DEADLINE_ms = 10_000;

interface Mark {
  readonly what: string;
  readonly start_ns: number;
  readonly took_ns: number;
}

/** Rows `add/parts` and `del/parts`: one for each part, in the order in which they happen; `n` verbs each. The machine gets an agent for it. */
export async function parts(bin: string, lab: BenchLab, machine: string, n: number, progress: (text: string) => void): Promise<Row[]> {
  const file = join(lab.dir, 'trace.jsonl');
  const trace = `--import=${join(import.meta.dirname, 'trace.ts')}`;
  // From its sources: the bundle's insides cannot be reached. It is the same code.
  const node = await lab.agent(machine, { env: { FLATPOD_SOURCES: '1', NODE_OPTIONS: trace, BENCH_TRACE: file } });
  const peer = flatpod(lab, node, await lab.pods(machine, ROUND), machine);
  const rows: Row[] = [];
  const timed = { ADD: new Array<Timed>(), DEL: new Array<Timed>() };
  for (let round = -WARM_UP; round < n / ROUND; round++) {
    progress(`where the time goes: ${Math.max(0, round * ROUND)} of ${n}`);
    for (const verb of ['ADD', 'DEL'] as const) {
      const measured = await measure(bin, [peer], { mode: 'turns', verb, first: 0, count: ROUND });
      if (round >= 0) timed[verb].push(...measured.timed);
    }
  }
  const marks = await marksIn(file, node.agent.process.pid ?? Number.NaN);
  for (const verb of ['ADD', 'DEL'] as const) rows.push(...rowsOf(`${verb.toLowerCase()}/parts`, timed[verb], marks));
  await node.agent.stop();
  return rows;
}

async function marksIn(file: string, pid: number): Promise<Mark[]> {
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  for (const end = performance.now() + WRITTEN_DEADLINE_ms; !existsSync(file); await sleep(50)) {
    if (performance.now() > end) throw new Error('the agent wrote no trace');
  }
  await sleep(200);
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Mark) // written by trace.ts
    .toSorted((a, b) => a.start_ns - b.start_ns);
}

function rowsOf(name: string, verbs: readonly Timed[], marks: readonly Mark[]): Row[] {
  const values = new Map<string, number[]>();
  for (const one of verbs) {
    const end_ns = one.start_ns + one.took_ns;
    const split = partsOf(one, marks.slice(firstAt(marks, one.start_ns), firstAt(marks, end_ns)));
    for (const [part, took_ns] of split) values.set(part, [...(values.get(part) ?? []), took_ns / 1000]);
  }
  return [...values].map(([part, took_us]) => rowOf(name, part, 'us', took_us));
}

/** The index of the first mark at or after that time. */
function firstAt(marks: readonly Mark[], at_ns: number): number {
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((marks[middle]?.start_ns ?? Number.POSITIVE_INFINITY) < at_ns) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The parts of one verb; they add up to what the stopwatch saw. Empty when the trace has a gap. */
function partsOf({ start_ns, took_ns }: Timed, marks: readonly Mark[]): Map<string, number> {
  const at = (what: string): number => marks.find((mark) => mark.what === what)?.start_ns ?? Number.NaN;
  const [accepted, data, locked, reply] = [at('accepted'), at('data'), at('locked'), at('reply')];
  const split = new Map<string, number>();
  if (Number.isNaN(accepted + data + locked + reply)) return split;
  const add = (part: string, ns: number): void => void split.set(part, (split.get(part) ?? 0) + ns);
  add('executable: start, connect', accepted - start_ns);
  add('socket: send, wake up', data - accepted);
  add('agent: frame, parse', locked - data);
  let known = 0;
  for (const mark of marks.filter((one) => one.start_ns >= locked && one.start_ns < reply)) {
    const part = partOf(mark.what);
    if (part === undefined) continue;
    add(part, mark.took_ns);
    known += mark.took_ns;
  }
  const [asked, told] = [at('DELLINK asked'), at('DELLINK told')];
  if (told > asked) {
    add('netlink DELLINK until its event', told - asked);
    known += told - asked;
  }
  add('agent: in between', reply - locked - known);
  add('reply, executable: exit', start_ns + took_ns - reply);
  return split;
}

/** undefined: it is within another part. */
function partOf(what: string): string | undefined {
  switch (what) {
    case 'locked':
    case 'lease':
      return 'agent: lock, lease';
    case 'BEGIN':
    case 'COMMIT':
    case 'statement':
      return 'SQLite';
    case 'setns':
    case 'socket':
      return 'namespace, socket in it';
    case 'send':
    case 'recv':
    case 'accepted':
    case 'data':
    case 'reply':
    case 'DELLINK asked':
    case 'DELLINK told':
      return undefined;
    default:
      return `netlink ${what}`;
  }
}
