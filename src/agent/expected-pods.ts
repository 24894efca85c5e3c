/** Pods that the scheduler has placed on this node and that have no address yet: the controller hears of them before the runtime asks. */
import { lacksServiceAccount, type NodePods } from '../store/kubernetes/node-pods.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { asksForClaim } from './claims.ts';
import type { NodeAgent } from './node-agent.ts';
import type { Pools } from './pools.ts';
import { candidatesOf } from './subnet-choice.ts';

/** How many of them each subnet is to serve, by its name. A Pod that no subnet serves, or nobody knows yet which, is none of them: its ADD will say why. */
export function expectedPods(
  pods: NodePods,
  attachments: NodeAgent['attachments'],
  subnets: readonly PodSubnet[],
  pools: Pools,
): ReadonlyMap<string, number> {
  const own = attachments.list().map(({ pod }) => pod);
  const attached = new Set(own.map(({ uid }) => uid));
  // A former plugin's records may have the names of a Pod alone.
  const named = new Set(own.flatMap(({ uid, namespace, name }) => (uid === undefined ? [`${namespace}/${name}`] : [])));
  const expected = new Map<string, number>();
  for (const facts of pods.list()) {
    const { uid, namespace, name: called, leaving } = facts.pod;
    if (attached.has(uid) || named.has(`${namespace}/${called}`) || leaving || asksForClaim(facts) || lacksServiceAccount(subnets, facts))
      continue;
    const candidates = candidatesOf(subnets, facts);
    const name = (candidates.find((subnet) => pools.mayServe(subnet)) ?? candidates.at(-1))?.metadata.name;
    if (name !== undefined) expected.set(name, (expected.get(name) ?? 0) + 1);
  }
  return expected;
}
