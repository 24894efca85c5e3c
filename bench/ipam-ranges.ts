/** Who is measured by the part `ipam`, and the ranges, nearly full, that each gives addresses of. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { start } from '../src/cli/demo/processes.ts';
import { createNetns, deleteNetns } from '../src/kernel/netns.ts';
import { addressAt, type Cidr, parseCidr } from '../src/net/cidr.ts';
import { rangeLeases } from '../src/store/range-leases.ts';
import { openDatabase } from '../src/store/sqlite.ts';
import { programs } from '../test/programs.ts';
import type { Peer } from './stopwatch.ts';

/** A range, and how many of its addresses somebody has already, from the first that is given on. */
export const ranges = [
  { name: '24', cidr: parseCidr('10.10.1.0/24'), taken: 180 },
  { name: '16', cidr: parseCidr('10.11.0.0/16'), taken: 65_400 },
  { name: '64', cidr: parseCidr('fd10:1::/64'), taken: 10_000 },
] as const;
/** One of them. */
export type Range = (typeof ranges)[number];

/** Flatpod without an agent, and the plugin beside it. */
export const ALONE = 'flatpod-alone';
export const HOST_LOCAL = 'host-local';
/** The first of a block that both plugins give: network and gateway come before it. */
const FIRST_GIVEN = 2;
const root = resolve(import.meta.dirname, '..');

/** Flatpod with an agent, Flatpod without one, and host-local. */
export interface IpamPeers {
  readonly peers: readonly Peer[];
  /** The folder of the state of the one without an agent. */
  readonly aloneState: string;
}

/** Fills it for each. */
export async function serveRange(dir: string, { cidr, taken }: Range): Promise<IpamPeers & AsyncDisposable> {
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
      name: ALONE,
      executable,
      conf: ours,
      cniPath: dirname(executable),
      ...place,
      env: { FLATPOD_SOCKET: join(dir, 'nobody'), FLATPOD_STATE: aloneState },
    },
    { name: HOST_LOCAL, executable: hostLocal, conf: confIn(dir, 'theirs', cidr, dataDir), cniPath: dirname(hostLocal), ...place },
  ];
  const all = open.move();
  return { peers, aloneState, [Symbol.asyncDispose]: () => all.disposeAsync() };
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
