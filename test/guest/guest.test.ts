/** Guests as tests use them: what a program in one sees, what is left of it, how a guest ends, NICs. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseMac } from '../../src/net/mac.ts';
import { eventually } from '../life/lab.ts';
import type { GuestOptions } from './boot.ts';
import { type Guest, GuestsForbidden, startGuest } from './guest.ts';
import { packagedKernel } from './kernels.ts';
import { openTaps } from './taps.ts';

/** undefined, with the reason as the test's, where no guest can run. */
async function boot(t: TestContext, options: Omit<GuestOptions, 'kernel'> = {}): Promise<Guest | undefined> {
  const kernel = packagedKernel();
  if (kernel === undefined) {
    t.skip("Debian's package user-mode-linux is not installed, or there is none for this processor");
    return undefined;
  }
  try {
    return await startGuest({ ...options, kernel });
  } catch (error) {
    if (!(error instanceof GuestsForbidden)) throw error;
    t.skip(error.message);
    return undefined;
  }
}

/** The guest's own, which its kernel was told: those of other runs come and go meanwhile. */
const folderOf = async (guest: Guest): Promise<string> => /GUEST_FOLDER=(\S+)/.exec(await guest.sh('cat /proc/cmdline'))?.[1] ?? '';
const mac = parseMac('02:00:00:00:00:01');

test('a program in a guest sees this machine’s files, another kernel and no other NICs; what it writes and makes is gone with the guest', async (t) => {
  const trace = join(tmpdir(), `fpguest-trace-${process.pid}`);
  let folder: string;
  {
    await using guest = await boot(t);
    if (guest === undefined) return;
    const { status, output } = await guest.run(['cat', import.meta.filename]);
    assert.deepEqual([status, output], [0, readFileSync(import.meta.filename, 'utf8')]);
    assert.match(await guest.sh('cat /proc/version'), /^Linux version 6\./);
    assert.doesNotMatch(await guest.sh('ip -o link'), /eth0|vec0/);
    folder = await folderOf(guest);
    assert.ok(existsSync(folder), folder);
    await guest.sh(`echo here > ${trace}; test -s ${trace}; mkdir /fpguest; ip netns add fpguest`);
  }
  assert.deepEqual([existsSync(trace), existsSync('/fpguest'), existsSync('/run/netns/fpguest')], [false, false, false]);
  assert.equal(existsSync(folder), false);
});

test('of a program come back its output while it runs, and its status; it has the environment it is given and no other', async (t) => {
  await using guest = await boot(t);
  if (guest === undefined) return;
  const parts: string[] = [];
  const slow = guest.run(['sh', '-c', 'echo $$ > /run/slow; echo "$A, $UV_THREADPOOL_SIZE"; echo wrong >&2; exec sleep 60'], {
    env: { A: "one ' two" },
    show: (part) => parts.push(part),
    limit_s: 30,
  });
  await eventually('it is shown', () => parts.join('') === "one ' two, \nwrong\n");
  // Another runs beside it, and the first one is ended from inside.
  await guest.sh('kill $(cat /run/slow)');
  assert.equal((await slow).status, 143);
  assert.deepEqual(await guest.run(['sh', '-c', 'exit 7']), { status: 7, output: '' });
  assert.equal((await guest.run(['sleep', '60'], { limit_s: 1 })).status, 124);
  await assert.rejects(guest.sh('echo because; false'), /status 1: echo because; false\nbecause/);
});

test('a guest that panics fails whoever waits for it, with what its console said', async (t) => {
  await using guest = await boot(t);
  if (guest === undefined) return;
  const waiting = guest.run(['sleep', '60']);
  const panic = guest.run(['sh', '-c', 'echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger']);
  await assert.rejects(waiting, /the guest is gone; its console ended with:/);
  await assert.rejects(panic);
  assert.match(guest.console(), /Kernel panic|sysrq triggered crash/i);
  await assert.rejects(guest.run(['true']), /the guest is gone/);
});

test('NICs of a guest are taps on a bridge here, with the MACs given; one is plugged and pulled while it runs, not while it is up', async (t) => {
  using wire = openTaps('wire');
  wire.ns.ip('addr add 10.0.0.1/24 dev br0');
  await using guest = await boot(t, { netns: wire.ns.path, nics: [{ tap: wire.tap('t0'), mac }] });
  if (guest === undefined) return;
  await guest.sh('ip addr add 10.0.0.2/24 dev vec0; ip link set vec0 up');
  await eventually('it is reached', () => guest.sh('ping -c 1 -W 1 10.0.0.1'), 30);
  assert.match(await guest.sh('cat /sys/class/net/vec0/address'), new RegExp(mac));
  assert.match(wire.ns.ip('neigh show 10.0.0.2'), new RegExp(mac));

  guest.plug(1, { tap: wire.tap('t1'), mac: parseMac('02:00:00:00:00:02') });
  assert.match(await guest.sh('ip -o link show vec1'), /02:00:00:00:00:02/);
  await guest.sh('ip link set vec1 up');
  assert.throws(() => guest.pull(1), /remove vec1: ERR/);
  await guest.sh('ip link set vec1 down');
  guest.pull(1);
  await assert.rejects(guest.sh('ip link show vec1'), /does not exist/);
});
