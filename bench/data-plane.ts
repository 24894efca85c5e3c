/** Which pairs are measured by traffic.ts, and the Pods for it. */
import type { BenchLab } from './lab.ts';
import type { Row } from './rows.ts';
import { measure, type Peer } from './stopwatch.ts';
import { type Path, traffic } from './traffic.ts';

/** Reference plugins whose Pods talk beside ours. */
const BESIDE = ['bridge', 'ptp'];

/**
 * Pods of ours on one node and on two, the two nodes themselves, and Pods of reference plugins on one node. `pods`: how many each peer has already; with none,
 * two are added for it and removed again. `far` is ours on the second node.
 */
export async function dataPlane(
  bin: string,
  lab: BenchLab,
  { peers, far, pods, slices }: { readonly peers: readonly Peer[]; readonly far: Peer; readonly pods: number; readonly slices: number },
  progress: (text: string) => void,
): Promise<Row[]> {
  const [ours, ...others] = [peers.filter(({ name }) => name === 'flatpod'), peers.filter(({ name }) => BESIDE.includes(name))].flat();
  if (ours === undefined) return [];
  // With many Pods of ours in place, the others have none yet or are of no interest.
  const talking = [ours, ...(pods === 0 ? others : [])];
  if (pods === 0) await measure(bin, talking, { mode: 'turns', verb: 'ADD', first: 0, count: 2 });
  await measure(bin, [far], { mode: 'turns', verb: 'ADD', first: 0, count: 1 });
  const paths: Path[] = [
    { between: 'two-nodes', subject: 'node', from: lab.machine('flatpod'), to: lab.machine('far') },
    { between: 'two-nodes', subject: 'flatpod', from: `${ours.pods}0`, to: `${far.pods}0` },
    ...talking.map(({ name, pods: prefix }) => ({ between: 'one-node', subject: name, from: `${prefix}0`, to: `${prefix}1` })),
  ];
  const rows = await traffic(bin, paths, pods, slices, progress);
  await measure(bin, [far], { mode: 'turns', verb: 'DEL', first: 0, count: 1 });
  if (pods === 0) await measure(bin, talking, { mode: 'turns', verb: 'DEL', first: 0, count: 2 });
  return rows;
}
