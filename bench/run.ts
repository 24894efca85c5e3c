/**
 * `make bench`: everything, in one run, side by side. Prints a table, writes bench/results.json and docs/bench.svg.
 *
 *     node bench/run.ts [PART …]      parts: bursts latencies datapaths parts traffic agent ipam cloud-calls, and on a cluster pod-start api-calls exact-fit nodes ipam-cluster; all when none is named
 *
 * QUICK=1: fewer repetitions, a few minutes; what needs a cluster only when it is named. PEERS=all: those too whose folder the environment names (peers.ts).
 */
import { cpus, loadavg, release, totalmem } from 'node:os';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { agentCost, agentOnAws } from './agent-cost.ts';
import { bursts } from './bursts.ts';
import { chartOf } from './chart.ts';
import { cloudCalls } from './cloud-calls.ts';
import { dataPlane } from './data-plane.ts';
import { datapaths, MACVLAN } from './datapaths.ts';
import { type ClusterPart, clusterParts, clusterPartsLack, runClusterParts } from './cluster/parts.ts';
import { ipamPart } from './ipam.ts';
import { type BenchLab, benchLab } from './lab.ts';
import { latencies, podsNeeded } from './latency.ts';
import { parts } from './parts.ts';
import { type Candidate, candidates, flatpod, foreignNode } from './peers.ts';
import { progress } from './progress.ts';
import type { Row } from './rows.ts';
import { nodesChart } from './simulated/nodes-chart.ts';
import { compile } from './stopwatch.ts';
import { tableOf } from './table.ts';

const root = resolve(import.meta.dirname, '..');
const quick = (process.env['QUICK'] ?? '') !== '';
/** Full figures have 200 measurements and more; quick ones say by their n how few they have. */
const effort = quick
  ? {
      n: 40,
      levels: [1000],
      sizes: [50],
      burst: 100,
      slices: 20,
      agent: { churn: 2000, starts: 3, bursts: 100 },
      ipam: { verbs: { 1: 20, 8: 40, 64: 64 }, files: 200_000 },
    }
  : {
      n: 200,
      levels: [100, 1000],
      sizes: [10, 50, 200],
      burst: 400,
      slices: 200,
      agent: { churn: 20_000, starts: 20, bursts: 200 },
      ipam: { verbs: { 1: 200, 8: 240, 64: 320 }, files: 1_300_000 },
    };
const labParts = ['bursts', 'latencies', 'datapaths', 'parts', 'traffic', 'agent'] as const;
const allParts = [...labParts, 'ipam', 'cloud-calls', ...clusterParts] as const;
type Part = (typeof allParts)[number];

/** Takes away what is there now; ^C and SIGTERM call it. */
let remove: () => PromiseLike<void> = () => Promise.resolve();

async function inLab(wanted: readonly Part[]): Promise<Row[]> {
  const others = candidates(process.env['PEERS'] === 'all');
  for (const { name, absent } of others) if (absent !== undefined) console.log(`left out: ${name}: ${absent}`);
  const there = others.filter(({ absent }) => absent === undefined);
  const machines = [
    'flatpod',
    ...there.filter(({ name }) => foreignNode(name) === undefined).map(({ name }) => name),
    MACVLAN,
    'far',
    'trace',
    'cost',
    'cost-aws',
  ];
  await using lab = await benchLab(machines);
  remove = () => lab[Symbol.asyncDispose]();
  const bin = join(lab.dir, 'bin');
  compile(bin);
  const rows: Row[] = [];
  if (wanted.includes('parts')) rows.push(...(await parts(bin, lab, 'trace', effort.n, progress)));
  if (wanted.includes('agent')) rows.push(...(await agentCost(bin, lab, 'cost', effort.agent, progress)));
  if (wanted.includes('agent')) rows.push(...(await agentOnAws(bin, lab, 'cost-aws', progress)));
  if (wanted.includes('datapaths')) rows.push(...(await datapaths(bin, lab, there, effort.n, progress)));
  if (wanted.some((part) => part === 'bursts' || part === 'latencies' || part === 'traffic'))
    rows.push(...(await sideBySide(bin, lab, there, wanted)));
  return rows;
}

