/** What Pods and nodes cost in calls of a cloud's API: the real controller and drivers before each server, counted on the wire by a proxy that does nothing else. */
import { openStackBed } from '../test/openstack/bed.ts';
import { lacksOpenStack } from '../test/openstack/bed/snapshot.ts';
import { openStackKind } from '../test/openstack/kind.ts';
import type { Met } from '../test/cloud/fault-proxy.ts';
import { fronts, type Kind } from '../test/clouds-under-fault/fronts.ts';
import { type World, world } from '../test/clouds-under-fault/world.ts';
import { type Row, rowOf } from './rows.ts';

const nodes = ['n1', 'n2', 'n3'] as const;
const PODS = 60;
/** So many Pods of each node end, and as many come, so often. */
const CHURNED = 10;
const ROUNDS = 30;

/**
 * Rows `cloud-calls/PHASE` with all requests for each Pod or node, and `cloud-calls/PHASE/CALL` for those of one kind. Phases: `ready`, a node that comes;
 * `burst`, all its Pods at once; `churn`, for each Pod that comes while as many end; `back`, a node that gives everything back, its watch for that included.
 */
export async function cloudCalls(progress: (text: string) => void): Promise<Row[]> {
  await using open = new AsyncDisposableStack();
  const kinds: Kind[] = [...fronts];
  const lacks = lacksOpenStack();
  if (lacks !== undefined) console.log(`left out: the calls of OpenStack: ${lacks}`);
  else kinds.push(openStackKind(open.use(await openStackBed())));
  const rows: Row[] = [];
  for (const kind of kinds) {
    progress(`calls of ${kind.name}`);
    rows.push(...(await callsOf(kind)));
  }
  return rows;
}

async function callsOf(kind: Kind): Promise<Row[]> {
  await using w = await world(kind, () => 0.5, { size: 'large' });
  const rows: Row[] = [];
  const phase = async (name: string, count: number, unit: 'per_pod' | 'calls', body: () => Promise<void>): Promise<void> => {
    const before = w.proxy.calls.length;
    await body();
    rows.push(...rowsOf(`cloud-calls/${name}`, kind.name, unit, w.proxy.calls.slice(before), count));
  };
  await phase('ready', nodes.length, 'calls', async () => {
    for (const name of nodes) await w.add(name);
    await w.live(60_000);
  });
  await phase('burst', nodes.length * PODS, 'per_pod', async () => {
    await all(w, PODS);
    await w.live(60_000);
  });
  for (const name of nodes) {
    const served = w.nodes.get(name)?.agent.leases.length;
    if (served !== PODS) throw new Error(`${served} of ${PODS} Pods of ${name} have addresses of ${kind.name}`);
  }
  await phase('churn', nodes.length * CHURNED * ROUNDS, 'per_pod', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await all(w, PODS - CHURNED);
      await all(w, PODS);
      await w.live(5000);
    }
  });
  await phase('back', nodes.length, 'calls', async () => {
    await all(w, 0);
    await w.live(600_000);
    w.withdraw();
    await w.live(450_000);
  });
  await w.assertNoLeak();
  for (const name of nodes) await w.remove(name);
  return rows;
}

async function all(w: World, pods: number): Promise<void> {
  for (const name of nodes) await w.nodes.get(name)?.agent.want(pods);
}

function rowsOf(name: string, subject: string, unit: 'per_pod' | 'calls', calls: readonly Met[], count: number): Row[] {
  const kinds = Map.groupBy(calls, (call) => call.name);
  const row = (what: string, some: number): Row => rowOf(what, subject, unit, [some / count], some);
  const parts = [...kinds].toSorted(([, a], [, b]) => b.length - a.length).map(([kind, some]) => row(`${name}/${kind}`, some.length));
  return [row(name, calls.length), ...parts];
}
