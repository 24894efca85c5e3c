/**
 * Runs one command in a guest kernel on this machine's files, in this folder, and shows what it prints: `node scripts/guest.ts COMMAND [ARGUMENT …]`. In the
 * kernel that make guest built where there is one, else in Debian's. What the command writes is gone with the guest; its exit status is ours.
 */
import { startGuest } from '../test/guest/guest.ts';
import { builtKernel, packagedKernel } from '../test/guest/kernels.ts';

/** Seconds; whoever waits at a terminal ends it before. */
const LIMIT_s = 3600;

const command = process.argv.slice(2);
const kernel = builtKernel() ?? packagedKernel();
if (command.length === 0 || kernel === undefined) {
  console.error(command.length === 0 ? 'usage: node scripts/guest.ts COMMAND [ARGUMENT …]' : 'no guest kernel: run scripts/setup-test.sh');
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
await using guest = await startGuest({ kernel });
const { status } = await guest.run(command, { limit_s: LIMIT_s, show: (text) => process.stdout.write(text) });
process.exitCode = status;
