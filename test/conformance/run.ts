/**
 * The reference main plugins' own tests with our executable as host-local and static: `node test/conformance/run.ts [suite …]`, run by `make conformance`.
 * An agent answers them, from a network namespace of its own. A case that fails is tried with the reference's own IPAM plugins; one that fails there too
 * says something about this machine. What remains is ours: right for a known reason, or it makes the run fail.
 */
import { linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { start } from '../../src/cli/demo/processes.ts';
import { testNetns } from '../kernel/namespace.ts';
import { programs } from '../programs.ts';
import { known } from './known.ts';
import { type Case, runSuite, type Suite, suites } from './suite.ts';

const home = resolve(import.meta.dirname, '../..');

interface Outcome {
  readonly cases: readonly Case[];
  /** Fails with the reference's own IPAM plugins too. */
  readonly machine: readonly Case[];
  readonly ours: readonly Case[];
}

/** Runs one suite with our plugins, and again with the reference's when something fails. */
async function tried(suite: Suite, dir: string, env: Readonly<Record<string, string>>): Promise<Outcome> {
  const cases = await runSuite(suite, join(dir, 'bin'), dir, env);
  const failed = cases.filter(({ passed }) => !passed);
  if (failed.length === 0) return { cases, machine: [], ours: [] };
  const reference = new Map((await runSuite(suite, programs.plugins('1.9.1'), dir, env)).map((one) => [one.name, one.passed]));
  const isOurs = ({ name }: Case): boolean => reference.get(name) === true;
  return { cases, machine: failed.filter((one) => !isOurs(one)), ours: failed.filter(isOurs) };
}

/** How often each reason was given, the most frequent first. */
function reasonsOf(cases: readonly Case[]): string[] {
  const counts = new Map<string, number>();
  for (const { reason } of cases) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([reason, count]) => `  ${count} × ${reason}`);
}

async function main(wanted: readonly string[]): Promise<number> {
  await using open = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'fpt-conformance-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, 'bin'));
  for (const name of ['host-local', 'static']) linkSync(join(home, 'dist/cni/flatpod-ipam'), join(dir, 'bin', name));
  const env = { FLATPOD_SOCKET: join(dir, 'cni.sock'), FLATPOD_STATE: join(dir, 'state'), FLATPOD_HOME: home };
  const { path } = open.use(testNetns('conformance'));
  const agent = await start(dir, { name: 'agent', args: ['agent'], netns: path, ready: env.FLATPOD_SOCKET, env });
  open.defer(() => agent.stop());
  let [passed, machine, right, wrong] = [0, 0, 0, 0];
  for (const suite of suites.filter((name) => wanted.length === 0 || wanted.includes(name))) {
    const outcome = await tried(suite, dir, env);
    const failed = outcome.machine.length + outcome.ours.length;
    console.log(`${suite}: ${outcome.cases.length - failed} passed, ${failed} failed`);
    if (outcome.machine.length > 0)
      console.log([' with the reference’s own IPAM plugins these fail too:', ...reasonsOf(outcome.machine)].join('\n'));
    for (const { name, reason } of outcome.ours) {
      const why = known.find(([pattern]) => pattern.test(name))?.[1];
      console.log(why === undefined ? ` FAILED ${name}\n  ${reason}` : ` differs: ${name}\n  ${why}`);
      if (why === undefined) wrong++;
      else right++;
    }
    passed += outcome.cases.length - failed;
    machine += outcome.machine.length;
  }
  console.log(
    `flatpod conformance: ${passed} passed, ${machine} failed as with the reference’s own IPAM plugins, ${right} differ for a reason, ${wrong} failed`,
  );
  return wrong > 0 || passed === 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
