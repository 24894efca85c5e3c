/** Which PodSubnets may serve a Pod, in order: the one its network configuration names, else those that its namespace and labels lead to. */
import { failure } from '../errors/failure.ts';
import { askingOf, type PodFacts } from '../store/kubernetes/node-pods.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { candidatesFor, whyNone } from '../store/subnet-order.ts';

/** What a request says about itself; all but `pod` may be absent outside of Kubernetes. */
export interface Asking {
  /** For the error: `namespace/name` or the container. */
  readonly pod: string;
  readonly namespace: string | undefined;
  /** Name of a PodSubnet in the network configuration. */
  readonly subnet: string | undefined;
  /** What the API server says, or said, of the Pod and its namespace. */
  readonly facts?: Partial<PodFacts> | undefined;
}

/** At least one, the best first. @throws Failure noSubnet that says what was looked for. */
export function chooseSubnets(subnets: readonly PodSubnet[], asking: Asking): PodSubnet[] {
  const asked = { namespace: asking.namespace, subnet: asking.subnet, ...askingOf(asking.facts ?? {}) };
  const candidates = candidatesFor(subnets, asked);
  if (candidates.length === 0) throw failure('noSubnet', { pod: asking.pod, reason: whyNone(subnets, asked) });
  return candidates;
}

/** The subnets for a Pod that the API server tells of; none when none serves it. */
export function candidatesOf(subnets: readonly PodSubnet[], facts: PodFacts): PodSubnet[] {
  return candidatesFor(subnets, { namespace: facts.pod.namespace, subnet: undefined, ...askingOf(facts) });
}
