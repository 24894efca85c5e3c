/** What a datapath is: a pure function from one Pod's interface to the kernel objects it wants. One file per datapath, one line in `datapaths`. */
import type { Plan } from '../kernel/state.ts';
import type { DatapathName, PodInterface } from './interface.ts';
import { routedVeth } from './routed-veth.ts';

const datapaths: Record<DatapathName, (pod: PodInterface) => Plan> = { 'routed-veth': routedVeth };

/** What the kernel should hold for this Pod. */
export function planOf(pod: PodInterface): Plan {
  return datapaths[pod.datapath](pod);
}
