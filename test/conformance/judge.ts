/** One suite, and whose fault each failure is: what fails with the reference's own IPAM plugins too is the machine's. */
import { linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { start } from '../../src/cli/demo/processes.ts';
import { testNetns } from '../kernel/namespace.ts';
import { programs } from '../programs.ts';
import { type Case, runSuite, type Setting, type Suite } from './suite.ts';

const home = resolve(import.meta.dirname, '../..');

/** What became of a suite's cases. */
export interface Outcome {
  readonly passed: readonly Case[];
  /** Failed with the reference's own IPAM plugins too. */
  readonly machine: readonly Case[];
  /** Failed with ours alone. */
  readonly ours: readonly Case[];
}

/** Our executable under the names of host-local and static, and an agent that answers it from a network namespace of its own. */
export async function ourSetting(): Promise<Setting & AsyncDisposable> {
  await using open = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'fpt-conformance-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  for (const name of ['host-local', 'static']) linkSync(join(home, 'dist/cni/flatpod-ipam'), join(bin, name));
  const env = { FLATPOD_SOCKET: join(dir, 'cni.sock'), FLATPOD_STATE: join(dir, 'state'), FLATPOD_HOME: home };
  const { path } = open.use(testNetns('conformance'));
  const agent = await start(dir, { name: 'agent', args: ['agent'], netns: path, ready: env.FLATPOD_SOCKET, env });
  open.defer(() => agent.stop());
  const all = open.move();
  return { bin, dir, env, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Runs the suite, or these cases of it, with our plugins; what fails, again with the reference's. */
export async function judge(suite: Suite, ours: Setting, only?: readonly string[]): Promise<Outcome> {
  const cases = await runSuite(suite, ours, only);
  const passed = cases.filter((one) => one.passed);
  const failed = cases.filter((one) => !one.passed);
  if (failed.length === 0) return { passed, machine: [], ours: [] };
  const again = await runSuite(suite, { ...ours, bin: programs.plugins('1.9.1') }, textsOf(failed));
  const reference = new Map(again.map((one) => [one.name, one.passed]));
  const isOurs = ({ name }: Case): boolean => reference.get(name) === true;
  return { passed, machine: failed.filter((one) => !isOurs(one)), ours: failed.filter(isOurs) };
}

/** Each text once: a suite is told which cases to run by these. */
export function textsOf(cases: readonly Case[]): string[] {
  return [...new Set(cases.map(({ text }) => text))];
}
