/** The IPAM plugin alone, beside host-local: ranges nearly full, one process after the other, and 8 and 64 at once. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { start } from '../src/cli/demo/processes.ts';
import { createNetns, deleteNetns } from '../src/kernel/netns.ts';
import { addressAt, type Cidr, parseCidr } from '../src/net/cidr.ts';
import { rangeLeases } from '../src/store/range-leases.ts';
import { openDatabase } from '../src/store/sqlite.ts';
import { programs } from '../test/programs.ts';
import { quiet } from './quiet.ts';
import { type Row, rowOf } from './rows.ts';
import { compile, measure, type Peer, timesOf } from './stopwatch.ts';

/** A range, and how many of its addresses somebody has already, from the first that is given on. */
const ranges = [
  { name: '24', cidr: parseCidr('10.10.1.0/24'), taken: 180 },
  { name: '16', cidr: parseCidr('10.11.0.0/16'), taken: 65_400 },
  { name: '64', cidr: parseCidr('fd10:1::/64'), taken: 10_000 },
] as const;
type Range = (typeof ranges)[number];
const crowds = [1, 8, 64] as const;
type Crowd = (typeof crowds)[number];

/** How much of it: verbs of each kind, at least, with so many at once. */
export interface IpamEffort {
  readonly verbs: Readonly<Record<Crowd, number>>;
  /** Files that host-local may read in a case: it reads one for each address that is taken, in each verb, one verb at a time. A second is some 50 000 of them. */
  readonly files: number;
}

/** The first of a block that both plugins give: network and gateway come before it. */
const FIRST_GIVEN = 2;
const HOST_LOCAL = 'host-local';
const root = resolve(import.meta.dirname, '..');

/** Rows `ipam-add/24/8/each` (ms) and `ipam-add/24/8` (addresses a second), and the same for DEL. */
export async function ipamPart(effort: IpamEffort, progress: (text: string) => void): Promise<Row[]> {
  await using open = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'fp-bench-ipam-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  compile(dir);
  const rows: Row[] = [];
  for (const range of ranges) {
    progress(`/${range.name}: filling it`);
    await using served = await peersFor(join(dir, range.name), range);
    await quiet();
    for (const crowd of crowds) rows.push(...(await crowded(dir, served.peers, range, crowd, effort, progress)));
  }
  return rows;
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

async function oneRound(bin: string, peers: readonly Peer[], crowd: Crowd, round: number, times: Times): Promise<void> {
  // Another one first each time: what one leaves to do falls on the next.
  const order = peers.map((_, i) => peers[(i + round) % peers.length]).filter((peer) => peer !== undefined);
  for (const verb of ['ADD', 'DEL'] as const) {
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

/** Flatpod with an agent, Flatpod without one, and host-local, each with the range filled. */
async function peersFor(dir: string, { cidr, taken }: Range): Promise<AsyncDisposable & { readonly peers: Peer[] }> {
  await using open = new AsyncDisposableStack();
  const agentState = join(dir, 'agent');
  const aloneState = join(dir, 'alone');
  const dataDir = join(dir, 'networks');
  mkdirSync(dir, { recursive: true });
  // A folder that is not there: what host-local keeps must not be taken over.
  const ours = confIn(dir, 'ours', cidr, join(dir, 'none'));
  for (const state of [agentState, aloneState]) fillBooks(state, cidr, taken, join(dir, 'none/bench'));
  fillFolder(join(dataDir, 'bench'), cidr, taken);
  const name = `fpb-${process.pid}-ipam`;
  const netns = createNetns(name);
  open.defer(() => deleteNetns(name));
  const socket = join(dir, 'cni.sock');
  const env = { FLATPOD_SOCKET: socket, FLATPOD_STATE: agentState };
  const agent = await start(dir, { name: 'agent', args: ['agent'], netns, ready: socket, env });
  open.defer(() => agent.stop());
  const executable = join(root, 'dist/cni/flatpod-ipam');
  const place = { node: netns, pods: '/run/netns/none-' };
  const hostLocal = join(programs.plugins('1.9.1'), 'host-local');
  const peers: Peer[] = [
    { name: 'flatpod', executable, conf: ours, cniPath: dirname(executable), ...place, env },
    {
      name: 'flatpod-alone',
      executable,
      conf: ours,
      cniPath: dirname(executable),
      ...place,
      env: { FLATPOD_SOCKET: join(dir, 'nobody'), FLATPOD_STATE: aloneState },
    },
    { name: HOST_LOCAL, executable: hostLocal, conf: confIn(dir, 'theirs', cidr, dataDir), cniPath: dirname(hostLocal), ...place },
  ];
  const all = open.move();
  return { peers, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

function confIn(dir: string, name: string, subnet: Cidr, dataDir: string): string {
  const path = join(dir, `${name}.conf`);
  writeFileSync(
    path,
    JSON.stringify({ cniVersion: '1.0.0', name: 'bench', ipam: { type: 'host-local', ranges: [[{ subnet }]], dataDir } }),
  );
  return path;
}

function fillBooks(state: string, cidr: Cidr, taken: number, scope: string): void {
  using database = openDatabase(state);
  const leases = rangeLeases(database);
  leases.change(() => {
    for (let i = 0; i < taken; i++) {
      const address = addressAt(cidr, FIRST_GIVEN + i);
      leases.take({ scope, address, container: `taken-${i}`, ifname: 'eth0', network: 'bench', pod: '', since_ms: 0 });
    }
  });
}

function fillFolder(folder: string, cidr: Cidr, taken: number): void {
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < taken; i++) writeFileSync(join(folder, addressAt(cidr, FIRST_GIVEN + i)), `taken-${i}\r\neth0`);
}
