/** Which test files run in a guest kernel, in which one, and what is said of those that cannot. */
import { join, resolve } from 'node:path';
import { GuestsForbidden } from './guest.ts';
import { builtKernel, type GuestKernel, packagedKernel } from './kernels.ts';
import { type Numbers, numbersOf } from '../runner.ts';
import { runInGuest } from './suite.ts';

const tests = resolve(import.meta.dirname, '..');
/** Seconds for everything that runs in one guest. */
const LIMIT_s = 2400;

/** Files of tests for this machine that must pass on a guest's kernel too. */
const both = ['kernel/address.test.ts', 'kernel/children.test.ts', 'kernel/link.test.ts', 'kernel/rule.test.ts'];

/** What ran where, as it is counted. */
export interface Turn extends Numbers {
  /** One line: the kernel, and what it counted or why it ran nothing. */
  readonly line: string;
}

/**
 * Of the names of all test files below test/, those that run in a guest: `*.guest.ts` on any guest kernel, `*.nft.guest.ts` on one with nftables, and some
 * that run on this machine's kernel too. With parts of paths, those that match; what runs here too only when `guest` is asked for.
 */
export function guestFiles(names: readonly string[], parts: readonly string[]): string[] {
  const matches = (name: string): boolean => parts.length === 0 || parts.some((part) => name.includes(part));
  const guests = names.filter((name) => name.endsWith('.guest.ts') && matches(name));
  return [...(parts.length === 0 || parts.includes('guest') ? both : []), ...guests];
}

/**
 * Runs them in one guest: in the built kernel where there is one, else in the packaged one. A run of the whole suite prefers the packaged one: what needs the
 * other has a command of its own, and takes as long again. What does not run counts as skipped, with a line that says why.
 */
export async function guestTurns(names: readonly string[], isWhole: boolean): Promise<Turn[]> {
  if (names.length === 0) return [];
  const kernel = isWhole ? (packagedKernel() ?? builtKernel()) : (builtKernel() ?? packagedKernel());
  if (kernel === undefined) {
    const where = process.arch === 'x64' ? 'scripts/setup-test.sh brings it' : `there is none for ${process.arch}`;
    return [skipped(names, `no guest kernel: Debian's package user-mode-linux is not installed (${where})`)];
  }
  const isForBuilt = (name: string): boolean => name.endsWith('.nft.guest.ts');
  const later = kernel.kind === 'built' ? [] : names.filter(isForBuilt);
  const now = names.filter((name) => !later.includes(name));
  return [
    ...(now.length === 0 ? [] : [await turn(kernel, now)]),
    ...(later.length === 0 ? [] : [skipped(later, 'they need nftables in a guest: make guest builds such a kernel and runs them')]),
  ];
}

async function turn(kernel: GuestKernel, names: readonly string[]): Promise<Turn> {
  const called = kernel.kind === 'packaged' ? "guest kernel, Debian's" : 'guest kernel, built with nftables';
  console.log(`\n${called}: ${names.join(', ')}`);
  const files = names.map((name) => join(tests, name));
  try {
    const run = await runInGuest({ kernel, files, limit_s: LIMIT_s, show: (text) => process.stdout.write(text) });
    const numbers = numbersOf(run, run.status);
    const { passed, failed, skipped: skips } = numbers;
    const end = run.status === 124 ? `, ended after ${LIMIT_s} s` : '';
    return { line: `${called}, ${run.release}: ${passed} passed, ${failed} failed, ${skips} skipped${end}`, ...numbers };
  } catch (error) {
    if (error instanceof GuestsForbidden) return skipped(names, error.message);
    return { line: `${called}: ${error instanceof Error ? error.message : String(error)}`, passed: 0, failed: 1, skipped: 0, failures: '' };
  }
}

function skipped(names: readonly string[], why: string): Turn {
  return { line: `not run: ${names.join(', ')}: ${why}`, passed: 0, failed: 0, skipped: names.length, failures: '' };
}
