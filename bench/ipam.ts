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

/**
 * A range, and how many of its addresses somebody has already, from the first that is given on. With thousands host-local reads as many files for each
 * verb, which takes it seconds: there it is measured one at a time, and seldom.
 */
const ranges = [
  { name: '24', cidr: parseCidr('10.10.1.0/24'), taken: 180, isMany: false },
  { name: '16', cidr: parseCidr('10.11.0.0/16'), taken: 65_400, isMany: true },
  { name: '64', cidr: parseCidr('fd10:1::/64'), taken: 10_000, isMany: true },
] as const;
const SELDOM = 5;

/** The first of a block that both plugins give: network and gateway come before it. */
const FIRST_GIVEN = 2;
const root = resolve(import.meta.dirname, '..');

/** Rows `ipam-add/24/8/each` (ms) and `ipam-add/24/8` (addresses a second), and the same for DEL. `n`: verbs of each kind, at least. */
export async function ipamPart(n: number, progress: (text: string) => void): Promise<Row[]> {
  await using open = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'fp-bench-ipam-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  compile(dir);
  const rows: Row[] = [];
  for (const range of ranges) {
    progress(`/${range.name}: filling it`);
    const own = join(dir, range.name);
    await using served = await peersFor(own, range);
    for (const atOnce of [1, 8, 64]) {
      progress(`/${range.name}: ${atOnce} at once`);
      const [ours, others] = [served.peers.filter(isOurs), served.peers.filter((peer) => !isOurs(peer))];
      const name = `${range.name}/${atOnce}`;
      rows.push(...(await rounds(dir, range.isMany ? ours : served.peers, name, atOnce, n)));
      if (range.isMany && atOnce === 1) rows.push(...(await rounds(dir, others, name, 1, Math.min(n, SELDOM))));
    }
  }
  return rows;
}

function isOurs({ name }: Peer): boolean {
  return name.startsWith('flatpod');
}

async function rounds(bin: string, peers: readonly Peer[], name: string, atOnce: number, n: number): Promise<Row[]> {
  const seen = new Map<string, { readonly rate: number[]; readonly each: number[] }>();
  await quiet();
  for (let round = 0; round < Math.ceil(n / atOnce); round++) {
    // Another one first each time: what one leaves to do falls on the next.
    const order = peers.map((_, i) => peers[(i + round) % peers.length]).filter((peer) => peer !== undefined);
    for (const verb of ['ADD', 'DEL'] as const) {
      const mode = atOnce === 1 ? 'turns' : 'at-once';
      const measured = await measure(bin, order, { mode, verb, first: 0, count: atOnce });
      for (const peer of peers) {
        const key = `ipam-${verb.toLowerCase()}/${name} ${peer.name}`;
        const { rate, each } = seen.get(key) ?? { rate: [], each: [] };
        const times = timesOf(measured, peer.name);
        each.push(...times);
        const wall_ms = (measured.wall_ns.get(peer.name) ?? 0) / 1e6 || times.reduce((sum, time) => sum + time, 0);
        rate.push((times.length * 1000) / wall_ms);
        seen.set(key, { rate, each });
      }
    }
  }
  return [...seen].flatMap(([key, { rate, each }]) => {
    const [what = '', subject = ''] = key.split(' ');
    return [rowOf(what, subject, 'per_s', rate, each.length), rowOf(`${what}/each`, subject, 'ms', each)];
  });
}

/** Flatpod with an agent, Flatpod without one, and host-local, each with the range filled. */
async function peersFor(
  dir: string,
  { cidr, taken }: { cidr: Cidr; taken: number },
): Promise<AsyncDisposable & { readonly peers: Peer[] }> {
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
    { name: 'host-local', executable: hostLocal, conf: confIn(dir, 'theirs', cidr, dataDir), cniPath: dirname(hostLocal), ...place },
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
