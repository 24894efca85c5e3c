/**
 * The tests on a real cluster, or the files whose name contains one of the arguments: `node test/cluster/run.ts [part …]`. One process without isolation for
 * all files, so that they may share a cluster (shared.ts); shown as it goes, then one closing line.
 */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../life/lab.ts';
import { runTests } from '../runner.ts';
import { clusterTraces, kernelSettings, sweepDeadRuns } from './traces.ts';

const wanted = process.argv.slice(2);
const all = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.e2e.ts'));
const chosen = all.filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
if (chosen.length === 0) {
  console.error(`no file of tests on a cluster matches ${wanted.join(' ')}`);
  process.exit(2);
}
await sweepDeadRuns();
const before = kernelSettings();
const files = chosen.toSorted().map((name) => join(import.meta.dirname, name));
const { process: run, count } = runTests(files);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => run.kill('SIGKILL'));
await once(run, 'close');
// Whatever became of the tests, the machine is as before. (A hook that fails is no failed test to the runner.)
await eventually('nothing is left', () => clusterTraces(run.pid).length === 0).catch(() => undefined);
const left = clusterTraces(run.pid);
for (const one of left) console.error(`left on the machine: ${one}`);
const changed = Object.entries(kernelSettings()).filter(([key, value]) => value !== before[key]);
for (const [key, value] of changed) console.error(`changed on the machine: ${key} is ${value}, was ${before[key]}`);
await sweepDeadRuns();
const failed = count('fail') + count('cancelled') + left.length + changed.length;
console.log(`flatpod e2e: ${count('pass')} passed, ${failed} failed, ${count('skipped')} skipped`);
process.exitCode = failed > 0 || count('pass') === 0 || run.exitCode !== 0 ? 1 : 0;
