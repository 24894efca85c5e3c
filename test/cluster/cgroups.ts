/** Control groups of a node: one folder in every hierarchy, which kubelet and containerd fill, and which must be gone before the node boots again. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { eventually } from '../life/lab.ts';

const ROOT = '/sys/fs/cgroup';

/**
 * What all Pods of a node together weigh against one thread of a daemon: there are dozens of those, which on a real node are one group beside the Pods'. With
 * the weight of one of them Pods wait for seconds when the machine is busy, and so does who asks them.
 */
const weights = { 'cpu.shares': '10240', 'cpu.weight': '1000' } as const;

/** Makes the folder `/NAME` in every hierarchy. Under v1 a new cpuset has neither processors nor memory, and nothing could run in it: it gets its parent's. */
export function makeCgroup(name: string): void {
  for (const root of hierarchies()) {
    const path = join(root, name);
    mkdirSync(path, { recursive: true });
    for (const [file, weight] of Object.entries(weights)) if (existsSync(join(path, file))) writeFileSync(join(path, file), weight);
    if (!readdirSync(path).includes('cpuset.cpus') || root === ROOT) continue;
    for (const file of ['cpuset.cpus', 'cpuset.mems']) writeFileSync(join(path, file), readFileSync(join(dirname(path), file)));
  }
}

/** Takes it away with everything below, once its processes have ended. Left-overs would cost the next kubelet three seconds each. */
export async function removeCgroup(name: string): Promise<void> {
  for (const path of hierarchies().flatMap((root) => withinFirst(join(root, name)))) {
    // A cgroup is busy until the kernel has buried its last process.
    await eventually(`the cgroup ${path} goes`, () => (removeFolder(path), true), 60);
  }
}

/** Names of those at the top of the hierarchies. */
export function topCgroups(): string[] {
  return [...new Set(hierarchies().flatMap((root) => readdirSync(root)))];
}

/** Under v1 one a controller, under v2 the only one. */
function hierarchies(): string[] {
  const isOne = (path: string): boolean => readdirSync(path).includes('cgroup.procs');
  if (isOne(ROOT)) return [ROOT];
  return readdirSync(ROOT).flatMap((name) => (isOne(join(ROOT, name)) ? [join(ROOT, name)] : []));
}

/** The folder and those in it, the innermost first; nothing when it is not there. */
function withinFirst(path: string): string[] {
  try {
    const folders = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...folders.flatMap(({ name }) => withinFirst(join(path, name))), path];
  } catch {
    return []; // it went a moment ago
  }
}

function removeFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
