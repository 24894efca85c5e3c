/**
 * A guest: another kernel that runs as a process (User-Mode Linux), on this machine's files, with NICs that are taps in a namespace here.
 *
 * What it writes goes to a layer in memory and is gone with it. It obeys over its first serial line (init.sh): scripts and their output are files in a
 * folder that both sides see. Inside, a program is root of nothing outside; ending the process ends everything.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Duplex } from 'node:stream';
import { boot, type GuestNic, type GuestOptions, nicArgument } from './boot.ts';
import { follow } from './follow.ts';
import { type Answers, obey } from './line.ts';

const PLUG_LIMIT_ms = 60_000;

/** How a program in a guest is run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Seconds until it is ended; 60 unless given. */
  readonly limit_s?: number;
  /** Gets what the program prints, soon after. */
  readonly show?: (text: string) => void;
}

/** What became of a program: its exit status (124: it was too slow), and all it printed, stderr among stdout. */
export interface Ended {
  readonly status: number;
  readonly output: string;
}

/** A guest that is up. Disposing ends it at once, without a trace. */
export interface Guest extends AsyncDisposable {
  /** Runs a program in this process's folder, with no environment but PATH, HOME and what is given. Several may run at a time. @throws Error when the guest dies. */
  run(command: readonly string[], options?: RunOptions): Promise<Ended>;
  /** The same by a shell, for a program that must succeed; what it printed. @throws Error with what it printed when it did not. */
  sh(script: string, options?: RunOptions): Promise<string>;
  /** Puts a NIC in as vec`number`; the guest sees a new link at once. @throws Error with what the kernel says against it. */
  plug(number: number, nic: GuestNic): void;
  /** Takes vec`number` out. @throws Error while the link is up: this kernel lets no NIC go then. */
  pull(number: number): void;
  /** What the kernel said to its console. */
  console(): string;
}

/** This machine lets no guest run: its sandbox forbids namespaces or ptrace(2). */
export class GuestsForbidden extends Error {}

/** Boots a guest, in one to four seconds. @throws GuestsForbidden; Error when it does not come up; both with the console's last lines. */
export async function startGuest(options: GuestOptions): Promise<Guest> {
  const folder = mkdtempSync(join(tmpdir(), 'fpguest-'));
  mkdirSync(join(folder, 'ask'));
  const child = boot(folder, options);
  const exited = once(child, 'exit').catch(() => undefined);
  const line = child.stdio[3];
  if (!(line instanceof Duplex)) throw new Error('Node gave no pipe for the serial line');
  const leave = (): void => rmSync(folder, { recursive: true, force: true });
  process.on('exit', leave);
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    if (child.pid !== undefined) await exited;
    line.removeAllListeners().destroy();
    leave();
    process.off('exit', leave);
  };
  const words = () => readFileSync(join(folder, 'console'), 'utf8');
  try {
    const answers = obey(line, () => lastLines(words()));
    await answers.up.catch((cause: unknown) => {
      if (!/not permitted|permission denied|ptrace/i.test(words())) throw cause;
      throw new GuestsForbidden(`this machine lets no guest run: ${lastLines(words())}`, { cause });
    });
    return {
      run: (command, more = {}) => run(folder, answers, command, more),
      async sh(script, more = {}) {
        const { status, output } = await run(folder, answers, ['/bin/sh', '-ec', script], more);
        if (status !== 0) throw new Error(`in the guest, status ${status}: ${script}\n${output}`);
        return output;
      },
      plug: (number, nic) => mconsole(folder, options, `config ${nicArgument(number, nic)}`),
      pull: (number) => mconsole(folder, options, `remove vec${number}`),
      console: words,
      [Symbol.asyncDispose]: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function run(folder: string, answers: Answers, command: readonly string[], options: RunOptions): Promise<Ended> {
  const { env = {}, limit_s = 60, show } = options;
  const number = answers.next();
  const script = join(folder, 'ask', String(number));
  const variables = Object.entries({ PATH: path, HOME: '/root', ...env }).map(([name, value]) => `${name}=${value}`);
  const words = ['env', '-i', ...variables, 'timeout', '-k', '5', String(limit_s), ...command];
  writeFileSync(script, `cd ${quoted(process.cwd())}\nexec ${words.map(quoted).join(' ')}\n`);
  const output = follow(`${script}.out`, show);
  try {
    // The guest's own clock ends what is slow; ours ends a guest that does not.
    const status = await answers.ask(number, limit_s + 20);
    return { status, output: output.end() };
  } finally {
    output.end();
  }
}

const path = `${resolve(import.meta.dirname, '../../node_modules/.bin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** The kernel's own console for the machine's side. It answers by a socket of its own network namespace. */
function mconsole(folder: string, { netns }: GuestOptions, command: string): void {
  const room = netns === undefined ? [] : ['nsenter', `--net=${netns}`];
  const [file = '', ...args] = [...room, 'uml_mconsole', join(folder, 'guest/mconsole'), ...command.split(' ')];
  // It fails when the kernel refuses, and prints why like any other answer.
  const { stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: PLUG_LIMIT_ms, stdio: ['ignore', 'pipe', 'pipe'] });
  if (!stdout.startsWith('OK')) throw new Error(`${command}: ${stdout.trim() || stderr.trim() || 'no answer'}`);
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join('\n');
}
