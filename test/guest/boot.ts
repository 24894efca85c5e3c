/** The process that a guest kernel is. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Mac } from '../../src/net/mac.ts';
import { programs } from '../programs.ts';
import type { GuestKernel } from './kernels.ts';

/** A NIC of a guest: a tap device of a namespace here. It may have any MAC; without one the guest makes one up. */
export interface GuestNic {
  readonly tap: string;
  readonly mac?: Mac;
}

/** What a guest is to be. */
export interface GuestOptions {
  readonly kernel: GuestKernel;
  /** Path of the namespace in which the taps of all its NICs lie, those plugged later too. */
  readonly netns?: string;
  /** vec0, vec1, … in this order. */
  readonly nics?: readonly GuestNic[];
  readonly memory_MiB?: number;
}

/**
 * Starts it, its console's words going to the file `console` of the folder.
 *
 * A pid namespace of its own: with its process 1 every process of the guest goes. That is a shell, because a guest that panics calls abort(), and process 1
 * cannot do that to itself. A mount namespace of its own: the guest's memory is a file in /dev/shm, which in containers may be small or refuse to be executed.
 * Ahead of others on the processor: each system call in the guest is two changes of process here, and each would wait its turn on a busy machine.
 * Its serial line is the fourth of the process's files.
 */
export function boot(folder: string, { kernel, netns, nics = [], memory_MiB = 1024 }: GuestOptions): ChildProcess {
  const room = [
    ...(netns === undefined ? [] : ['nsenter', `--net=${netns}`]),
    ...'nice -n -10 setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child sh -c'.split(' '),
    'mount -t tmpfs -o mode=1777 tmpfs /dev/shm && "$@"; exit $?',
    'sh',
  ];
  const words = [
    ...'root=/dev/root rootfstype=hostfs rootflags=/ ro umid=guest con0=null,fd:1 con=null ssl0=fd:3 ssl=null quiet loglevel=4 panic=1'.split(
      ' ',
    ),
    `mem=${memory_MiB}M`,
    `uml_dir=${folder}`,
    `init=${join(import.meta.dirname, 'init.sh')}`,
    `GUEST_FOLDER=${folder}`,
    `GUEST_BUSYBOX=${programs.busybox()}`,
    `GUEST_MODULES=${kernel.modules ?? ''}`,
    ...nics.map((nic, number) => nicArgument(number, nic)),
  ];
  const out = openSync(join(folder, 'console'), 'a');
  try {
    const [file = '', ...rest] = [...room, kernel.path, ...words];
    return spawn(file, rest, { stdio: ['ignore', out, out, 'pipe'] });
  } finally {
    closeSync(out);
  }
}

/** Of the vector driver (Documentation/virt/uml/user_mode_linux_howto_v2.rst, "vector transports"). */
export function nicArgument(number: number, { tap, mac }: GuestNic): string {
  return `vec${number}:transport=tap,ifname=${tap},depth=128,gro=1${mac === undefined ? '' : `,mac=${mac}`}`;
}
