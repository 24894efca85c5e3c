/** What a datapath is: a pure function from one Pod's interface to the kernel objects it wants. */
import type { Plan } from '../kernel/state.ts';
import { adopted } from './adopted.ts';
import { answersFor } from './answers.ts';
import { serviceVethPlan } from './service-veth.ts';
import { type AttachedInterface, isAdopted, isMade } from './interface.ts';
import { routedVeth } from './routed-veth.ts';
import { sourceRules } from './source-rules.ts';
import { underlay } from './underlay.ts';

/** What the kernel should hold for this Pod: nothing of an interface that is none of ours. */
export function planOf(pod: AttachedInterface): Plan {
  if (isAdopted(pod)) return adopted(pod);
  if (!isMade(pod)) return [];
  const own = pod.datapath === 'routed-veth' ? routedVeth(pod) : [...underlay(pod), ...serviceVethPlan(pod)];
  return [...own, ...sourceRules(pod), ...answersFor(pod)];
}
