/** Whether a PodSubnet can be used, and by which nodes, as its status says. */
import type { CloudSubnet } from '../../cloud/cloud.ts';
import type { ClusterNode } from '../../store/kubernetes/core-objects.ts';
import { servesNode, type SubnetClash } from '../../store/kubernetes/cluster-subnets.ts';
import { zoneOf } from '../../store/kubernetes/provider-id.ts';
import { MOST_CLOUD_SUBNETS } from '../../store/cloud-subnets.ts';
import { sayCloudSubnets } from '../../store/subnet-id.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';
import { blocksBeyond, sizeOfBlocks } from '../../store/within.ts';
import type { Standing } from '../conditions.ts';

/** What it depends on. */
export interface SubnetFacts {
  readonly subnet: PodSubnet;
  /** Those that the cloud has. */
  readonly cloudSubnets: readonly CloudSubnet[];
  /** Why it could not be asked for them. */
  readonly problem?: string | undefined;
  readonly nodes: readonly ClusterNode[];
  /** Addresses that all nodes together hold. */
  readonly held: number;
  /** What it has that another PodSubnet has already; absent: nothing. */
  readonly clash?: SubnetClash | undefined;
}

/** True: some node can use it, though perhaps nothing of it is left. */
export function subnetStanding({ subnet, cloudSubnets, problem, nodes, held, clash }: SubnetFacts): Standing {
  const { perCluster } = subnet.spec;
  const id = sayCloudSubnets(subnet);
  const no = (reason: string, message: string): Standing => ({ status: 'False', reason, message });
  const [one] = cloudSubnets;
  if (problem !== undefined) return no('CloudSubnetUnknown', problem);
  if (one === undefined) {
    if (subnet.spec.cloudSubnets === undefined)
      return no('CloudSubnetUnknown', `the cloud knows no subnet ${id}: correct spec.cloudSubnet, or make that subnet`);
    return no('CloudSubnetUnknown', `the cloud has none of the subnets ${id}: correct spec.cloudSubnets, or make one`);
  }
  if (one.refused !== undefined) return no('RangeInTheWay', one.refused);
  if (clash !== undefined) return no(clash.reason, `${clash.text}: ${clash.remedy}`);
  const beyond = blocksBeyond(subnet, one.cidr4);
  if (beyond !== undefined) return no('BlocksOutside', `${beyond}: name blocks of that`);
  const chosen = nodes.filter((node) => servesNode(subnet, node));
  if (chosen.length === 0) {
    if (nodes.length === 0) return no('NoNode', 'the cluster has no node yet');
    if (subnet.spec.nodeAnnotationSelector !== undefined)
      return no('NoNode', 'no node has what spec.nodeSelector and spec.nodeAnnotationSelector ask for: kubectl describe nodes');
    return no('NoNode', 'no node has the labels that spec.nodeSelector asks for: kubectl get nodes --show-labels');
  }
  const theirs = cloudSubnets.map(({ zone }) => zone);
  const near = chosen.filter((node) => theirs.includes(undefined) || theirs.includes(zoneOfNode(node) ?? theirs[0]));
  if (near.length === 0) {
    const few = (zones: readonly string[]): string => [...new Set(zones)].toSorted().slice(0, 5).join(', ');
    const where = `zone ${few(theirs.map((zone = '') => zone))}, the nodes that may use it are in ${few(chosen.flatMap((node) => zoneOfNode(node) ?? []))}`;
    return no('WrongZone', `subnet ${id} is in ${where}: name a subnet of theirs`);
  }
  const yes = (reason: string, message: string): Standing => ({ status: 'True', reason, message });
  if (perCluster.maximum !== undefined && held >= perCluster.maximum)
    return yes('AtCeiling', `nodes hold ${held} of at most ${perCluster.maximum} addresses (spec.perCluster.maximum)`);
  const own = sizeOfBlocks(subnet.spec);
  if (own !== undefined && held >= own) return yes('Full', `nodes hold all ${own} addresses of its blocks (spec.within)`);
  if (cloudSubnets.every(({ free4 }) => free4 === 0) && subnet.spec.families.includes(4))
    return yes('Full', `no IPv4 address is left in ${subnet.spec.range !== undefined ? 'its range' : `cloud subnet ${id}`}`);
  const usable = `${near.length} ${near.length === 1 ? 'node' : 'nodes'} may use it`;
  if (cloudSubnets.length <= MOST_CLOUD_SUBNETS) return yes('Usable', usable);
  const more = `the cloud has ${cloudSubnets.length} subnets ${id.replace(/^those /, '')}, of which status lists ${MOST_CLOUD_SUBNETS}: one more tag would find fewer`;
  return yes('ManySubnets', `${usable}; ${more}`);
}

/** Where its instance is, as far as the Node says. */
function zoneOfNode({ labels, providerId }: ClusterNode): string | undefined {
  return labels['topology.kubernetes.io/zone'] ?? zoneOf(providerId);
}
