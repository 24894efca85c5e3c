/** The built CNI executable in a directory of its own, agents that follow a script, and one call of the former. */
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildExecutable, nativeCompilers } from '../../scripts/build.ts';

/** A directory that goes away with its holder. */
export function scratch(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'flatpod-cni-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Builds it; `path` is the directory that holds its three names. */
export function built(): Disposable & { readonly path: string } {
  const directory = scratch();
  const [first] = buildExecutable(directory.path, nativeCompilers);
  if (first?.built !== true) throw new Error(first?.note);
  return directory;
}

export interface Ending {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** An open file that holds that: as stdin all of it is there before the program starts, however long this process is held up. */
export interface Holding extends Disposable {
  readonly fd: number;
}

/** Its name is gone already. For one program: who reads moves on in it. */
export function holding(text: string | Uint8Array): Holding {
  using directory = scratch();
  const path = join(directory.path, 'stdin');
  writeFileSync(path, text);
  const fd = openSync(path, 'r');
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

/** Runs a program to its end with exactly these variables. `stdin` absent: it stays open and silent until the program ends. */
export function run(
  program: string,
  env: Record<string, string>,
  stdin?: string | Uint8Array | Holding,
  args: readonly string[] = [],
): Promise<Ending> {
  const { promise, resolve, reject } = Promise.withResolvers<Ending>();
  const file = typeof stdin === 'object' && 'fd' in stdin ? stdin.fd : undefined;
  const child = spawn(program, args, { env, stdio: [file ?? 'pipe', 'pipe', 'pipe'], timeout: 60_000, killSignal: 'SIGKILL' });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (part: Buffer) => out.push(part));
  child.stderr?.on('data', (part: Buffer) => err.push(part));
  // It may end before it has read everything: that is what some tests are about.
  child.stdin?.on('error', () => undefined);
  if (typeof stdin === 'string' || stdin instanceof Uint8Array) child.stdin?.end(stdin);
  child.on('error', reject);
  child.on('exit', () => child.stdin?.destroy());
  child.on('close', (status) => resolve({ status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }));
  return promise;
}

/** An agent at `path` that does with each connection what the script says. */
export async function scriptedAgent(path: string, script: (client: Socket) => void): Promise<AsyncDisposable> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on('error', () => undefined).on('close', () => clients.delete(client));
    script(client);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What of a CNI error a test looks at. @throws when stdout is not exactly one error. */
export function errorIn({ stdout }: Ending): { cniVersion: string; code: number; msg: string; details: string } {
  const error: unknown = JSON.parse(stdout);
  if (typeof error !== 'object' || error === null) throw new Error(`no error: ${stdout}`);
  // A test: the assertion on its members follows.
  return error as { cniVersion: string; code: number; msg: string; details: string };
}
