/** The ranges of a cluster's PodSubnets, and which Nodes may use them. */
import type { RangeNode } from '../cloud/range/range-cloud.ts';
import type { PodRange } from '../cloud/range/ranges.ts';
import type { InstanceId } from '../cloud/cloud.ts';
import type { ClusterNode } from '../store/kubernetes/core-objects.ts';
import type { ClusterSubnets } from '../store/kubernetes/cluster-subnets.ts';
import { podRangeOf } from '../store/pod-range.ts';

/** What the driver for ranges asks. */
export interface ClusterRanges {
  readonly ranges: () => readonly PodRange[];
  readonly node: (name: string) => RangeNode | undefined;
  /** Some PodSubnet is another now. */
  changed(): void;
}

/** `nodeOf`: the Node of that name, and the instance it is. */
export function clusterRanges(
  subnets: Pick<ClusterSubnets, 'list' | 'forNode'>,
  nodeOf: (name: string) => { readonly node: ClusterNode; readonly instance: InstanceId } | undefined,
): ClusterRanges {
  let known: readonly PodRange[] | undefined;
  return {
    ranges: () => (known ??= subnets.list().flatMap(({ subnet, created }) => podRangeOf(subnet, created) ?? [])),
    node(name) {
      const found = nodeOf(name);
      if (found === undefined) return undefined;
      const ranged = subnets.forNode(found.node.labels).filter(({ spec }) => spec.range !== undefined);
      return { instance: found.instance, podSubnets: ranged.map(({ metadata }) => metadata.name) };
    },
    changed: () => (known = undefined),
  };
}
