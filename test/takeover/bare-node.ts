/** A node without a cloud: a namespace with Pods in it that some plugin made, and the flatpod command. Needs root and network namespaces. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launcher } from '../../src/cli/demo/processes.ts';
import { readAttachedInterface } from '../../src/datapath/stored.ts';
import { createNetns, deleteNetns } from '../../src/kernel/netns.ts';
import { openAttachments } from '../../src/store/attachments.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { testNetns, type TestNetns } from '../kernel/namespace.ts';
import { amongOwn } from './own-names.ts';
import { type Place, placeAt } from './scene.ts';

let pods = 0;

/** A Pod that a former plugin made: a veth, and a route in main. */
export interface BarePod extends Place {
  readonly name: string;
  readonly address: string;
  readonly hostEnd: string;
}

/** The node. */
export interface BareNode extends Disposable {
  readonly host: TestNetns;
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  flatpod(...args: string[]): { readonly status: number; readonly stdout: string; readonly stderr: string };
  /** The same, while this process goes on. */
  flatpodBeside(...args: string[]): Promise<{ readonly status: number; readonly out: string }>;
  /** `flatpod takeover aws-node` with that checkpoint. */
  takeover(plugin: 'aws-node', checkpoint: string): { readonly status: number; readonly stdout: string; readonly stderr: string };
  former(address: string, hostEndPrefix?: string): BarePod;
  /** Writes an attachment of Flatpod's own into the state. */
  attach(of: { readonly container: string; readonly address: string; readonly netns?: string }): void;
  /** Containers in the state, sorted. */
  attachments(): string[];
}

/** Made anew, with an empty state. */
export function bareNode(): BareNode {
  const host = testNetns('former');
  const dir = mkdtempSync(join(tmpdir(), 'fpt-takeover-'));
  const made: string[] = [];
  const [state, socket] = [join(dir, 'state'), join(dir, 'cni.sock')];
  mkdirSync(state);
  host.exec('ip link set lo up; sysctl -qw net.ipv4.ip_forward=1');
  const env = { FLATPOD_STATE: state, FLATPOD_SOCKET: socket };
  const flatpod: BareNode['flatpod'] = (...args) => {
    const all = { ...process.env, ...env };
    const { status, stdout, stderr } = spawnSync('nsenter', [`--net=${host.path}`, launcher, ...amongOwn(dir, args)], {
      encoding: 'utf8',
      env: all,
    });
    return { status: status ?? -1, stdout, stderr };
  };
  const inState = <T>(use: (attachments: ReturnType<typeof attachmentsIn>) => T): T => {
    using database = openDatabase(state);
    return use(attachmentsIn(database));
  };
  return {
    host,
    dir,
    env,
    flatpod,
    flatpodBeside(...args) {
      const { promise, resolve } = Promise.withResolvers<{ status: number; out: string }>();
      const all = { ...process.env, ...env };
      const child = execFile('nsenter', [`--net=${host.path}`, launcher, ...amongOwn(dir, args)], { env: all }, (_error, stdout, stderr) =>
        resolve({ status: child.exitCode ?? -1, out: stdout + stderr }),
      );
      return promise;
    },
    takeover(plugin, checkpoint) {
      const file = join(dir, 'ipam.json');
      writeFileSync(file, checkpoint);
      return flatpod('takeover', plugin, '--checkpoint', file);
    },
    former(address, hostEndPrefix = 'vnic') {
      const name = `${host.name}p${++pods}`;
      made.push(name);
      const pod = placeAt(createNetns(name));
      const hostEnd = `${hostEndPrefix}${pods}`;
      pod.sh(`ip link set lo up; ip link add eth0 type veth peer name ${hostEnd} netns ${host.name}; ip link set eth0 up
        ip addr add ${address}/32 dev eth0; ip route add 169.254.1.1 dev eth0 scope link; ip route add default via 169.254.1.1 dev eth0`);
      host.exec(`ip link set ${hostEnd} up; ip route add ${address}/32 dev ${hostEnd} scope link`);
      const [, mac] = /ether (\S+)/.exec(host.ip(`link show ${hostEnd}`)) ?? [];
      pod.sh(`ip neigh add 169.254.1.1 lladdr ${mac} dev eth0 nud permanent`);
      return { ...pod, name, address, hostEnd };
    },
    attach({ container, address, netns = '/run/netns/none' }) {
      const own = readAttachedInterface({ datapath: 'none', netns, ifname: 'eth0', addresses: [address] });
      const place = { container, ifname: 'eth0', network: 'n', pod: {}, netns: own.netns, subnet: 's', nic: 'n' };
      inState((attachments) => attachments.open({ ...place, state: 'ready', created_ms: 1, interface: own }));
    },
    attachments: () =>
      inState((attachments) =>
        attachments
          .list()
          .map(({ container }) => container)
          .toSorted(),
      ),
    [Symbol.dispose]() {
      for (const name of made) deleteNetns(name);
      host[Symbol.dispose]();
      rmSync(dir, { recursive: true });
    },
  };
}

function attachmentsIn(database: ReturnType<typeof openDatabase>) {
  return openAttachments(database, readAttachedInterface);
}
