/** What clusters of one process leave on the machine when they forget to clean up. */
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Settings of the whole kernel that kubelets would like to change. */
const settings = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops', 'kernel/keys/root_maxkeys'];

/** Everything there is now that bears the process's name: namespaces, links, mounts, cgroups, folders, programs. */
export function clusterTraces(pid = process.pid): string[] {
  const ours = new RegExp(`fpe(${pid}x|-${pid}-)`);
  const cgroups = ['', ...members('/sys/fs/cgroup')].flatMap((name) => members(join('/sys/fs/cgroup', name)));
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return [
    ...[...members('/run/netns'), ...members('/sys/class/net'), ...cgroups, ...members(tmpdir()), ...mounts].filter((one) =>
      ours.test(one),
    ),
    ...members('/proc').flatMap((name) => {
      const command = /^\d+$/.test(name) && name !== String(process.pid) ? commandOf(name) : '';
      return ours.test(command) ? [`${name} ${command}`] : [];
    }),
  ];
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
