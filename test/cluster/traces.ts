/** What clusters of one process leave on the machine when they forget to clean up. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deleteNetns } from '../../src/kernel/netns.ts';
import { removeCgroup, topCgroups } from './cgroups.ts';
import { signalIfThere } from '../signal.ts';

/** Settings of the whole kernel that kubelets would like to change. */
const settings = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops', 'kernel/keys/root_maxkeys'];

/** Everything there is now that bears the process's name: namespaces, links, mounts, cgroups, folders, programs. */
export function clusterTraces(pid = process.pid): string[] {
  const ours = new RegExp(`fpe(${pid}x|-${pid}-)`);
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return [
    ...[...members('/run/netns'), ...members('/sys/class/net'), ...topCgroups(), ...members(tmpdir()), ...mounts].filter((one) =>
      ours.test(one),
    ),
    ...members('/proc').flatMap((name) => {
      const command = /^\d+$/.test(name) && name !== String(process.pid) ? commandOf(name) : '';
      return ours.test(command) ? [`${name} ${command}`] : [];
    }),
  ];
}

/** Takes away what runs left that were killed: all machines of theirs died with them, but not their VPC, namespaces, cgroups and folders. */
export async function sweepDeadRuns(): Promise<void> {
  for (const pid of members('/proc').filter((name) => /^\d+$/.test(name))) {
    const [, owner] = /\bvpc --name fpe(\d+)x\d+ /.exec(commandOf(pid)) ?? [];
    if (owner !== undefined && commandOf(owner) === '') signalIfThere(Number(pid), 'SIGKILL'); // another run that begins now may be faster
  }
  for (const name of members('/run/netns').filter(isOfTheDead)) deleteNetns(name);
  for (const name of topCgroups().filter(isOfTheDead)) await removeCgroup(`/${name}`);
  for (const name of members(tmpdir()).filter(isOfTheDead)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
}

/** Whether a name is of a cluster whose process is not there any more. */
function isOfTheDead(name: string): boolean {
  const [, pid] = /^fpe-?(\d+)(?:x\d+)?-/.exec(name) ?? [];
  return pid !== undefined && commandOf(pid) === '';
}

/** The kernel's settings now, to compare with. */
export function kernelSettings(): Readonly<Record<string, string>> {
  return Object.fromEntries(settings.map((key) => [key, readFileSync(join('/proc/sys', key), 'utf8').trim()]));
}

function members(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // no such folder, or a file
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return ''; // it ended
  }
}
