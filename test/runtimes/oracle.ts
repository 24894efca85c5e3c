/** Plugins side by side for the same request: ours, and the reference's ptp with host-local, each on a node of its own. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { createNetns, deleteNetns } from '../../src/kernel/netns.ts';
import { type Ending, run } from '../cni/executable.ts';
import { patientVerbs, testLab } from '../life/lab.ts';
import { programs } from '../programs.ts';
import { root } from '../tidy/files.ts';

/** Variables of a call; undefined ones are not set. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** One plugin, as a runtime sees it. */
export interface Plugin {
  readonly name: string;
  /** What CNI_PATH says when it says anything. */
  readonly folder: string;
  /** What its configuration adds to one that names none: `type`, and `ipam` where it needs that. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The namespace that it runs in, or works for. */
  readonly ownNetns: string;
  /** Runs it with exactly these variables and this on stdin. */
  call(variables: Variables, stdin: string): Promise<Ending>;
}

/** The plugins, and containers for them. */
export interface Oracle extends AsyncDisposable {
  readonly ours: Plugin;
  /** ptp of a current release, which knows CNI 1.1.0. */
  readonly current: Plugin;
  /** ptp of Debian's plugins 1.1.1, which end at CNI 1.0.0. */
  readonly debian: Plugin;
  /** A namespace that stands for a container; it lives as long as the oracle. */
  container(): string;
  /** How many Pods our agent knows of. */
  pods(): Promise<number>;
}

let oracles = 0;

/** Starts a node for each side. A Pod gets an address of each of `families`, in this order. */
export async function oracle(families: readonly (4 | 6)[]): Promise<Oracle> {
  const lab = await testLab({
    plan: { subnets: { a: { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' } }, machines: { n1: { subnet: 'a' } } },
    agents: { n1: { subnet: 'a', pods: `families: [${families.join(', ')}]`, node: 'cooldown_s: 0' } },
  });
  const node = lab.node(0);
  const name = `fporacle${process.pid}x${++oracles}`;
  const made: string[] = [];
  const netns = (): string => {
    made.push(`${name}-${made.length}`);
    return createNetns(made.at(-1) ?? name);
  };
  const there = netns();
  const ipam = {
    type: 'host-local',
    ranges: families.map((family) => [{ subnet: family === 4 ? '10.21.0.0/16' : '2001:db8:21::/64' }]),
    routes: families.map((family) => ({ dst: family === 4 ? '0.0.0.0/0' : '::/0' })),
  };
  const reference = (folder: string, release: string): Plugin => ({
    name: `ptp ${release}`,
    folder,
    config: { type: 'ptp', ipam: { ...ipam, dataDir: join(node.dir, 'host-local', release) } },
    ownNetns: there,
    call: (variables, stdin) =>
      run('nsenter', { PATH: process.env['PATH'] ?? '', ...set(variables) }, stdin, [`--net=${there}`, join(folder, 'ptp')]),
  });
  const own = { FLATPOD_SOCKET: node.socket, FLATPOD_STATE: join(node.dir, 'state'), ...patientVerbs };
  return {
    ours: {
      name: 'flatpod',
      folder: join(root, 'dist/cni'),
      config: { type: 'flatpod' },
      ownNetns: node.netns,
      call: (variables, stdin) => run(join(root, 'dist/cni/flatpod'), { ...own, ...set(variables) }, stdin),
    },
    current: reference(programs.plugins('1.9.1'), 'current'),
    debian: reference(programs.plugins('debian'), 'debian'),
    container: netns,
    pods: async () => (await node.report()).pods.length,
    async [Symbol.asyncDispose]() {
      for (const one of made) deleteNetns(one);
      await lab[Symbol.asyncDispose]();
    },
  };
}

function set(variables: Variables): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** stdin of a request to that plugin: these keys in addition, or instead; undefined ones are taken out. */
export function configFor(plugin: Plugin, keys: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ cniVersion: '1.0.0', name: 'net', ...plugin.config, ...keys });
}

/**
 * What it said: 0 for success, else the error's code.
 * @throws AssertionError unless exit status and stdout have the form that the specification gives them.
 */
export function codeOf({ status, stdout, stderr }: Ending): number {
  if (status === 0) {
    assert.ok(stdout === '' || typeof JSON.parse(stdout) === 'object', stdout);
    return 0;
  }
  assert.equal(status, 1, stdout + stderr);
  const { cniVersion: _, code, msg, details = '', ...more }: Record<string, unknown> = JSON.parse(stdout);
  assert.deepEqual([typeof code, typeof msg, typeof details, more], ['number', 'string', 'string', {}], stdout);
  return Number(code);
}
