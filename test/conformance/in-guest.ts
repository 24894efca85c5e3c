/**
 * Cases that this machine's kernel has not what it takes for, in a guest kernel that has it. Run by itself it is the guest's side: `node in-guest.ts SUITE
 * FILE`, where the file lists the texts; it prints what came of them as one line of JSON.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startGuest } from '../guest/guest.ts';
import { builtKernel } from '../guest/kernels.ts';
import { judge, type Outcome, ourSetting, textsOf } from './judge.ts';
import { type Case, type Suite, suites } from './suite.ts';

/** Seconds for all of one suite. */
const LIMIT_s = 900;

/** Why no guest can be asked; undefined when one can. The packaged kernel has no nftables, without which no agent starts. */
export function guestLack(): string | undefined {
  return builtKernel() === undefined ? 'no guest kernel with nftables: scripts/guest-kernel.sh builds it (for amd64)' : undefined;
}

/** These cases of some suites, all in one guest; `dir` is for files. @throws Error when the guest fails. */
export async function judgeInGuest(
  cases: ReadonlyMap<Suite, readonly Case[]>,
  dir: string,
  done: (suite: Suite, outcome: Outcome) => void,
): Promise<void> {
  const kernel = builtKernel();
  if (kernel === undefined) throw new Error(guestLack());
  const files = new Map(
    [...cases].map(([suite, some]) => {
      const path = join(dir, `${suite}.texts`);
      writeFileSync(path, JSON.stringify(textsOf(some)));
      return [suite, path];
    }),
  );
  await using guest = await startGuest({ kernel });
  // As `ip netns` prepares it: the suites do it themselves otherwise, below what is bound there by then.
  await guest.sh('mount --bind /run/netns /run/netns && mount --make-shared /run/netns');
  for (const [suite, file] of files) {
    const command = ['node', '--disable-warning=ExperimentalWarning', import.meta.filename, suite, file];
    const { status, output } = await guest.run(command, { limit_s: LIMIT_s });
    const said = output.split('\n').find((line) => line.startsWith('{"passed":'));
    if (said === undefined) throw new Error(`${suite} in a guest: status ${status}: ${output.slice(-2000)}`);
    done(suite, JSON.parse(said) as Outcome); // by this file, below
  }
}

if (import.meta.main) {
  const suite = suites.find((one) => one === process.argv[2]);
  if (suite === undefined) throw new Error(`no suite is called ${process.argv[2]}`);
  const texts = JSON.parse(readFileSync(process.argv[3] ?? '', 'utf8')) as string[]; // by judgeInGuest()
  await using setting = await ourSetting();
  console.log(JSON.stringify(await judge(suite, setting, texts)));
}
