/**
 * The tests that need a cloud's own servers: `node test/clouds.ts [part …]`. `*.openstack.ts`: a real Keystone, Neutron and Nova; `*.ec2.ts`: an EC2 server
 * that is not ours; `*.qingcloud.ts`: QingCloud's own client; `*.kube.ts`: the installed controller over a real API server, which `make e2e` builds.
 *
 * Two lanes, a file at a time in each: Neutron answers one request after the other, so what one OpenStack gets no quicker by doing more at once, a second
 * one does. A lane's OpenStack is started when it takes its first file that needs one, and lives for all that follow. What a file says is shown when it is
 * over, then what ran where, then one closing line.
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type OpenStackBed, openStackBed } from './openstack/bed.ts';
import { ended, type Numbers, runTests } from './runner.ts';

const OPENSTACK = '.openstack.ts';
const kinds = [OPENSTACK, '.ec2.ts', '.qingcloud.ts', '.kube.ts'];
/** A bed that somebody keeps running is one, and tests of two lanes would meet in it. */
const GIVEN = 'FLATPOD_OPENSTACK_BED';
/** Begun first, so that no lane is left alone with them at the end. */
const LONG = ['sigkill', 'controller', 'contract'];

interface Ran extends Numbers {
  readonly file: string;
  readonly took_s: number;
}

const children = new Set<AbortController>();
await using running = new AsyncDisposableStack();
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => {
    for (const child of children) child.abort();
    void running.disposeAsync().then(() => process.exit(code));
  });

const wanted = process.argv.slice(2);
const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((name) => kinds.some((kind) => name.endsWith(kind)))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
if (files.length === 0) {
  console.error(`no file of test/ that ends in ${kinds.join(', ')} matches ${wanted.join(' ')}`);
  process.exit(2);
}

function rank(name: string): number {
  const place = LONG.findIndex((long) => basename(name).startsWith(long));
  return place < 0 ? LONG.length : place;
}

/** The next file for a lane, which is then nobody else's. `isFirst`: its choice is OpenStack, else whatever needs none. */
function next(isFirst: boolean): string | undefined {
  const isOfChoice = (name: string): boolean => name.endsWith(OPENSTACK) === isFirst;
  const mayHelp = isFirst || process.env[GIVEN] === undefined;
  const index = files.findIndex(isOfChoice);
  const found = index >= 0 ? index : mayHelp ? 0 : -1;
  return found < 0 ? undefined : files.splice(found, 1)[0];
}

async function lane(number: number): Promise<Ran[]> {
  const ran: Ran[] = [];
  let bed: OpenStackBed | undefined;
  for (let file = next(number === 1); file !== undefined; file = next(number === 1)) {
    const needsBed = file.endsWith(OPENSTACK) && process.env[GIVEN] === undefined;
    if (needsBed) bed ??= running.use(await openStackBed());
    const begun_ms = performance.now();
    console.log(`lane ${number}: ${file}`);
    const printed: Buffer[] = [];
    const stop = new AbortController();
    children.add(stop);
    const run = runTests([join(import.meta.dirname, file)], needsBed && bed !== undefined ? { [GIVEN]: bed.state } : {}, (part) =>
      printed.push(part),
    );
    stop.signal.addEventListener('abort', () => run.process.kill());
    const numbers = await ended(run);
    children.delete(stop);
    process.stdout.write(Buffer.concat(printed));
    ran.push({ ...numbers, file, took_s: Math.round((performance.now() - begun_ms) / 1000) });
  }
  return ran;
}

const begun_ms = performance.now();
const lanes = await Promise.all([1, 2].map(lane));
console.log('');
for (const [index, ran] of lanes.entries())
  if (ran.length > 0) console.log(`lane ${index + 1}: ${ran.map(({ file, took_s }) => `${file} ${took_s} s`).join(', ')}`);
const sum = (of: (one: Ran) => number): number => lanes.flat().reduce((total, one) => total + of(one), 0);
const [passed, failed, skipped] = [sum((one) => one.passed), sum((one) => one.failed), sum((one) => one.skipped)];
console.log(`clouds: ${passed} passed, ${failed} failed, ${skipped} skipped, in ${Math.round((performance.now() - begun_ms) / 1000)} s`);
process.exitCode = failed > 0 ? 1 : 0;
