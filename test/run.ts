/**
 * The whole test suite, or the files whose path contains one of the arguments: `node test/run.ts [part …]`. First what runs on this machine's kernel
 * (`*.test.ts`), one process without isolation for all files (each cleans up after itself); then what needs another kernel (`*.guest.ts`), the same way in a
 * guest. Shown as it goes, then what ran where, then one closing line.
 */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { guestFiles, guestTurns, type Turn } from './guest/turn.ts';
import { runTests } from './runner.ts';

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
  const { process: run, count } = runTests(here.map((name) => join(import.meta.dirname, name)));
  const [code] = await once(run, 'close');
  const [passed, told, skipped] = [count('pass'), count('fail') + count('cancelled'), count('skipped')];
  // A runner that was ended or crashed says no numbers.
  const failed = told === 0 && (passed + skipped === 0 || code !== 0) ? 1 : told;
  return { line: `this machine's kernel, ${release()}: ${passed} passed, ${failed} failed, ${skipped} skipped`, passed, failed, skipped };
}

// A guest ends with this process, and takes its folder along when the process ends in order.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
const turns = [...(here.length === 0 ? [] : [await turnHere()]), ...(await guestTurns(there, wanted.length === 0))];
const sum = (of: (turn: Turn) => number): number => turns.reduce((total, turn) => total + of(turn), 0);
console.log(`\n${turns.map(({ line }) => line).join('\n')}`);
const [passed, failed, skipped] = [sum((turn) => turn.passed), sum((turn) => turn.failed), sum((turn) => turn.skipped)];
console.log(`flatpod: ${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
