/** What a datapath is: a pure function from one Pod's interface to the kernel objects it wants. */
import type { Plan } from '../kernel/state.ts';
import { serviceVethPlan } from './service-veth.ts';
import type { PodInterface } from './interface.ts';
import { routedVeth } from './routed-veth.ts';
import { sourceRules } from './source-rules.ts';
import { underlay } from './underlay.ts';

/** What the kernel should hold for this Pod. */
export function planOf(pod: PodInterface): Plan {
  const own = pod.datapath === 'routed-veth' ? routedVeth(pod) : [...underlay(pod), ...serviceVethPlan(pod)];
  return [...own, ...sourceRules(pod)];
}
