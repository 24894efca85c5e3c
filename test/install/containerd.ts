/** A containerd that reads a folder of configurations, and starts no Pod: the installer's other side. */
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeVersion } from '../../src/cri/runtime.ts';
import { containerd1Config, containerd2Config } from '../containerd-config.ts';
import { eventually } from '../life/lab.ts';
import type { Containerd } from '../programs.ts';

export interface Running extends AsyncDisposable {
  readonly socket: string;
  log(): string;
}

/** Starts it, in namespaces of its own for network and mounts, on these two folders. `env` reaches the plugins. */
export async function startContainerd(
  program: Containerd,
  bin: string,
  net: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), 'fpt-containerd-'));
  const [socket, config, logFile] = [join(dir, 'c.sock'), join(dir, 'config.toml'), join(dir, 'log')];
  const plan = { root: join(dir, 'root'), state: join(dir, 'state'), socket, bin, conf: net };
  writeFileSync(config, program.version === '2' ? containerd2Config(plan) : containerd1Config(plan));
  const out = openSync(logFile, 'a');
  const child = spawn('unshare', ['--net', '--mount', '--propagation', 'private', program.daemon, '--config', config], {
    stdio: ['ignore', out, out],
    env: { ...process.env, ...env },
  });
  closeSync(out);
  const gone = new Promise<void>((done) => child.once('close', () => done()));
  const running: Running = {
    socket,
    log: () => readFileSync(logFile, 'utf8'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
      rmSync(dir, { recursive: true, force: true });
    },
  };
  try {
    await eventually('containerd answers', () => runtimeVersion(socket), 30);
    return running;
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
}
