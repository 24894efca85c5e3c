/**
 * One size of the simulated cluster, measured from the inside: this program runs in the network namespace where the API server listens, and sends its
 * findings to its parent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../../test/cluster/programs-in.ts';
import { type Row, rowOf } from '../rows.ts';
import type { SimulatedAgent } from './agents.ts';
import { inParallel, simulatedWorld, type World, type WorldPlan } from './world.ts';
import { cpu_ms, memory_mib } from './watched-process.ts';

/** What is measured, and how long. */
export interface CrowdPlan extends WorldPlan {
  readonly quiet_s: number;
  readonly changes: number;
}

/** Between two changes of a node that churns. */
const CHURN_ms = 20_000;
const CHURNING = 0.05;
/** Pods that come and go there. */
const CHURN_PODS = 8;
const SERVED_ms = 120_000;
/** warm.spare of a PodSubnet that says nothing else. */
const SPARE = 4;

type Measured = (what: string, unit: Row['unit'], values: readonly number[], n?: number) => void;

const plan = JSON.parse(process.argv[2] ?? '{}') as CrowdPlan; // by nodes.ts
const rows: Row[] = [];
const measured: Measured = (what, unit, values, n) => {
  rows.push(rowOf(`nodes/${plan.nodes}/${what}`, 'controller', unit, values, n));
};
const progress = (text: string): void => void process.send?.({ progress: `${plan.nodes} nodes: ${text}` });

/** Calls between two moments. */
function callsOf(world: World) {
  const before = { api: world.control.calls(), cloud: new Map(world.cloud.calls) };
  return (what: string): void => {
    const after = { api: world.control.calls(), cloud: world.cloud.calls };
    for (const side of ['api', 'cloud'] as const) {
      let all = 0;
      for (const [name, count] of after[side]) {
        const more = count - (before[side].get(name) ?? 0);
        all += more;
        // What does not grow with the nodes is told in sum.
        if (more >= plan.nodes / 20) measured(`${what}/${side}/${name}`, 'count', [more]);
      }
      measured(`${what}/${side}`, 'count', [all]);
    }
  };
}

async function coldStart(world: World): Promise<Daemon> {
  progress('cold start');
  const calls = callsOf(world);
  const began = performance.now();
  const controller = await world.start();
  await world.agents.until('every node has its addresses', ({ blocks }) => blocks.size >= plan.podsPerNode, 3600);
  measured('cold-start/time', 'ms', [performance.now() - began]);
  measured('cold-start/cpu', 'ms', [cpu_ms(controller.pid)]);
  measured('cold-start/cpu-per-node', 'ms', [cpu_ms(controller.pid) / plan.nodes]);
  calls('cold-start');
  return controller;
}

async function quiet(world: World, controller: Daemon): Promise<void> {
  progress('what is still under way ends');
  await sleep(6000);
  progress(`quiet for ${plan.quiet_s} s`);
  const [calls, cpu, began] = [callsOf(world), cpu_ms(controller.pid), performance.now()];
  await sleep(plan.quiet_s * 1000);
  const took_ms = performance.now() - began;
  measured('quiet/cpu', 'percent', [(100 * (cpu_ms(controller.pid) - cpu)) / took_ms]);
  calls('quiet');
  const { now, most } = memory_mib(controller.pid);
  measured('rss', 'mib', [now]);
  measured('rss-most', 'mib', [most]);
}

/** One node after the other needs one address more. */
async function changes(world: World, controller: Daemon, what: string, nodes: readonly SimulatedAgent[]): Promise<void> {
  const took: number[] = [];
  const [calls, cpu, began] = [callsOf(world), cpu_ms(controller.pid), performance.now()];
  for (let i = 0; i < plan.changes; i++) {
    const agent = nodes[Math.floor((i * nodes.length) / plan.changes)];
    if (agent === undefined) throw new Error('there are fewer nodes than changes');
    if (i % 10 === 0) progress(`${what}: ${i} of ${plan.changes}`);
    took.push(await oneChange(world, agent));
    await sleep(100 + Math.random() * 100);
  }
  measured(`${what}/served`, 'ms', took);
  measured(`${what}/cpu`, 'percent', [(100 * (cpu_ms(controller.pid) - cpu)) / (performance.now() - began)]);
  calls(what);
}

/** Milliseconds from the agent's write until it sees the addresses. */
async function oneChange({ agents }: World, agent: SimulatedAgent): Promise<number> {
  const before = agent.blocks.size;
  const served = agents.next(agent, () => agent.blocks.size > before, SERVED_ms);
  const began = performance.now();
  // One of the spare addresses is taken by a Pod, and is to be replaced.
  await agent.need(Math.max(0, before - SPARE), 1);
  const took = (await served) - began;
  if (took > 5000) progress(`${agent.node} was served after ${Math.round(took)} ms only`);
  return took;
}

/** Some Pods come and go on a twentieth of the nodes, all the time. Returns the way to end it. */
function churn({ agents }: World): () => Promise<void> {
  const some = agents.all.slice(0, Math.ceil(agents.all.length * CHURNING));
  const ending = new AbortController();
  const come = async (agent: SimulatedAgent): Promise<void> => {
    await sleep(Math.random() * CHURN_ms);
    for (let more = true; !ending.signal.aborted; more = !more) {
      const next = sleep(CHURN_ms);
      // An API server that has no time for it costs a turn, as it does the real agent.
      await agent.need(plan.podsPerNode, more ? CHURN_PODS : 0).catch((error: unknown) => progress(`${agent.node}: ${String(error)}`));
      await next;
    }
  };
  const running = Promise.all(some.map((agent) => come(agent)));
  return async () => {
    ending.abort();
    await running;
  };
}

/** A new controller after one that gave its Lease back: until the first change is served, and until all nodes were looked at. */
async function restart(world: World, before: Daemon): Promise<Daemon> {
  progress('another controller begins');
  await before.kill('SIGTERM');
  const agent = world.agents.all.at(-1);
  if (agent === undefined) throw new Error('there are no nodes');
  const calls = callsOf(world);
  const served = oneChange(world, agent);
  const began = performance.now();
  const controller = await world.start();
  await served;
  progress('it has served the first change');
  measured('restart/served', 'ms', [performance.now() - began]);
  measured('restart/cpu', 'ms', [cpu_ms(controller.pid)]);
  await inParallel(world.agents.all.slice(0, 20), async (one) => void (await oneChange(world, one)));
  calls('restart');
  return controller;
}

/** Everything, on one cluster. */
async function measure(): Promise<void> {
  progress('control plane and Nodes');
  await using world = await simulatedWorld(plan);
  const controller = await coldStart(world);
  await quiet(world, controller);
  const calm = world.agents.all.slice(Math.ceil(plan.nodes * CHURNING));
  await changes(world, controller, 'change', calm);
  const end = churn(world);
  await sleep(CHURN_ms);
  await changes(world, controller, 'churn', calm);
  await end();
  const last = await restart(world, controller);
  await last.kill('SIGTERM');
}

// Its parent ended, however that was: everything here ends too.
process.once('disconnect', () => process.exit(1));
await measure();
process.removeAllListeners('disconnect');
process.send?.({ rows });
process.disconnect?.();