async function sideBySide(bin: string, lab: BenchLab, others: readonly Candidate[], wanted: readonly Part[]): Promise<Row[]> {
  const node = await lab.agent('flatpod');
  const pods = wanted.includes('latencies') ? podsNeeded : Math.max(...effort.sizes);
  const peers = [flatpod(lab, node, await lab.pods('flatpod', pods))];
  for (const one of others) {
    progress(`namespaces for the Pods of ${one.name}`);
    peers.push({
      name: one.name,
      node: foreignNode(one.name) ?? lab.machine(one.name),
      pods: await lab.pods(one.name, pods),
      ...one.prepare(lab, bin),
    });
  }
  const floods = new Set(others.filter((one) => one.floods).map(({ name }) => name));
  const rows: Row[] = [];
  const far = wanted.includes('traffic') ? flatpod(lab, await lab.agent('far'), await lab.pods('far', 1), 'far') : undefined;
  if (far !== undefined) rows.push(...(await dataPlane(bin, lab, { peers, far, pods: 0, slices: effort.slices }, progress)));
  // The C program works in this process, one Pod after the other: it has no burst.
  if (wanted.includes('bursts'))
    rows.push(
      ...(await bursts(
        bin,
        peers.filter(({ executable }) => executable !== '-'),
        effort.sizes,
        effort.burst,
        progress,
      )),
    );
  if (!wanted.includes('latencies')) return rows;
  rows.push(...(await latencies(bin, peers, [0], effort.n, progress)));
  const alike = peers.filter(({ name }) => !floods.has(name));
  rows.push(...(await latencies(bin, alike, effort.levels, effort.n, progress)));
  if (far !== undefined)
    rows.push(...(await dataPlane(bin, lab, { peers, far, pods: effort.levels.at(-1) ?? 0, slices: effort.slices }, progress)));
  const alone = quick ? [] : peers.filter(({ name }) => floods.has(name));
  if (quick) console.log(`left out with many Pods, as they keep the machine busy for minutes: ${[...floods].join(', ')}`);
  for (const peer of alone) rows.push(...(await latencies(bin, [peer], effort.levels, effort.n, progress)));
  return rows;
}

/** Parts that cannot run are left out of a run of everything, with a line that says why. What fails here takes nothing from the other parts. */
async function onClusters(wanted: readonly ClusterPart[], named: boolean): Promise<Row[]> {
  const lack = clusterPartsLack() ?? (quick && !named ? 'QUICK=1 measures them only when they are named' : undefined);
  if (lack !== undefined) {
    console.log(`left out: ${wanted.join(', ')}: ${lack}`);
    if (named) process.exitCode = 1;
    return [];
  }
  const run = runClusterParts(wanted, quick);
  remove = () => run.end();
  const { rows, whole } = await run.ended;
  if (!whole) process.exitCode = 1;
  return [...rows];
}

/** ^C removes everything before it ends; a second one does not wait. */
function endOnSignal(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      console.error('\nremoving what the benchmark made');
      const end = (): never => process.exit(code);
      remove().then(end, end);
    });
  }
}

/** What the figures depend on. */
function machine(): Readonly<Record<string, string | number | boolean>> {
  const processor = cpus()[0]?.model.trim() ?? 'unknown';
  const debian = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';
  return {
    processor,
    processors: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: debian,
    node: process.version,
    load_at_start: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    quick,
    at: new Date().toISOString(),
  };
}

function wantedParts(): Part[] {
  const unknown = process.argv.slice(2).filter((part) => !allParts.some((known) => known === part));
  if (unknown.length > 0) {
    console.error(`bench: no part is called ${unknown.join(', ')}; there are ${allParts.join(', ')}`);
    process.exit(2);
  }
  return process.argv.length > 2 ? allParts.filter((part) => process.argv.includes(part)) : [...allParts];
}

const wanted = wantedParts();
const about = machine();
endOnSignal();
const [lab, cluster] = [labParts.filter((part) => wanted.includes(part)), clusterParts.filter((part) => wanted.includes(part))];
const rows = lab.length > 0 ? await inLab(lab) : [];
const isNamed = wanted.length < allParts.length;
if (wanted.includes('ipam')) rows.push(...(await ipamPart(effort.ipam, progress)));
if (wanted.includes('cloud-calls')) rows.push(...(await cloudCalls(progress)));
if (cluster.length > 0) rows.push(...(await onClusters(cluster, isNamed)));
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
console.log(tableOf(rows));
// A part of the figures must not replace all of them.
if (wanted.length === allParts.length && process.exitCode === undefined) {
  writeFileSync(join(root, 'bench/results.json'), `${JSON.stringify({ machine: about, rows }, undefined, 1)}\n`);
  const machineWords = `${about['processors']} × ${about['processor']}, Linux ${about['kernel']}, Node ${process.version}`;
  const conditions = `${machineWords}; exec to exit, one emulated VPC, all in one run; make bench`;
  writeFileSync(join(root, 'docs/bench.svg'), chartOf(rows, conditions));
  if (rows.some((row) => row.case.startsWith('nodes/'))) writeFileSync(join(root, 'docs/nodes.svg'), nodesChart(rows, machineWords));
  console.log('written: bench/results.json, docs/bench.svg, docs/nodes.svg');
}
