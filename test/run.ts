/**
 * The whole test suite, or the files whose path contains one of the arguments: `node test/run.ts [part …]`. First what runs on this machine's kernel
 * (`*.test.ts`), without isolation (each file cleans up after itself), in two processes; then what needs another kernel (`*.guest.ts`), the same way in a
 * guest. Shown as it goes, then what failed, what ran where, and one closing line.
 */
import { readdirSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { guestFiles, guestTurns, type Turn } from './guest/turn.ts';
import { BESIDE, ended, type Numbers, runTests } from './runner.ts';

/** Folders whose tests run beside the others: about half of the time that all take, most of it waiting. */
const aside = [
  'aws/',
  'cli/',
  'cloud-contract/',
  'clouds-under-fault/',
  'controller/',
  'deploy/',
  'ec2/',
  'install/',
  'ipam/',
  'kube/',
  'net/',
  'openstack/',
  'qingcloud/',
  'takeover/',
  'tidy/',
  'veth-to-host/',
] as const;
/** What is asked in both processes, of each. */
const ofEach = 'zz-held.test.ts';
const isAside = (name: string): boolean => aside.some((folder) => name.startsWith(folder));

const wanted = process.argv.slice(2);
const names = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).toSorted();
const here = names
  .filter((name) => name.endsWith('.test.ts'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
const there = guestFiles(names, wanted);
if (here.length === 0 && there.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`);
  process.exit(2);
}

async function turnHere(): Promise<Turn> {
  const pathOf = (name: string): string => join(import.meta.dirname, name);
  const first = here.filter((name) => !isAside(name)).map(pathOf);
  const beside = here.filter((name) => isAside(name) || (name === ofEach && here.some(isAside))).map(pathOf);
  const numbers =
    first.length === 0 || beside.length === 0 ? await ended(runTests([...first, ...beside])) : await sideBySide(first, beside);
  const { passed, failed, skipped } = numbers;
  return { line: `this machine's kernel, ${release()}: ${passed} passed, ${failed} failed, ${skipped} skipped`, ...numbers };
}

/** Most tests wait for processes and packets: one run alone leaves a processor idle. What the second prints comes when both are done. */
async function sideBySide(first: readonly string[], beside: readonly string[]): Promise<Numbers> {
  const printed: Buffer[] = [];
  console.log(`beside these, and shown after them: ${aside.join(', ')}`);
  const second = runTests(beside, {}, (part) => printed.push(part));
  const [one, two] = await Promise.all([ended(runTests(first, { [BESIDE]: String(second.process.pid) })), ended(second)]);
  for (const part of printed) process.stdout.write(part);
  const failures = [one.failures, two.failures].filter((text) => text !== '').join('\n\n');
  return { passed: one.passed + two.passed, failed: one.failed + two.failed, skipped: one.skipped + two.skipped, failures };
}

// A guest ends with this process, and takes its folder along when the process ends in order.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
const turns = [...(here.length === 0 ? [] : [await turnHere()]), ...(await guestTurns(there, wanted.length === 0))];
const sum = (of: (turn: Turn) => number): number => turns.reduce((total, turn) => total + of(turn), 0);
// Much may have been shown since: who sees only the end shall know what to look at.
for (const { failures } of turns) if (failures !== '') console.log(`\nwhat failed:\n${failures}`);
console.log(`\n${turns.map(({ line }) => line).join('\n')}`);
const [passed, failed, skipped] = [sum((turn) => turn.passed), sum((turn) => turn.failed), sum((turn) => turn.skipped)];
console.log(`flatpod: ${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
