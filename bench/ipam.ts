/** The IPAM plugin alone, beside host-local: ranges nearly full, one process after the other, and 8 and 64 at once. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALONE, HOST_LOCAL, type IpamPeers, type Range, ranges, serveRange } from './ipam-ranges.ts';
import { quiet } from './quiet.ts';
import { type Row, rowOf } from './rows.ts';
import { compile, measure, type Peer, timesOf } from './stopwatch.ts';

const crowds = [1, 8, 64] as const;
type Crowd = (typeof crowds)[number];

/** How much of it: verbs of each kind, at least, with so many at once. */
export interface IpamEffort {
  readonly verbs: Readonly<Record<Crowd, number>>;
  /** Files that host-local may read in a case: it reads one for each address that is taken, in each verb, one verb at a time. A second is some 50 000 of them. */
  readonly files: number;
}

/**
 * Rows `ipam-add/24/8/each` (ms) and `ipam-add/24/8` (addresses a second), and the same for DEL. `ipam-add/24/first`: a request without an agent that none
 * came before, so that Node has to start for it.
 */
export async function ipamPart(effort: IpamEffort, progress: (text: string) => void): Promise<Row[]> {
  await using open = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'fp-bench-ipam-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  compile(dir);
  const rows: Row[] = [];
  // Once: peers take turns, so that what others do to the machine meanwhile falls on all.
  await quiet();
  for (const range of ranges) {
    progress(`/${range.name}: filling it`);
    await using served = await serveRange(join(dir, range.name), range);
    if (range === ranges[0]) rows.push(...(await firsts(dir, served, effort)));
    for (const crowd of crowds) rows.push(...(await crowded(dir, served.peers, range, crowd, effort, progress)));
  }
  return rows;
}

async function firsts(bin: string, { peers, aloneState }: IpamPeers, { verbs }: IpamEffort): Promise<Row[]> {
  const times: Times = new Map();
  const alone = peers.filter(({ name }) => name === ALONE || name === HOST_LOCAL);
  const forget = (): void => {
    // Their process ends with the socket, and who comes next knows of nobody.
    for (const name of readdirSync(aloneState)) if (name.startsWith('crowd')) rmSync(join(aloneState, name));
  };
  for (let round = 0; round < verbs[1] / 2; round++) await oneRound(bin, alone, 1, round, times, forget);
  return rowsOf(`${ranges[0].name}/first`, times).filter((row) => row.case.endsWith('/each'));
}

/** All in turns where host-local can keep up; else ours as often as wanted, and host-local as often as it may, after each of the first rounds of ours. */
async function crowded(
  bin: string,
  peers: readonly Peer[],
  { name, taken }: Range,
  crowd: Crowd,
  { verbs, files }: IpamEffort,
  progress: (text: string) => void,
): Promise<Row[]> {
  const wanted = Math.ceil(verbs[crowd] / crowd);
  const affordable = Math.min(wanted, Math.floor(files / (2 * crowd * taken)));
  const what = `/${name}, ${crowd} at once`;
  progress(what);
  if (affordable === 0)
    console.log(
      `left out: host-local with ${what}: it would read ${2 * crowd * taken} files, one verb after the other; fewer at once tell as much`,
    );
  const times: Times = new Map();
  for (let round = 0; round < wanted; round++) {
    const some = round < affordable ? peers : peers.filter((peer) => peer.name !== HOST_LOCAL);
    await oneRound(bin, some, crowd, round, times);
  }
  return rowsOf(`${name}/${crowd}`, times);
}
/** By verb and peer: milliseconds of each, and how many a second there were in each round. */
type Times = Map<string, { readonly verb: string; readonly peer: string; readonly rate: number[]; readonly each: number[] }>;

async function oneRound(
  bin: string,
  peers: readonly Peer[],
  crowd: Crowd,
  round: number,
  times: Times,
  before = (): void => undefined,
): Promise<void> {
  // Another one first each time: what one leaves to do falls on the next.
  const order = peers.map((_, i) => peers[(i + round) % peers.length]).filter((peer) => peer !== undefined);
  for (const verb of ['ADD', 'DEL'] as const) {
    before();
    const measured = await measure(bin, order, { mode: crowd === 1 ? 'turns' : 'at-once', verb, first: 0, count: crowd });
    for (const { name: peer } of peers) {
      const seen = times.get(`${verb} ${peer}`) ?? { verb, peer, rate: [], each: [] };
      times.set(`${verb} ${peer}`, seen);
      const took = timesOf(measured, peer);
      seen.each.push(...took);
      const wall_ms = (measured.wall_ns.get(peer) ?? 0) / 1e6 || took.reduce((sum, one) => sum + one, 0);
      seen.rate.push((took.length * 1000) / wall_ms);
    }
  }
}

function rowsOf(name: string, times: Times): Row[] {
  return [...times.values()].flatMap(({ verb, peer, rate, each }) => {
    const what = `ipam-${verb.toLowerCase()}/${name}`;
    return [rowOf(what, peer, 'per_s', rate, each.length), rowOf(`${what}/each`, peer, 'ms', each)];
  });
}
