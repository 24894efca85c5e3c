/** Test files in a guest kernel: one boot and one Node process for all of them, shown as they go. */
import { type Counts, counts, runnerArguments, runnerEnvironment } from '../runner.ts';
import type { GuestOptions } from './boot.ts';
import { startGuest } from './guest.ts';

/** What came of it: the counts of Node's runner and what failed, its exit status, and the guest's kernel by its release. */
export interface GuestRun extends Pick<Counts, 'count' | 'failures'> {
  readonly status: number;
  readonly release: string;
}

/** Which files, by their absolute paths, in which guest. */
export interface GuestSuite extends GuestOptions {
  readonly files: readonly string[];
  /** Seconds for all of them together. */
  readonly limit_s: number;
  readonly show: (text: string) => void;
}

/** Runs them. Whatever they leave goes with the guest. @throws Error when it does not boot, or dies. */
export async function runInGuest(suite: GuestSuite): Promise<GuestRun> {
  await using guest = await startGuest(suite);
  const release = (await guest.sh('uname -r')).trim();
  const { read, count, failures } = counts();
  const show = (text: string): void => {
    suite.show(text);
    read(text);
  };
  const { status } = await guest.run(['node', ...runnerArguments, ...suite.files], {
    env: { ...runnerEnvironment, FLATPOD_TEST_PATIENCE: '10' },
    limit_s: suite.limit_s,
    show,
  });
  return { status, release, count, failures };
}
