/** Why a Pod's addresses are of this PodSubnet and no other. */
import { matches, saySelector } from '../../store/label-selector.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';
import { inOrder, type PodAsking, SUBNET_ANNOTATION, subnetsNamed } from '../../store/subnet-order.ts';

/** In words, following the order of src/store/subnet-order.ts. `subnets`: those there are now; what was so when the Pod started may have changed. */
export function sayChoice(name: string, subnets: readonly PodSubnet[], asking: PodAsking): string {
  const subnet = subnets.find(({ metadata }) => metadata.name === name);
  if (subnet === undefined) return 'it is not there any more';
  const { spec } = subnet;
  const named = subnetsNamed(asking.namespaceAnnotations);
  if (named?.includes(name) === true)
    return `namespace ${asking.namespace ?? ''} names it (annotation ${SUBNET_ANNOTATION}: ${named.join(', ')})`;
  const because = [
    ...(asking.namespace !== undefined && spec.namespaces.includes(asking.namespace)
      ? [`its spec.namespaces has ${asking.namespace}`]
      : []),
    ...(matches(spec.namespaceSelector, asking.namespaceLabels ?? {}) && spec.namespaceSelector
      ? [`its spec.namespaceSelector (${saySelector(spec.namespaceSelector)}) selects namespace ${asking.namespace ?? ''}`]
      : []),
    ...(matches(spec.podSelector, asking.podLabels ?? {}) && spec.podSelector
      ? [`its spec.podSelector (${saySelector(spec.podSelector)}) selects the Pod`]
      : []),
    ...(matches(spec.serviceAccountSelector, asking.serviceAccountLabels ?? {}) && spec.serviceAccountSelector
      ? [`its spec.serviceAccountSelector (${saySelector(spec.serviceAccountSelector)}) selects its service account`]
      : []),
  ];
  const rank = inOrder(subnets).findIndex(({ metadata }) => metadata.name === name);
  const order = spec.priority === 0 ? '' : `, priority ${spec.priority}`;
  if (because.length > 0) return `${because.join(' and ')}${order}`;
  if (spec.default) return `no other PodSubnet is for the Pod, and this one is a default${order}`;
  return `nothing chooses it for this Pod now (${rank + 1}. of ${subnets.length}): the network configuration named it, or labels, annotations or the PodSubnet have changed since`;
}
