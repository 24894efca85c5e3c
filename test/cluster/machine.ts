/**
 * A machine of the test cluster: a network namespace that it is given, and mount, hostname and process namespaces of its own. Its files are the real
 * machine's with its own laid over /etc, /opt, /var/lib and /var/log, so that what is installed there is this machine's alone; /run is its own and empties
 * at power off. Process 1 reads from this process: when that ends, however it ends, the machine loses power.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { eventually } from '../life/lab.ts';
import { makeCgroup, removeCgroup } from './cgroups.ts';
import { type Daemon, type Ended, onlyChildOf, runIn, type RunOptions, startIn } from './programs-in.ts';
import { hasEnded } from '../../src/cli/demo/processes.ts';

/** What a machine is made of. */
export interface MachinePlan {
  readonly name: string;
  /** Path of its network namespace. */
  readonly netns: string;
  /** For its files and logs; whoever gave it takes it away. */
  readonly dir: string;
  /** In its /etc/resolv.conf. */
  readonly nameserver: string;
}

/** A machine. */
export interface Machine extends MachinePlan {
  readonly isOn: boolean;
  /** From the root of every hierarchy of cgroups. */
  readonly cgroup: string;
  /** A path of the machine's, as this process reaches it while the machine is on; sockets too. */
  path(inside: string): string;
  /** The machine's folder for /var/lib/containerd or /var/lib/kubelet, as this process has it on its own disk. */
  store(folder: (typeof whole)[number]): string;
  /** Runs a program to its end. */
  run(command: readonly string[], options?: RunOptions): Promise<Ended>;
  /** Starts one that goes on, with the folder `path` before the others; its log is `DIR/log/NAME`. A daemon of that name that ended is replaced. */
  start(name: string, command: readonly string[], path?: string): Promise<Daemon>;
  /** The daemon started last under the name. @throws Error when none was. */
  daemon(name: string): Daemon;
  powerOn(): Promise<void>;
  /** A power cut: all its processes end at once. The disk stays. */
  powerOff(): Promise<void>;
}

const layered = ['/etc', '/opt', '/var/lib', '/var/log'];
/** Runtimes lay layers of their own in them, which cannot lie on ours. */
const whole = ['/var/lib/containerd', '/var/lib/kubelet'] as const;
const foreign = ['/etc/cni', '/opt/cni', '/etc/kubernetes', '/var/lib/cni', '/var/lib/flatpod', '/var/log/pods', '/var/log/containers'];
/** What the kubelet sets for the whole kernel. Here it finds it set, in files of the machine's own, and leaves the kernel alone. */
const settings = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

/** The machine, switched off. */
export function machine(plan: MachinePlan): Machine {
  const cgroup = `/${basename(plan.netns)}`;
  const daemons = new Map<string, Daemon>();
  let holder: Holder | undefined;
  const inside = (): number => {
    if (holder === undefined) throw new Error(`the machine ${plan.name} is off`);
    return holder.pid;
  };
  mkdirSync(join(plan.dir, 'log'), { recursive: true });
  return {
    ...plan,
    cgroup,
    get isOn() {
      return holder !== undefined;
    },
    path: (path) => `/proc/${inside()}/root${path}`,
    store: (folder) => join(plan.dir, 'disk/whole', folder),
    run: (command, options) => runIn(inside(), command, options),
    async start(name, command, path) {
      if (daemons.get(name)?.running === true) throw new Error(`${name} runs on ${plan.name} already`);
      const logFile = join(plan.dir, 'log', name);
      const daemon = await startIn(inside(), { name, command, logFile, ...(path !== undefined && { path }) });
      daemons.set(name, daemon);
      return daemon;
    },
    daemon(name) {
      const daemon = daemons.get(name);
      if (daemon === undefined) throw new Error(`${name} was never started on ${plan.name}`);
      return daemon;
    },
    async powerOn() {
      makeCgroup(cgroup);
      holder ??= await openHolder(plan, cgroup);
    },
    async powerOff() {
      if (holder === undefined) return;
      await holder.end();
      holder = undefined;
      // Their parents outside see them end.
      await eventually(`the programs of ${plan.name} end`, () => [...daemons.values()].every(({ running }) => !running), 60);
      await removeCgroup(cgroup);
    },
  };
}

/** Process 1 of a machine. */
interface Holder {
  readonly pid: number;
  end(): Promise<void>;
}

async function openHolder(plan: MachinePlan, cgroup: string): Promise<Holder> {
  const script = scriptOf(plan);
  const apart = ['unshare', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'];
  const child = spawn('nsenter', [`--net=${plan.netns}`, ...apart, 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', (part: Buffer) => said.push(part));
  const [first] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  const pid = onlyChildOf(child.pid ?? 0);
  if (String(first) !== 'on\n' || pid === false) {
    await end(child, undefined);
    throw new Error(`${plan.name} (${cgroup}) does not start: ${Buffer.concat(said).toString()}`);
  }
  return { pid, end: () => end(child, pid) };
}

async function end(child: ChildProcess, pid: number | undefined): Promise<void> {
  const ended = hasEnded(child);
  // Process 1 takes all others of its namespace with it.
  if (!ended) process.kill(pid ?? child.pid ?? 0, 'SIGKILL');
  if (!ended) await once(child, 'exit');
}

/** What process 1 does before it only reaps. Fresh kernel file systems hide the cgroups, so they are bound back. */
function scriptOf({ name, dir, nameserver }: MachinePlan): string {
  const disk = join(dir, 'disk');
  const layers = layered.map((path) => [path, join(disk, path), join(disk, `work${path}`)] as const);
  for (const folder of [join(dir, 'cgroup'), join(dir, 'settings'), ...layers.flatMap(([, upper, work]) => [upper, work])]) {
    mkdirSync(folder, { recursive: true });
  }
  for (const path of whole) mkdirSync(join(disk, 'whole', path), { recursive: true });
  const bound = Object.entries(settings).map(([key, value]) => {
    const file = join(dir, 'settings', key.replaceAll('/', '.'));
    writeFileSync(file, `${value}\n`);
    return `mount --bind ${file} /proc/sys/${key}`;
  });
  return [
    'set -e',
    `hostname ${name}`,
    `mount --rbind /sys/fs/cgroup ${dir}/cgroup`,
    'mount -t sysfs sysfs /sys',
    `mount --rbind ${dir}/cgroup /sys/fs/cgroup`,
    'mount -t tmpfs tmpfs /run',
    'mkdir /run/netns /run/lock',
    // Kubernetes asks it of every node's installation.
    'echo 1 >/proc/sys/net/ipv4/ip_forward',
    ...bound,
    ...layers.map(([path, upper, work]) => `mount -t overlay ${name} -o lowerdir=${path},upperdir=${upper},workdir=${work} ${path}`),
    ...whole.map((path) => `mkdir -p ${path}; mount --bind ${disk}/whole${path} ${path}`),
    // What tests and runtimes of the real machine left in such places is none of a fresh machine's.
    `[ -e ${disk}/used ] || rm -rf ${foreign.join(' ')}`,
    `touch ${disk}/used`,
    'mkdir -p /etc/cni/net.d /opt/cni/bin /var/log/pods /var/log/containers',
    `rm -f /etc/resolv.conf; echo 'nameserver ${nameserver}' >/etc/resolv.conf`,
    `echo '127.0.0.1 localhost ${name}' >/etc/hosts`,
    // The kubelet tells containers' mounts to the outside.
    'mount --make-rshared /',
    'echo on',
    // Whose parent ignores that signal is reaped by the kernel.
    'exec env --ignore-signal=CHLD cat',
  ].join('\n');
}
