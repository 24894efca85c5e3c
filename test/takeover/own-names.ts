/** The namespaces of this process's tests alone: those that run beside it have Pods with the same addresses. */
import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { NAMED } from '../../src/kernel/netns.ts';

/** The arguments of a command of flatpod; `takeover` looks among those namespaces alone, by their names in a folder below `dir`. */
export function amongOwn(dir: string, args: readonly string[]): string[] {
  if (args[0] !== 'takeover') return [...args];
  const folder = join(dir, 'netns');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const prefixes = [`fpt-${process.pid}-`, `fpt${process.pid}-`];
  for (const name of readdirSync(NAMED).filter((one) => prefixes.some((prefix) => one.startsWith(prefix))))
    symlinkSync(join(NAMED, name), join(folder, name));
  return [...args, '--netns-dir', folder];
}
