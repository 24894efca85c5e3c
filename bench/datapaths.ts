/** Another datapath than routed-veth: Pods that are on the network by a macvlan, with the service veth beside it, and the reference plugin's, which have none. */
import type { BenchLab } from './lab.ts';
import { latencies, podsNeeded } from './latency.ts';
import { type Candidate, flatpod } from './peers.ts';
import type { Row } from './rows.ts';
import { measure } from './stopwatch.ts';

/** A machine whose agent has the Pods by macvlan. */
export const MACVLAN = 'flatpod-macvlan';
/** So few that the multicast with which each new Pod begins IPv6 does not fill the machine. */
const LEVEL = 10;

/** Rows `add/10`, `del/10` of ours and of every macvlan among the others. */
export async function datapaths(
  bin: string,
  lab: BenchLab,
  others: readonly Candidate[],
  n: number,
  progress: (text: string) => void,
): Promise<Row[]> {
  const node = await lab.agent(MACVLAN, { datapath: 'macvlan' });
  const peers = [flatpod(lab, node, await lab.pods(MACVLAN, podsNeeded), MACVLAN)];
  for (const one of others.filter(({ name }) => name.startsWith('macvlan'))) {
    peers.push({ name: one.name, node: lab.machine(one.name), pods: await lab.pods(one.name, podsNeeded), ...one.prepare(lab, bin) });
  }
  const rows = await latencies(bin, peers, [LEVEL], n, progress);
  // Other parts begin with empty nodes.
  await measure(bin, peers, { mode: 'at-once', verb: 'DEL', first: 0, count: LEVEL });
  return rows;
}
