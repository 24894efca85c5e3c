/**
 * An office network of namespaces: hosts with one interface each on a bridge, a machine beside them, and a router with a server behind it. Pods get their
 * main interface from the reference plugins, and veth-to-host behind those, as one list, the way libcni runs it; with an agent on a host or without.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Running, start } from '../../src/cli/demo/processes.ts';
import { createNetns, deleteNetns, openNetns } from '../../src/kernel/netns.ts';
import { listenIn } from '../../src/kernel/sockets.ts';
import { type Ending, run } from '../cni/executable.ts';
import { whoAmI } from '../life/asking.ts';
import { programs } from '../programs.ts';
import { root } from '../tidy/files.ts';
import { type Family, length, onLan, type Place, placeAt, plug, wire } from './wires.ts';

export type Verb = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';

const PORT = 8080;
/** In a guest all is slower. */
const ANSWER_ms = 3000 * Number(process.env['FLATPOD_TEST_PATIENCE'] ?? 1);
/** Where everybody is, by family: the last part of the address. */
const numbers = { gateway: 254, machine: 100 } as const;
/** The server behind the router, and the router's address there. */
const outside: Record<Family, { readonly server: string; readonly router: string; readonly length: number }> = {
  4: { server: '203.0.113.9', router: '203.0.113.1', length: 24 },
  6: { server: '2001:db8:113::9', router: '2001:db8:113::1', length: 64 },
};
let lans = 0;

/** The server's. */
export function serverAt(family: Family): string {
  return outside[family].server;
}

/** A Pod. */
export interface TestPod extends Place {
  readonly container: string;
  readonly host: TestHost;
  /** The last parts of its addresses. */
  readonly numbers: readonly number[];
  /** Its first address of the family. */
  address(family: Family): string;
  /** The result of the last ADD. */
  result: Result;
}

/** What of a result the tests look at. */
export interface Result {
  readonly cniVersion: string;
  readonly interfaces: readonly { readonly name: string; readonly sandbox?: string; readonly mac?: string }[];
  readonly ips: readonly { readonly address: string }[];
  readonly [key: string]: unknown;
}

/** A node. */
export interface TestHost extends Place {
  readonly number: number;
  /** The list of plugins of its Pods. */
  list: readonly Record<string, unknown>[];
  cniVersion: string;
  /** A Pod without a network. */
  container(...numbers: number[]): TestPod;
  /** ADD of the whole list, which must succeed. */
  add(...numbers: number[]): Promise<TestPod>;
  /** The same for a Pod that is there. */
  addTo(pod: TestPod): Promise<TestPod>;
  /** DEL of the whole list in reverse; must succeed. */
  del(pod: TestPod): Promise<void>;
  /** One call of one plugin of the list. */
  call(
    verb: Verb,
    type: string,
    pod: Pick<TestPod, 'container' | 'netns'>,
    config?: Record<string, unknown>,
    env?: Record<string, string>,
  ): Promise<Ending>;
  /** CHECK of veth-to-host: what it says is wrong, or nothing. */
  check(pod: TestPod, config?: Record<string, unknown>): Promise<string>;
  /** Starts an agent on it: until then its plugins are answered without. */
  startAgent(env?: Record<string, string>): Promise<Running>;
  readonly dir: string;
}

export interface Lan extends AsyncDisposable {
  readonly hosts: readonly TestHost[];
  host(index: number): TestHost;
  /** Holds the bridge that all are plugged into. */
  readonly switch: Place;
  readonly machine: Place;
  readonly router: Place;
  readonly server: Place;
  /** Whom `to` sees when `from` connects to that address, or the error's text. */
  seen(from: Place, address: string, to: Place, port?: number): Promise<string>;
}

export interface LanOptions {
  readonly hosts?: number;
  readonly families?: readonly Family[];
  /** The main plugin; macvlan in bridge mode on eth0 otherwise. */
  readonly main?: Record<string, unknown>;
  /** Keys of veth-to-host. */
  readonly chained?: Record<string, unknown>;
  /** Whether hosts have an agent from the beginning. */
  readonly agents?: boolean;
}

/** The list's first plugin when none is given. */
export const macvlan = { type: 'macvlan', master: 'eth0', mode: 'bridge' } as const;

/** Builds it. Disposing takes everything away, whatever happened. */
export async function openLan(options: LanOptions = {}): Promise<Lan> {
  const open = new AsyncDisposableStack();
  try {
    return await build(options, open);
  } catch (error) {
    await open.disposeAsync();
    throw error;
  }
}

