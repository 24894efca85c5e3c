/**
 * The reference main plugins' own tests with our executable as host-local and static: `node test/conformance/run.ts [suite …]`, run by `make conformance`.
 * A case that fails is tried with the reference's own IPAM plugins; one that fails there too says something about this machine, and runs in a guest kernel.
 * What remains is ours: right for a known reason, or it makes the run fail.
 */
import { guestLack, judgeInGuest } from './in-guest.ts';
import { judge, type Outcome, ourSetting } from './judge.ts';
import { known } from './known.ts';
import { type Case, type Suite, suites } from './suite.ts';

/** How many cases there are of each kind. */
interface Count {
  here: number;
  guest: number;
  machine: number;
  right: number;
  wrong: number;
}

/** How often each reason was given, the most frequent first. */
function reasonsOf(cases: readonly Case[]): string[] {
  const counts = new Map<string, number>();
  for (const { reason } of cases) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([reason, number]) => `  ${number} × ${reason}`);
}

/** Says and counts those that failed with ours alone. */
function tellOurs({ ours }: Outcome, count: Count): void {
  for (const { name, reason } of ours) {
    const why = known.find(([pattern]) => pattern.test(name))?.[1];
    console.log(why === undefined ? ` FAILED ${name}\n  ${reason}` : ` differs: ${name}\n  ${why}`);
    if (why === undefined) count.wrong++;
    else count.right++;
  }
}

function tellMachine(cases: readonly Case[], count: Count): void {
  if (cases.length > 0) console.log([' with the reference’s own IPAM plugins these fail too:', ...reasonsOf(cases)].join('\n'));
  count.machine += cases.length;
}

/** All of the suites on this kernel. What it has not what it takes for, by suite. */
async function here(
  wanted: readonly Suite[],
  count: Count,
  open: AsyncDisposableStack,
): Promise<{ left: Map<Suite, readonly Case[]>; dir: string }> {
  const setting = open.use(await ourSetting());
  const left = new Map<Suite, readonly Case[]>();
  for (const suite of wanted) {
    const outcome = await judge(suite, setting);
    const { passed, machine, ours } = outcome;
    console.log(`${suite}: ${passed.length} passed, ${ours.length} not with ours, ${machine.length} cannot run on this kernel`);
    tellOurs(outcome, count);
    if (machine.length > 0) left.set(suite, machine);
    count.here += passed.length;
  }
  return { left, dir: setting.dir };
}

async function main(args: readonly string[]): Promise<number> {
  const count: Count = { here: 0, guest: 0, machine: 0, right: 0, wrong: 0 };
  await using open = new AsyncDisposableStack();
  const { left, dir } = await here(
    suites.filter((name) => args.length === 0 || args.includes(name)),
    count,
    open,
  );
  const lack = guestLack();
  if (left.size > 0 && lack !== undefined) {
    console.log(lack);
    tellMachine([...left.values()].flat(), count);
  } else if (left.size > 0) {
    await judgeInGuest(left, dir, (suite, outcome) => {
      const { passed, machine, ours } = outcome;
      console.log(
        `${suite}, in a guest kernel: ${passed.length} passed, ${ours.length} not with ours, ${machine.length} cannot run there either`,
      );
      tellOurs(outcome, count);
      tellMachine(machine, count);
      count.guest += passed.length;
    });
  }
  const { here: passedHere, guest, machine, right, wrong } = count;
  console.log(
    `${passedHere} passed on this kernel, ${guest} in a guest kernel; ${machine} failed as with the reference’s own IPAM plugins, ${right} differ for a reason, ${wrong} failed`,
  );
  console.log(`conformance: ${passedHere + guest} passed, ${wrong} failed, ${machine} skipped`);
  return wrong > 0 || passedHere + guest === 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
