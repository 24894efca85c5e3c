/** Part `api-calls`: what Flatpod's agents and controller ask of the API server for each Pod, beside the kubelets and the scheduler. */
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditLog } from '../../test/cluster/control-plane.ts';
import type { Cluster } from '../../test/cluster/cluster.ts';
import { type Row, rowOf } from '../rows.ts';
import { type Asked, askedIn, type Component, isPeriodic, isWrite } from './audit.ts';
import { startBed } from './beds.ts';
import { removePods, startPods, untilRested } from './pods.ts';

/** How much of it. */
export interface ApiCallsEffort {
  readonly pods: number;
  readonly idle_s: number;
}

/** What is done some seconds after the last Pod came or went is still done for it. */
const AFTERMATH_ms = 12_000;
const ours: readonly Component[] = ['agent', 'controller'];

/**
 * Rows `api/start/COMPONENT/VERB RESOURCE` and `api/end/…`: requests a Pod. What comes and goes without Pods is left out of them, and is in `api/idle/…`:
 * requests a minute of both nodes together. `…/writes` are those of all that change something, also when there is none.
 */
export async function apiCalls({ pods, idle_s }: ApiCallsEffort, progress: (text: string) => void): Promise<Row[]> {
  const rows: Row[] = [];
  progress('a cluster with an audit log');
  await using bed = await startBed('flatpod', true);
  progress(`requests of a quiet cluster, ${idle_s} s`);
  await sleep(AFTERMATH_ms);
  const idle = await requestsDuring(bed.cluster, () => sleep(idle_s * 1000));
  rows.push(...counted('idle', 'flatpod', 'per_min', idle, idle_s / 60));
  for (const namespace of bed.namespaces) {
    await untilRested(namespace);
    progress(`requests for ${pods} Pods on ${namespace.subject}`);
    const start = await requestsDuring(bed.cluster, async () => {
      await startPods(namespace, pods);
      await sleep(AFTERMATH_ms);
    });
    const end = await requestsDuring(bed.cluster, async () => {
      await removePods(namespace);
      await sleep(AFTERMATH_ms);
    });
    for (const [what, asked] of [
      ['start', start],
      ['end', end],
    ] as const) {
      const forPods = asked.filter((one) => !isPeriodic(one));
      rows.push(...counted(what, namespace.subject, 'per_pod', forPods, pods));
      rows.push(...ours.map((by) => writesOf(what, by, namespace.subject, forPods, pods)));
    }
  }
  return rows;
}

async function requestsDuring(cluster: Cluster, act: () => Promise<unknown>): Promise<Asked[]> {
  const log = auditLog(cluster.control);
  const before = statSync(log).size;
  await act();
  // The API server writes a line at once, before it answers.
  const lines = readFileSync(log).subarray(before).toString();
  return askedIn(lines.slice(0, lines.lastIndexOf('\n') + 1));
}

function counted(what: string, subject: string, unit: 'per_pod' | 'per_min', asked: readonly Asked[], share: number): Row[] {
  const counts = new Map<string, number>();
  for (const { by, verb, resource } of asked) {
    const key = `api/${what}/${by}/${verb} ${resource}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].toSorted(([a], [b]) => a.localeCompare(b)).map(([key, count]) => rowOf(key, subject, unit, [count / share], count));
}

function writesOf(what: string, by: Component, subject: string, asked: readonly Asked[], pods: number): Row {
  const count = asked.filter((one) => one.by === by && isWrite(one)).length;
  return rowOf(`api/${what}/${by}/writes`, subject, 'per_pod', [count / pods], count);
}
