/** The CNI executables in the runtime's folder for plugins. */
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from '../errors/failure.ts';
import { attempt, placeFile, removeFile, removeUnfinished } from './place-file.ts';
import type { Tell } from './step.ts';

/** The one executable's names. */
const names = ['flatpod', 'flatpod-ipam', 'veth-to-host'] as const;
/** `.NAME.PID`: what an installer that was killed leaves. */
const unfinished = /^\.(?:flatpod|flatpod-ipam|veth-to-host)\.(\d+)$/;

/** @throws Failure executableNotBuilt, pluginMissing: found out before anything is written. */
export function checkExecutables(from: string, binDir: string, chain: readonly string[]): void {
  for (const name of names) if (!existsSync(join(from, name))) throw failure('executableNotBuilt', { path: join(from, name) });
  for (const plugin of chain) if (!isProgram(join(binDir, plugin))) throw failure('pluginMissing', { plugin, directory: binDir });
}

/** Puts all three there, mode 0755; whoever executes one meanwhile gets the old or the new. @throws Failure installFile. */
export function installExecutables(from: string, binDir: string, tell: Tell): void {
  attempt('make', binDir, () => mkdirSync(binDir, { recursive: true, mode: 0o755 }));
  removeUnfinished(binDir, unfinished);
  for (const name of names) {
    const source = join(from, name);
    const contents = attempt('read', source, () => readFileSync(source));
    const path = join(binDir, name);
    tell({ done: placeFile({ path, contents, mode: 0o755, temporary: `.${name}.${process.pid}` }), path, note: '' });
  }
}

/** Takes them away, with what an interrupted installation left. @throws Failure installFile. */
export function removeExecutables(binDir: string, tell: Tell): void {
  for (const name of names) {
    const path = join(binDir, name);
    tell({ done: removeFile(path) ? 'removed' : 'absent', path, note: '' });
  }
  for (const path of removeUnfinished(binDir, unfinished)) tell({ done: 'removed', path, note: 'unfinished' });
}

/** What is missing beside ours, for the person who installs; empty when nothing is. */
export function missingBeside(binDir: string): string {
  return isProgram(join(binDir, 'loopback')) ? '' : `the plugin loopback is not in ${binDir}: containerd cannot start any Pod without it`;
}

function isProgram(path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there?.isFile() === true && (there.mode & 0o111) !== 0;
}