async function build(options: LanOptions, open: AsyncDisposableStack): Promise<Lan> {
  const { hosts: count = 2, families = [4, 6], agents = false } = options;
  const name = `fplan${process.pid}x${++lans}`;
  const dir = mkdtempSync(join(tmpdir(), 'fpt-lan-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  const place = (label: string): Place => {
    const path = createNetns(`${name}-${label}`);
    open.defer(() => deleteNetns(`${name}-${label}`));
    const made = placeAt(path);
    // As strict as a distribution may be.
    made.sh(
      'ip link set lo up; sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1 net.ipv6.conf.default.accept_dad=0',
    );
    return made;
  };
  const wires = place('switch');
  wires.sh('ip link add br0 type bridge && ip link set br0 up');
  const router = place('router');
  const [machine, server] = [place('machine'), place('server')];
  plug(wires, router, 'lan', families, numbers.gateway);
  plug(wires, machine, 'eth0', families, numbers.machine);
  wire(router, 'wan', server, 'eth0');
  for (const family of families) {
    const { server: own, router: gateway, length: bits } = outside[family];
    router.sh(
      `ip addr add ${gateway}/${bits} dev wan; sysctl -qw ${family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding'}=1`,
    );
    server.sh(`ip addr add ${own}/${bits} dev eth0; ip -${family} route add default via ${gateway}`);
    machine.sh(`ip -${family} route add default via ${onLan(family, numbers.gateway)}`);
  }
  const hosts: TestHost[] = [];
  for (let number = 1; number <= count; number++) {
    const at = place(`host${number}`);
    plug(wires, at, 'eth0', families, number);
    for (const family of families) at.sh(`ip -${family} route add default via ${onLan(family, numbers.gateway)}`);
    const own = join(dir, `host${number}`);
    mkdirSync(own);
    hosts.push(testHost(at, number, own, name, options, families, open));
  }
  if (agents) for (const host of hosts) await host.startAgent();
  return {
    hosts,
    host(index) {
      const host = hosts[index];
      assert.ok(host, `host ${index}`);
      return host;
    },
    switch: wires,
    machine,
    router,
    server,
    seen,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

function testHost(
  at: Place,
  number: number,
  dir: string,
  lan: string,
  { main = macvlan, chained = {} }: LanOptions,
  families: readonly Family[],
  open: AsyncDisposableStack,
): TestHost {
  const env = {
    PATH: process.env['PATH'] ?? '',
    FLATPOD_SOCKET: join(dir, 'cni.sock'),
    FLATPOD_STATE: join(dir, 'state'),
    CNI_PATH: `${join(root, 'dist/cni')}:${programs.plugins('debian')}`,
  };
  let made = 0;
  const configOf = (plugin: Record<string, unknown>, pod: Partial<TestPod>): Record<string, unknown> => {
    const addresses = (pod.numbers ?? []).flatMap((last) =>
      families.map((family) => ({ address: `${onLan(family, last)}/${length[family]}`, gateway: onLan(family, numbers.gateway) })),
    );
    const routes = families.map((family) => ({ dst: family === 4 ? '0.0.0.0/0' : '::/0' }));
    const ipam = plugin['type'] === 'veth-to-host' || 'ipam' in plugin ? {} : { ipam: { type: 'static', addresses, routes } };
    return { cniVersion: host.cniVersion, name: 'office', ...plugin, ...ipam };
  };
  const pluginCalled = (type: string): Record<string, unknown> => host.list.find((plugin) => plugin['type'] === type) ?? { type };
  const host: TestHost = {
    ...at,
    number,
    dir,
    cniVersion: '1.0.0',
    list: [main, { type: 'veth-to-host', hostInterface: 'eth0', containerInterface: 'veth0', ...chained }],
    container(...own) {
      const container = `h${number}p${++made}`;
      const netns = createNetns(`${lan}-${container}`);
      open.defer(() => deleteNetns(`${lan}-${container}`));
      const pod = placeAt(netns);
      pod.sh(
        'ip link set lo up; sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1 net.ipv6.conf.default.accept_dad=0',
      );
      return {
        ...pod,
        container,
        host,
        numbers: own,
        address: (family) => onLan(family, own[0] ?? 0),
        result: { cniVersion: host.cniVersion, interfaces: [], ips: [] },
      };
    },
    add: (...own) => host.addTo(host.container(...own)),
    async addTo(pod) {
      let prevResult: Result | undefined;
      for (const { type } of host.list) {
        const { status, stdout, stderr } = await host.call('ADD', String(type), pod, { ...(prevResult && { prevResult }) });
        assert.equal(status, 0, `ADD of ${String(type)}: ${stdout}${stderr}`);
        prevResult = JSON.parse(stdout) as Result;
      }
      assert.ok(prevResult);
      pod.result = prevResult;
      return pod;
    },
    async del(pod) {
      for (const { type } of host.list.toReversed()) {
        const { status, stdout, stderr } = await host.call('DEL', String(type), pod, { prevResult: pod.result });
        assert.equal(status, 0, `DEL of ${String(type)}: ${stdout}${stderr}`);
      }
    },
    call(verb, type, pod, config = {}, more = {}) {
      const plugin = join(type === 'veth-to-host' ? join(root, 'dist/cni') : programs.plugins('debian'), type);
      const own = { CNI_COMMAND: verb, CNI_CONTAINERID: pod.container, CNI_NETNS: pod.netns, CNI_IFNAME: 'eth0' };
      const text = JSON.stringify({ ...configOf(pluginCalled(type), pod), ...config });
      return run('nsenter', { ...env, ...own, ...more }, text, [`--net=${at.netns}`, plugin]);
    },
    async check(pod, config = {}) {
      const { status, stdout, stderr } = await host.call('CHECK', 'veth-to-host', pod, { prevResult: pod.result, ...config });
      assert.equal(status === 0, stdout === '', stdout + stderr);
      return stdout === '' ? '' : (JSON.parse(stdout) as { details: string }).details;
    },
    async startAgent(more = {}) {
      const running = await start(dir, {
        name: 'agent',
        args: ['agent'],
        netns: at.netns,
        ready: env.FLATPOD_SOCKET,
        env: { ...env, ...more },
      });
      open.defer(() => running.stop('SIGKILL'));
      return running;
    },
  };
  return host;
}

async function seen(from: Place, address: string, to: Place, port = PORT): Promise<string> {
  using there = openNetns(to.netns, true);
  using here = openNetns(from.netns, true);
  const server = await listenIn(there, PORT);
  try {
    return await whoAmI(here, address, port, ANSWER_ms);
  } finally {
    server.close();
  }
}
