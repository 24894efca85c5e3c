/** cnitool of libcni's current version on a node of the lab: our plugin first in a list, others chained behind it. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ending, run } from '../cni/executable.ts';
import { patientVerbs, type TestNode } from '../life/lab.ts';
import { programs } from '../programs.ts';
import { root } from '../tidy/files.ts';

/** A verb of cnitool's. */
export type Verb = 'add' | 'check' | 'del' | 'gc' | 'status';

/** The runtime on one node. Its configuration and its cache live in the node's folder. */
export interface Cnitool {
  /** Makes a network known, or another content of one. */
  network(name: string, list: Readonly<Record<string, unknown>>): void;
  /** Runs it; `env` may hold CAP_ARGS, CNI_ARGS, CNI_IFNAME. */
  call(verb: Verb, network: string, netns: string, env?: Readonly<Record<string, string>>): Promise<Ending>;
  /** The same for one that must succeed; what it printed. */
  ok(...call: Parameters<Cnitool['call']>): Promise<string>;
  /** Names of the results that libcni keeps. */
  cached(): string[];
  /** Throws away what libcni remembers. */
  forget(): void;
}

/** cnitool on that node. */
export function cnitoolOn(node: TestNode): Cnitool {
  const folder = join(node.dir, 'cnitool');
  const [networks, cache] = [join(folder, 'net.d'), join(folder, 'cache')];
  for (const one of [networks, cache]) mkdirSync(one, { recursive: true });
  const own = {
    PATH: process.env['PATH'] ?? '',
    FLATPOD_SOCKET: node.socket,
    FLATPOD_STATE: join(node.dir, 'state'),
    ...patientVerbs,
    CNI_PATH: `${join(root, 'dist/cni')}:${programs.plugins('1.9.1')}`,
    NETCONFPATH: networks,
    CACHE: cache,
  };
  // libcni keeps its results in /var/lib/cni and offers no other place: each call sees a folder of ours there.
  const script = 'mount -t tmpfs none /var/lib && mkdir /var/lib/cni && mount --bind "$CACHE" /var/lib/cni && exec "$0" "$@"';
  const call: Cnitool['call'] = (verb, network, netns, env = {}) => {
    const inside = ['unshare', '-m', 'sh', '-c', script, programs.cnitool(), verb, network, netns];
    return run('nsenter', { ...own, ...env }, '', [`--net=${node.netns}`, ...inside]);
  };
  return {
    network: (name, list) => writeFileSync(join(networks, `${name}.conflist`), JSON.stringify({ name, ...list })),
    call,
    async ok(verb, network, netns, env) {
      const { status, stdout, stderr } = await call(verb, network, netns, env);
      assert.equal(status, 0, `cnitool ${verb} ${network} ${netns}: ${stdout}${stderr}`);
      return stdout;
    },
    cached: () => readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('-')),
    forget: () => rmSync(join(cache, 'results'), { recursive: true, force: true }),
  };
}
