/**
 * The whole test suite, or the files whose path contains one of the arguments: `node test/run.ts [part …]`. One process without isolation for all
 * files (each cleans up after itself), shown as it goes, then one closing line.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runTests } from './runner.ts';

const wanted = process.argv.slice(2);
const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .toSorted()
  .map((name) => join(import.meta.dirname, name));
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`);
  process.exit(2);
}
const run = runTests(files);
run.process.on('close', (code) => {
  const failed = run.count('fail') + run.count('cancelled');
  console.log(`flatpod: ${run.count('pass')} passed, ${failed} failed, ${run.count('skipped')} skipped`);
  process.exitCode = failed > 0 || run.count('pass') === 0 || code !== 0 ? 1 : 0;
});
