/** An agent of the lab behind a socket that somebody holds for it, as under systemd. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasEnded, launcher } from '../../src/cli/demo/processes.ts';
import { eventually, type TestNode } from '../life/lab.ts';
import { signalIfThere } from '../signal.ts';

export interface KeptAgent extends AsyncDisposable {
  /** Of the agent that runs; undefined when none does. */
  pid(): number | undefined;
  /** Ends the agent that runs, and waits for that. Another follows, unless held. */
  end(signal: NodeJS.Signals): Promise<void>;
  hold(): void;
  release(): void;
  log(): string;
}

/** Takes the node's agent off and starts one behind a kept socket instead, its command behind `prefix`. Ready when it answers. */
export async function keptAgent(node: TestNode, ...prefix: readonly string[]): Promise<KeptAgent> {
  await node.stop();
  const folder = join(node.dir, 'kept');
  mkdirSync(folder);
  const at = (name: string): string => join(folder, name);
  const command = [...prefix, launcher, 'agent', '--config', join(node.dir, 'node.yaml')];
  const keeper = spawn(
    'nsenter',
    [`--net=${node.netns}`, process.execPath, join(import.meta.dirname, 'socket-keeper.ts'), node.socket, folder, ...command],
    { stdio: 'ignore', env: { ...process.env, FLATPOD_SOCKET: node.socket, FLATPOD_STATE: join(node.dir, 'state') } },
  );
  const gone = new Promise<void>((done) => keeper.once('close', () => done()));
  const kept: KeptAgent = {
    pid: () => (existsSync(at('pid')) ? Number(readFileSync(at('pid'), 'utf8')) : undefined),
    async end(signal) {
      const pid = kept.pid();
      if (pid === undefined) return;
      process.kill(pid, signal);
      await eventually('the agent ended', () => kept.pid() !== pid, 30);
    },
    hold: () => writeFileSync(at('hold'), ''),
    release: () => rmSync(at('hold')),
    log: () => readFileSync(at('log'), 'utf8'),
    async [Symbol.asyncDispose]() {
      writeFileSync(at('stop'), '');
      // Also an agent that the keeper was about to start when it was told to stop.
      const isGone = (): boolean => hasEnded(keeper) || (signalIfThere(kept.pid(), 'SIGKILL'), false);
      await eventually('the keeper ends', isGone, 60);
      await gone;
    },
  };
  try {
    await eventually('the agent is ready behind the kept socket', async () => (await node.report()).ready, 60);
  } catch (error) {
    await kept[Symbol.asyncDispose]();
    throw error;
  }
  return kept;
}
