/** A network namespace for one test: made under a unique name, gone with `using`. */
import { execFileSync } from 'node:child_process';
import { createNetns, deleteNetns, type Netns, openNetns } from '../../src/kernel/netns.ts';

/** For a program that hangs: one of a busy machine takes its time. */
const LIMIT_ms = 60_000;
let made = 0;

/** A namespace that lives as long as its `using` block. Only loopback in it, and that down. */
export interface TestNetns extends Disposable {
  /** Under /run/netns. */
  readonly name: string;
  readonly path: string;
  /** Open; closed with the namespace. */
  readonly netns: Netns;
  /** Runs `ip` inside, arguments parted by blanks; returns what it prints. @throws Error with its stderr. */
  ip(args: string): string;
  /** `ip -j` inside, parsed. */
  ipJson(args: string): Record<string, unknown>[];
  /** Runs a shell command inside; `input` goes to its stdin. Returns stdout. @throws Error with its stderr. */
  exec(command: string, input?: string): string;
}

/** Makes `fpt-<pid>-<label>-<n>`. */
export function testNetns(label: string): TestNetns {
  const name = `fpt-${process.pid}-${label}-${++made}`;
  const path = createNetns(name);
  const netns = openNetns(path);
  const ip = (args: string): string => run('ip', ['-n', name, ...args.split(' ')]);
  return {
    name,
    path,
    netns,
    ip,
    ipJson(args) {
      const answer = ip(`-j ${args}`);
      // ip prints nothing at all for an empty table. Its shape is what the test asserts.
      return answer.trim() === '' ? [] : (JSON.parse(answer) as Record<string, unknown>[]);
    },
    exec: (command, input) => run('ip', ['netns', 'exec', name, 'sh', '-c', command], input),
    [Symbol.dispose]() {
      netns[Symbol.dispose]();
      deleteNetns(name);
    },
  };
}

function run(file: string, args: readonly string[], input?: string): string {
  return execFileSync(file, args, {
    encoding: 'utf8',
    timeout: LIMIT_ms,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input !== undefined && { input }),
  });
}
