/** Which PodSubnet serves a Pod: the one its network configuration names, else the one that lists its namespace, else the default. */
import { failure } from '../errors/failure.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';

/** What a request says about itself; both may be absent outside of Kubernetes. */
export interface Asking {
  /** For the error: `namespace/name` or the container. */
  readonly pod: string;
  readonly namespace: string | undefined;
  /** Name of a PodSubnet in the network configuration. */
  readonly subnet: string | undefined;
}

/** @throws Failure noSubnet that says what was looked for. */
export function chooseSubnet(subnets: readonly PodSubnet[], asking: Asking): PodSubnet {
  if (asking.subnet !== undefined) {
    const named = subnets.find((subnet) => subnet.metadata.name === asking.subnet);
    if (named !== undefined) return named;
    throw failure('noSubnet', {
      pod: asking.pod,
      reason: `the network configuration asks for ${asking.subnet}; there are ${namesOf(subnets)}`,
    });
  }
  const { namespace } = asking;
  const byNamespace = namespace === undefined ? undefined : subnets.find((subnet) => subnet.spec.namespaces.includes(namespace));
  const chosen = byNamespace ?? subnets.find((subnet) => subnet.spec.default);
  if (chosen !== undefined) return chosen;
  throw failure('noSubnet', {
    pod: asking.pod,
    reason: `none names namespace ${namespace ?? '(none given)'} and none is the default; there are ${namesOf(subnets)}`,
  });
}

function namesOf(subnets: readonly PodSubnet[]): string {
  return subnets.length === 0 ? 'none at all' : subnets.map((subnet) => subnet.metadata.name).join(', ');
}
