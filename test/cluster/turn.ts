/** One test run with a cluster at a time on a machine: two of them on two cores starve each other's kubelets. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { hasEnded } from '../../src/cli/demo/processes.ts';

const FILE = '/run/lock/flatpod-e2e';

let holder: Promise<ChildProcess> | undefined;
let clusters = 0;

/** Waits until no other process has a cluster; clusters of this process share the turn. It ends with the last of them, or with the process. */
export async function takeTurn(): Promise<AsyncDisposable> {
  clusters++;
  holder ??= waitFor();
  const child = await holder;
  return {
    async [Symbol.asyncDispose]() {
      if (--clusters > 0) return;
      holder = undefined;
      child.stdin?.end();
      if (!hasEnded(child)) await once(child, 'exit');
    },
  };
}

async function waitFor(): Promise<ChildProcess> {
  // The kernel's lock ends with whoever holds it, however that ends: cat ends when this process's end of the pipe is closed.
  const child = spawn('flock', [FILE, 'sh', '-c', 'echo mine; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const told = setTimeout(() => console.log('waiting for another run with a cluster to end'), 1000);
  await once(child.stdout, 'data');
  clearTimeout(told);
  return child;
}
