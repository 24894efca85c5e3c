/** What a process and its machine hold, so that two looks can be compared: the suite must leave both as it found them. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const CGROUPS = '/sys/fs/cgroup';

/** Of this process alone. */
export interface Held {
  readonly cwd: string;
  readonly umask: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Open files by what they are, such as `socket:` or a path. */
  readonly files: readonly string[];
  /** What keeps the event loop alive, by kind. */
  readonly resources: readonly string[];
  /** `event number` of every event of `process` that somebody listens to. */
  readonly listeners: readonly string[];
  /** Children that are not reaped. */
  readonly children: readonly string[];
}

/** This process now. */
export function held(): Held {
  return {
    cwd: process.cwd(),
    umask: process.umask(),
    env: { ...process.env },
    files: openFiles(),
    resources: process.getActiveResourcesInfo().toSorted(),
    listeners: process.eventNames().map((name) => `${String(name)} ${process.listenerCount(name)}`),
    children: processes().flatMap(({ pid, parent, command }) => (parent === process.pid ? [`${pid} ${command}`] : [])),
  };
}

/** Of the machine: what our tests and programs make there, by the names they give it. */
export interface Traces {
  readonly namespaces: readonly string[];
  readonly mounts: readonly string[];
  readonly links: readonly string[];
  /** In any hierarchy. */
  readonly cgroups: readonly string[];
  /** Folders in the folder for temporary files. */
  readonly folders: readonly string[];
  /** Programs of ours whose parent is gone. */
  readonly orphans: readonly string[];
}

/** Our traces now. */
export function traces(): Traces {
  const ours = /^(fp|flatpod)/;
  return {
    namespaces: membersOf('/run/netns').filter((name) => ours.test(name)),
    mounts: readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((path) => /\/(fp|flatpod)[^/]*/.test(path)),
    links: membersOf('/sys/class/net').filter((name) => ours.test(name)),
    cgroups: ['', ...membersOf(CGROUPS)].flatMap((name) => membersOf(join(CGROUPS, name)).filter((group) => ours.test(group))),
    folders: membersOf(tmpdir()).filter((name) => ours.test(name)),
    orphans: processes().flatMap(({ pid, parent, command }) =>
      parent === 1 && /flatpod|src\/main\.ts/.test(command) ? [`${pid} ${command}`] : [],
    ),
  };
}

/** Other suites, demos and labs that run on this machine now: their traces cannot be told from ours. */
export function otherSuites(): string[] {
  const all = processes();
  const own = new Set<number | undefined>();
  for (let pid: number | undefined = process.pid; pid !== undefined; pid = all.find((one) => one.pid === pid)?.parent) own.add(pid);
  const suites = /--test-isolation=none|test\/run\.ts|(flatpod|main\.ts|flatpod\.cjs) demo|\/vpc\/program\.ts/;
  // An agent or VPC with a parent that is none of ours; without a parent it may be one that we forgot.
  const labs = /(flatpod|main\.ts|flatpod\.cjs) (agent|vpc)\b/;
  return all
    .filter(
      ({ pid, parent, command }) => !own.has(pid) && (suites.test(command) || (parent !== 1 && !own.has(parent) && labs.test(command))),
    )
    .map(({ pid, command }) => `${pid} ${command.slice(0, 80)}`);
}

function openFiles(): string[] {
  return membersOf('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`).replace(/^(\w+):\[\d+\]$/, '$1:')];
      } catch {
        return []; // the one that readdir itself had open
      }
    })
    .toSorted();
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processes(): Process[] {
  return membersOf('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        // The name in parentheses may hold anything; the parent is the second field after it (proc_pid_stat(5)).
        const parent = /\) \S (\d+) [^)]*$/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1];
        return [{ pid: Number(name), parent: Number(parent), command }];
      } catch {
        return []; // it has ended meanwhile
      }
    });
}

function membersOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // no namespace was ever named on this machine
  }
}

/** What is under way when a test ends (an exit being reaped, a socket being closed) has this long to come to its end. */
const PATIENCE_ms = 5000;

/** What `now` has more of than `then`, duplicates counted; asked again until nothing is left or patience ends. */
export async function more(then: readonly string[], now: () => readonly string[]): Promise<string[]> {
  const deadline = performance.now() + PATIENCE_ms;
  for (;;) {
    const rest = [...then];
    const extra = now().filter((one) => {
      const at = rest.indexOf(one);
      if (at >= 0) rest.splice(at, 1);
      return at < 0;
    });
    if (extra.length === 0 || performance.now() > deadline) return extra;
    await sleep(50);
  }
}
