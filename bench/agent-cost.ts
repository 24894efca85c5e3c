/** What the agent costs its node: memory, CPU when nothing happens, the time to start, the event loop in a burst. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentNode, BenchLab } from './lab.ts';
import { flatpod } from './peers.ts';
import { type Row, rowOf } from './rows.ts';
import { measure, type Peer } from './stopwatch.ts';

const OURS = 'flatpod';
/** More Pods at once than a node ever starts. */
const CHUNK = 50;
/** What was deferred in a verb is done after this. */
const SETTLE_ms = 3000;
const IDLE_ms = 10_000;
/** Longer than from one full read of the cloud to the next. */
const READS_ms = 200_000;
const WRITTEN_DEADLINE_ms = 5000;

/** How much of everything. */
export interface Effort {
  readonly churn: number;
  readonly starts: number;
  readonly bursts: number;
}

/** All rows about the agent of a machine of its own. */
export async function agentCost(
  bin: string,
  lab: BenchLab,
  machine: string,
  effort: Effort,
  progress: (text: string) => void,
): Promise<Row[]> {
  progress('the agent: memory');
  const node = await lab.agent(machine);
  const peer = flatpod(lab, node, await lab.pods(machine, 1000), machine);
  const rows: Row[] = [];
  const remember = async (name: string): Promise<void> => {
    await sleep(SETTLE_ms);
    rows.push(single(name, 'mib', rss_mib(node)));
  };
  await remember('agent/rss/0');
  await inChunks(bin, peer, 'ADD', 0, 110);
  await remember('agent/rss/110');
  await inChunks(bin, peer, 'ADD', 110, 1000);
  await remember('agent/rss/1000');
  progress('the agent: idle');
  rows.push(single('agent/cpu-idle/1000', 'percent', await idle_percent(node)));
  rows.push(await starts(node, 'agent/start/1000', effort.starts, progress));
  await inChunks(bin, peer, 'DEL', 0, 1000);
  for (let done = 0; done < effort.churn; done += CHUNK) {
    if (done % 1000 === 0) progress(`the agent: ${done} of ${effort.churn} ADDs and DELs`);
    await inChunks(bin, peer, 'ADD', 0, CHUNK);
    await inChunks(bin, peer, 'DEL', 0, CHUNK);
  }
  await remember(`agent/rss/after-${effort.churn}`);
  rows.push(single('agent/cpu-idle/0', 'percent', await idle_percent(node)));
  rows.push(await starts(node, 'agent/start/0', effort.starts, progress));
  rows.push(...(await loopDelay(bin, lab, node, peer, effort.bursts, progress)));
  await node.agent.stop();
  return rows;
}

/** Memory of an agent that asks EC2's API by itself, for the addresses that it has ready: with no Pod, with 110, and after another full read. */
export async function agentOnAws(bin: string, lab: BenchLab, machine: string, progress: (text: string) => void): Promise<Row[]> {
  progress('the agent before EC2’s API: memory');
  const node = await lab.agent(machine, { cloud: 'aws' });
  const peer = flatpod(lab, node, await lab.pods(machine, 110), machine);
  const rows: Row[] = [];
  const remember = async (name: string, after_ms = SETTLE_ms): Promise<void> => {
    await sleep(after_ms);
    rows.push(single(name, 'mib', rss_mib(node)));
  };
  await remember('agent/rss-aws/0');
  await inChunks(bin, peer, 'ADD', 0, 110);
  await remember('agent/rss-aws/110');
  await remember('agent/rss-aws/110-later', READS_ms);
  await inChunks(bin, peer, 'DEL', 0, 110);
  await node.agent.stop();
  return rows;
}

function single(name: string, unit: Row['unit'], value: number): Row {
  return rowOf(name, OURS, unit, [value]);
}

async function inChunks(bin: string, peer: Peer, verb: 'ADD' | 'DEL', from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += CHUNK)
    await measure(bin, [peer], { mode: 'at-once', verb, first, count: Math.min(CHUNK, to - first) });
}

function rss_mib(node: AgentNode): number {
  const status = readFileSync(`/proc/${node.agent.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** CPU of all its threads, in nanoseconds (/proc/PID/task/TID/schedstat: the first field). */
function cpu_ns(node: AgentNode): number {
  const tasks = `/proc/${node.agent.process.pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => sum + Number(readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ')[0]), 0);
}

async function idle_percent(node: AgentNode): Promise<number> {
  await sleep(SETTLE_ms);
  const [before, at] = [cpu_ns(node), performance.now()];
  await sleep(IDLE_ms);
  return (cpu_ns(node) - before) / 1e4 / (performance.now() - at);
}

/** From exec to the socket being there; looked for every 10 ms. */
async function starts(node: AgentNode, name: string, n: number, progress: (text: string) => void): Promise<Row> {
  const took: number[] = [];
  for (let i = 0; i < n; i++) {
    progress(`${name}: ${i} of ${n}`);
    await node.agent.stop();
    const at = performance.now();
    await node.restart();
    took.push(performance.now() - at);
  }
  return rowOf(name, OURS, 'ms', took);
}

async function loopDelay(
  bin: string,
  lab: BenchLab,
  node: AgentNode,
  peer: Peer,
  bursts: number,
  progress: (text: string) => void,
): Promise<Row[]> {
  const file = join(lab.dir, 'loop.jsonl');
  await node.agent.stop();
  await node.restart({ NODE_OPTIONS: `--import=${join(import.meta.dirname, 'loop-delay.ts')}`, BENCH_LOOP: file });
  const rows: Row[] = [];
  for (const verb of ['ADD', 'DEL'] as const) {
    progress(`the agent: its event loop, ${verb}`);
    await delaysIn(node, file);
    await measure(bin, [peer], { mode: 'at-once', verb, first: 0, count: bursts });
    const { n, p50_ms, p90_ms, p99_ms } = await delaysIn(node, file);
    rows.push({
      case: `agent/loop-delay/burst-${verb.toLowerCase()}-${bursts}`,
      subject: OURS,
      unit: 'ms',
      n,
      p50: p50_ms,
      p90: p90_ms,
      p99: p99_ms,
    });
  }
  return rows;
}

interface Delays {
  readonly n: number;
  readonly p50_ms: number;
  readonly p90_ms: number;
  readonly p99_ms: number;
}

/** Asks loop-delay.ts for the delays since the last time. */
async function delaysIn(node: AgentNode, file: string): Promise<Delays> {
  rmSync(file, { force: true });
  process.kill(node.agent.process.pid ?? Number.NaN, 'SIGUSR2');
  for (const end = performance.now() + WRITTEN_DEADLINE_ms; !existsSync(file); await sleep(10)) {
    if (performance.now() > end) throw new Error('the agent did not tell its delays');
  }
  // Written by loop-delay.ts, in one piece.
  return JSON.parse(readFileSync(file, 'utf8')) as Delays;
}
