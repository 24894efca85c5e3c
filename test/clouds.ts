/**
 * The tests that need a cloud's own servers, which nobody wants to wait for in each run of the whole suite: `node test/clouds.ts [part …]`.
 * `*.openstack.ts`: a real Keystone, Neutron and Nova; `*.ec2.ts`: an EC2 server that is not ours; `*.qingcloud.ts`: QingCloud's own client.
 */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runTests } from './runner.ts';

const kinds = ['.openstack.ts', '.ec2.ts', '.qingcloud.ts'];
const wanted = process.argv.slice(2);
const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((name) => kinds.some((kind) => name.endsWith(kind)))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .toSorted();
if (files.length === 0) {
  console.error(`no file of test/ that ends in ${kinds.join(', ')} matches ${wanted.join(' ')}`);
  process.exit(2);
}
const { process: run, count } = runTests(files.map((name) => join(import.meta.dirname, name)));
const [code] = await once(run, 'close');
const failed = count('fail') + count('cancelled');
console.log(`\nclouds: ${count('pass')} passed, ${failed} failed, ${count('skipped')} skipped`);
process.exitCode = failed > 0 || code !== 0 ? 1 : 0;
