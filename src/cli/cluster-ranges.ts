/** The ranges of a cluster's PodSubnets, and which Nodes may use them. */
import type { RangeNode } from '../cloud/range/range-options.ts';
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

/** `subnets` is asked for when there are any; `instanceFor`: which instance a Node is. */
export function clusterRanges(
  subnets: () => Pick<ClusterSubnets, 'list' | 'forNode'>,
  nodes: { node(name: string): ClusterNode | undefined },
  instanceFor: (node: ClusterNode) => InstanceId | undefined,
): ClusterRanges {
  let known: readonly PodRange[] | undefined;
  return {
    ranges: () =>
      (known ??= subnets()
        .list()
        .flatMap(({ subnet, created }) => podRangeOf(subnet, created) ?? [])),
    node(name) {
      const found = nodes.node(name);
      const instance = found && instanceFor(found);
      if (found === undefined || instance === undefined) return undefined;
      const ranged = subnets()
        .forNode(found)
        .filter(({ spec }) => spec.range !== undefined);
      return { instance, podSubnets: ranged.map(({ metadata }) => metadata.name) };
    },
    changed: () => (known = undefined),
  };
}
