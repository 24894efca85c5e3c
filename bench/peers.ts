/** Who is measured beside Flatpod, and why somebody is not. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { AgentNode, BenchLab } from './lab.ts';
import type { Peer } from './stopwatch.ts';

const DEBIAN = '/usr/lib/cni';
const root = resolve(import.meta.dirname, '..');
/** Where `make test` puts current releases of the reference plugins. */
const CURRENT = join(root, '.cache/bin/plugins');

/** A peer, and the machine it works on; both have one name. */
export interface Candidate {
  readonly name: string;
  /** undefined: it is measured. Else why not. */
  readonly absent?: string;
  /** Each new Pod's multicast (IPv6's beginnings) reaches all others of its node: with many Pods it keeps the machine so busy that others must not be measured beside it. */
  readonly floods?: true;
  /** Called once its machine is there. */
  prepare(lab: BenchLab, bin: string): Omit<Peer, 'name' | 'node' | 'pods'>;
}

/** Everybody but Flatpod. `all`: those too whose folder somebody has to name. */
export function candidates(all: boolean): Candidate[] {
  const own: Candidate[] = [
    { name: 'c', prepare: () => ({ executable: '-', conf: '', cniPath: '' }) },
    { name: 'c-exec', prepare: (lab, bin) => bare(lab, 'c-exec', join(bin, 'inprocess')) },
    { name: 'ip-batch', prepare: (lab) => bare(lab, 'ip-batch', join(import.meta.dirname, 'ip-batch.sh')) },
  ];
  const reference = (['ptp', 'bridge', 'macvlan'] as const).flatMap((plugin) => [
    referencePlugin(plugin, plugin, DEBIAN),
    ...(existsSync(join(CURRENT, plugin)) ? [referencePlugin(`${plugin}-new`, plugin, CURRENT)] : []),
  ]);
  return [
    ...own,
    ...reference,
    ...(all ? [foreign('aws-vpc-cni', 'aws-cni', 'BENCH_AWS_VPC_CNI'), foreign('whereabouts', 'ptp', 'BENCH_WHEREABOUTS')] : []),
  ];
}

/** Flatpod's own executable, as a peer. */
export function flatpod(lab: BenchLab, node: AgentNode, pods: string, name = 'flatpod'): Peer {
  const executable = join(root, 'dist/cni/flatpod');
  const conf = confFile(lab, name, { cniVersion: '1.0.0', name: 'bench', type: 'flatpod' });
  return { name, executable, conf, cniPath: dirname(executable), node: node.netns, pods, env: { FLATPOD_SOCKET: node.socket } };
}

function bare(lab: BenchLab, name: string, executable: string): Omit<Peer, 'name' | 'node' | 'pods'> {
  return { executable, conf: confFile(lab, name, { cniVersion: '1.0.0', name: 'bench', type: name }), cniPath: dirname(executable) };
}

function referencePlugin(name: string, plugin: 'ptp' | 'bridge' | 'macvlan', folder: string): Candidate {
  const executable = join(folder, plugin);
  const special = { ptp: {}, bridge: { bridge: 'cni0', isGateway: true }, macvlan: { master: 'eth0' } }[plugin];
  return {
    name,
    ...(!existsSync(executable) && { absent: `${executable} is not there` }),
    ...(plugin !== 'ptp' && { floods: true }),
    prepare(lab) {
      const ipam = {
        type: 'host-local',
        ranges: [[{ subnet: '10.99.0.0/16' }]],
        routes: [{ dst: '0.0.0.0/0' }],
        dataDir: join(lab.dir, name),
      };
      const conf = confFile(lab, name, { cniVersion: '1.0.0', name: `bench-${name}`, type: plugin, mtu: 1500, ...special, ipam });
      return { executable, conf, cniPath: folder };
    },
  };
}

/** A plugin with a daemon that somebody else set up: a folder with the executable, `conf.json`, and `node`: the path of its daemon's network namespace. */
function foreign(name: string, plugin: string, variable: string): Candidate {
  const folder = process.env[variable];
  const absent =
    folder === undefined
      ? `${variable} names no folder`
      : [plugin, 'conf.json', 'node']
          .filter((file) => !existsSync(join(folder, file)))
          .map((file) => `${join(folder, file)} is not there`)[0];
  return {
    name,
    ...(absent !== undefined && { absent }),
    prepare: () => ({ executable: join(folder ?? '', plugin), conf: join(folder ?? '', 'conf.json'), cniPath: folder ?? '' }),
  };
}

/** The namespace a peer's daemon lives in, where that is not a machine of the lab. */
export function foreignNode(name: string): string | undefined {
  const variable = { 'aws-vpc-cni': 'BENCH_AWS_VPC_CNI', whereabouts: 'BENCH_WHEREABOUTS' }[name];
  const folder = variable === undefined ? undefined : process.env[variable];
  return folder === undefined ? undefined : readFileSync(join(folder, 'node'), 'utf8').trim();
}

function confFile(lab: BenchLab, name: string, conf: object): string {
  mkdirSync(join(lab.dir, 'conf'), { recursive: true });
  const path = join(lab.dir, 'conf', `${name}.json`);
  writeFileSync(path, JSON.stringify(conf));
  return path;
}
