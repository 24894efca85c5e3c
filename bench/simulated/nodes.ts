/** `nodes`: what one controller costs, and how soon it serves, in clusters of 50 to 5000 nodes whose agents and cloud are simulated. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createNetns, deleteNetns } from '../../src/kernel/netns.ts';
import { takeTurn } from '../../test/cluster/turn.ts';
import type { Row } from '../rows.ts';
import type { CrowdPlan } from './crowd.ts';

const ADDRESS = '10.99.0.1';
const PODS = 30;

/** How much of it. */
export interface NodesEffort {
  readonly sizes: readonly number[];
  readonly quiet_s: number;
  readonly changes: number;
}

/** All rows, one size after the other. */
export async function nodesPart({ sizes, quiet_s, changes }: NodesEffort, progress: (text: string) => void): Promise<Row[]> {
  await using _turn = await takeTurn();
  const rows: Row[] = [];
  for (const nodes of sizes) {
    // By these names what a run leaves that is killed is found (test/cluster/traces.ts).
    const dir = mkdtempSync(join(tmpdir(), `fpe-${process.pid}-`));
    const netns = createNetns(`fpe${process.pid}x${nodes}-nodes`);
    try {
      execFileSync('ip', ['-n', basename(netns), 'link', 'set', 'lo', 'up']);
      execFileSync('ip', ['-n', basename(netns), 'address', 'add', `${ADDRESS}/32`, 'dev', 'lo']);
      rows.push(...(await inside({ nodes, podsPerNode: PODS, dir, netns, address: ADDRESS, pace: 100, quiet_s, changes }, progress)));
    } finally {
      deleteNetns(basename(netns));
      rmSync(dir, { recursive: true, force: true });
    }
  }
  return rows;
}

/** Runs crowd.ts there to its end. */
async function inside(plan: CrowdPlan, progress: (text: string) => void): Promise<Row[]> {
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'crowd.ts'), JSON.stringify(plan)];
  const child = spawn('nsenter', [`--net=${plan.netns}`, ...program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let rows: Row[] | undefined;
  child.on('message', (said: { readonly progress?: string; readonly rows?: Row[] }) => {
    if (said.progress !== undefined) progress(said.progress);
    rows = said.rows ?? rows;
  });
  await once(child, 'exit');
  if (rows === undefined) throw new Error(`the simulated cluster of ${plan.nodes} nodes ended early`);
  return rows;
}
