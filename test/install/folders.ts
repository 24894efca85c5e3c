/** A runtime's two folders, empty, for one test; and what the flatpod command says when it is run. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { launcher } from '../../src/cli/demo/processes.ts';
import { type Installation, install } from '../../src/install/install.ts';
import type { Step } from '../../src/install/step.ts';

/** The executables as they were built. */
export const built = join(dirname(dirname(launcher)), 'dist/cni');

export interface Folders extends Disposable {
  readonly root: string;
  readonly bin: string;
  readonly net: string;
  /** `--bin-dir … --conf-dir …` */
  readonly args: readonly string[];
  /** Names in the folder of configurations. */
  configs(): string[];
}

/** Knows every version, and nothing else. */
const standIn = `#!/bin/sh\ncat >/dev/null\n[ "$CNI_COMMAND" = VERSION ] && echo '{"cniVersion":"1.1.0","supportedVersions":["0.4.0","1.0.0","1.1.0"]}'\n`;

/** Folders that are gone afterwards. bin holds stand-ins for those plugins. */
export function folders(...plugins: readonly string[]): Folders {
  const root = mkdtempSync(join(tmpdir(), 'fpt-install-'));
  const [bin, net] = [join(root, 'bin'), join(root, 'net.d')];
  for (const folder of [bin, net]) mkdirSync(folder);
  for (const plugin of plugins) writeFileSync(join(bin, plugin), standIn, { mode: 0o755 });
  return {
    root,
    bin,
    net,
    args: ['--bin-dir', bin, '--conf-dir', net],
    configs: () => readdirSync(net).toSorted(),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Installs in this process, without waiting for an agent unless told; steps as `done name`, and the notes. */
export async function installed(at: Folders, more: Partial<Installation> = {}): Promise<{ steps: string[]; notes: string[] }> {
  const steps: Step[] = [];
  const notes: string[] = [];
  await install(
    { from: built, binDir: at.bin, confDir: at.net, list: { network: 'flatpod', chain: [] }, ...more },
    { step: (step) => steps.push(step), waiting: () => undefined, note: (note) => notes.push(note) },
  );
  return { steps: steps.map(({ done, path }) => `${done} ${path.slice(at.root.length + 1)}`), notes };
}

export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** `flatpod ARGS`, to its end. */
export async function flatpod(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const child = spawn(launcher, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, env: { ...process.env, ...env } });
  const status = new Promise<number | null>((done) => child.once('close', done));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, out, err };
}
