/**
 * What a node has of its own beside its network: a mount namespace in which /run/netns, /run/containerd and /var/lib/cni are empty folders of this node,
 * and a cgroup. So two nodes run two of everything on one machine, and the machine's own folders stay clean.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hasEnded } from '../../src/cli/demo/processes.ts';
import { eventually } from '../life/lab.ts';
import { signalIfThere } from '../signal.ts';

const CGROUPS = '/sys/fs/cgroup';
/** A runtime has many programs, and the kernel ends them in its own time. */
const END_LIMIT_s = 60;

/** A room that is kept open by a process. */
export interface Room {
  /** Path of its mount namespace. */
  readonly mounts: string;
  /** The cgroup for containers, as runtimes want it: absolute, from the root of each hierarchy. */
  readonly cgroup: string;
  /** What is there of a Pod: mounts made in the room, namespaces in /run/netns, cgroups, and programs that work in its folder (but not `known` ones). */
  leftovers(known?: readonly number[]): string[];
  /** Kills every program that works in its folder or its cgroup, then takes the room away. The folder is left to whoever gave it. */
  close(): Promise<void>;
}

/**
 * `dir` becomes the home of the folders; whatever is run in the room names it in its arguments, which is how it is found again.
 * Not `ip netns exec`, whose fresh /sys has no cgroups: the cgroups are bound back into it.
 */
export async function openRoom(netns: string, dir: string): Promise<Room> {
  const own = { 'run-netns': '/run/netns', 'run-containerd': '/run/containerd', 'var-lib-cni': '/var/lib/cni' };
  for (const name of [...Object.keys(own), 'cgroup']) mkdirSync(join(dir, name), { recursive: true });
  const script = [
    'set -e',
    `mount --rbind ${CGROUPS} ${dir}/cgroup`,
    'mount -t sysfs sysfs /sys',
    `mount --rbind ${dir}/cgroup ${CGROUPS}`,
    ...Object.entries(own).map(([name, place]) => `mkdir -p ${place} && mount --bind ${dir}/${name} ${place}`),
    'echo open',
    // It ends with whoever holds the other end of its stdin, even when that is killed.
    'exec cat',
  ].join('\n');
  const inside = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script];
  const holder = spawn('nsenter', [`--net=${netns}`, ...inside], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [said] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')]);
  if (String(said) !== 'open\n') throw new Error(`no room of its own for ${netns}: nsenter ended with ${String(said)}`);
  const pid = holder.pid ?? 0;
  const cgroup = `/${basename(netns)}`;
  const mountsNow = (): string[] =>
    readFileSync(`/proc/${pid}/mounts`, 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
  const before = new Set(mountsNow());
  return {
    mounts: `/proc/${pid}/ns/mnt`,
    cgroup,
    leftovers: (known = []) => [
      ...mountsNow().filter((path) => !before.has(path)),
      ...readdirSync(join(dir, 'run-netns')),
      ...hierarchies().flatMap((root) => cgroupsBelow(join(root, cgroup)).slice(1)),
      ...programsIn(dir, cgroup).flatMap((one) => (one.pid === pid || known.includes(one.pid) ? [] : [`${one.pid} ${one.command}`])),
    ],
    close: () => closeRoom(dir, cgroup, holder),
  };
}

async function closeRoom(dir: string, cgroup: string, holder: ChildProcess): Promise<void> {
  await eventually(
    'the programs of the room end',
    () => {
      const programs = programsIn(dir, cgroup).filter(({ pid }) => pid !== holder.pid);
      for (const { pid } of programs) signalIfThere(pid, 'SIGKILL');
      return programs.length === 0;
    },
    END_LIMIT_s,
  );
  if (!hasEnded(holder)) {
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  }
  // The innermost first. A cgroup is busy until the kernel has buried its last process.
  for (const path of hierarchies().flatMap((root) => cgroupsBelow(join(root, cgroup)).toReversed())) {
    await eventually(`${path} goes`, () => (rmdirSync(path), true), END_LIMIT_s);
  }
}

/** Under cgroup v1 one a controller, under v2 the only one. */
function hierarchies(): string[] {
  const isOne = (path: string): boolean => readdirSync(path).includes('cgroup.procs');
  if (isOne(CGROUPS)) return [CGROUPS];
  return readdirSync(CGROUPS).flatMap((name) => (isOne(join(CGROUPS, name)) ? [join(CGROUPS, name)] : []));
}

/** The folder itself first, then those in it; nothing when it is not there. */
function cgroupsBelow(path: string): string[] {
  try {
    const folders = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [path, ...folders.flatMap(({ name }) => cgroupsBelow(join(path, name)))];
  } catch {
    return []; // it went a moment ago
  }
}

/** Programs that name the folder among their arguments, and members of the cgroup. */
function programsIn(dir: string, cgroup: string): { pid: number; command: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const inCgroup = readFileSync(`/proc/${name}/cgroup`, 'utf8').includes(`:${cgroup}/`);
      return command.includes(`${dir}/`) || inCgroup ? [{ pid: Number(name), command }] : [];
    } catch {
      return []; // it ended meanwhile
    }
  });
}
