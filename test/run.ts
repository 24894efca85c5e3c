/**
 * The whole test suite: `node test/run.ts [part of a path …]`. One process without isolation for all files (each file cleans up after itself),
 * then one closing line.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const wanted = process.argv.slice(2);
const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .map((name) => join(import.meta.dirname, name))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`);
  process.exit(2);
}
const options = ['--disable-warning=ExperimentalWarning', '--test', '--test-isolation=none', '--test-concurrency=1', '--test-reporter=spec'];
const run = spawnSync(process.execPath, [...options, ...files], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
process.stdout.write(run.stdout);
const count = (what: string): number => Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(run.stdout)?.[1] ?? 0);
const failed = count('fail') + count('cancelled');
console.log(`flatpod: ${count('pass')} passed, ${failed} failed, ${count('skipped')} skipped`);
process.exit(failed > 0 || count('pass') === 0 || run.status !== 0 ? 1 : 0);
