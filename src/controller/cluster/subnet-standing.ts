/** Whether a PodSubnet can be used, and by which nodes, as its status says. */
import type { CloudSubnet } from '../../cloud/cloud.ts';
import type { ClusterNode } from '../../store/kubernetes/core-objects.ts';
import { servesNode } from '../../store/kubernetes/cluster-subnets.ts';
import { zoneOf } from '../../store/kubernetes/provider-id.ts';
import { subnetIdOf } from '../../store/subnet-id.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';
import type { Standing } from '../conditions.ts';

/** What it depends on. */
export interface SubnetFacts {
  readonly subnet: PodSubnet;
  /** undefined: the cloud has no such subnet. */
  readonly cloudSubnet: CloudSubnet | undefined;
  readonly nodes: readonly ClusterNode[];
  /** Addresses that all nodes together hold. */
  readonly held: number;
}

/** True: some node can use it, though perhaps nothing of it is left. */
export function subnetStanding({ subnet, cloudSubnet, nodes, held }: SubnetFacts): Standing {
  const { perCluster } = subnet.spec;
  const id = subnetIdOf(subnet);
  const no = (reason: string, message: string): Standing => ({ status: 'False', reason, message });
  if (cloudSubnet === undefined)
    return no('CloudSubnetUnknown', `the cloud knows no subnet ${id}: correct spec.cloudSubnet, or make that subnet`);
  if (cloudSubnet.refused !== undefined) return no('RangeInTheWay', cloudSubnet.refused);
  const chosen = nodes.filter(({ labels }) => servesNode(subnet, labels));
  if (chosen.length === 0) {
    if (nodes.length === 0) return no('NoNode', 'the cluster has no node yet');
    return no('NoNode', 'no node has the labels that spec.nodeSelector asks for: kubectl get nodes --show-labels');
  }
  const { zone } = cloudSubnet;
  const near = chosen.filter((node) => zone === undefined || (zoneOfNode(node) ?? zone) === zone);
  if (near.length === 0) {
    const zones = [...new Set(chosen.flatMap((node) => zoneOfNode(node) ?? []))].toSorted().slice(0, 5);
    return no(
      'WrongZone',
      `subnet ${id} is in zone ${zone ?? ''}, the nodes that may use it are in ${zones.join(', ')}: name a subnet of theirs`,
    );
  }
  const yes = (reason: string, message: string): Standing => ({ status: 'True', reason, message });
  if (perCluster.maximum !== undefined && held >= perCluster.maximum)
    return yes('AtCeiling', `nodes hold ${held} of at most ${perCluster.maximum} addresses (spec.perCluster.maximum)`);
  if (cloudSubnet.free4 === 0 && subnet.spec.families.includes(4))
    return yes('Full', `no IPv4 address is left in ${subnet.spec.cloudSubnet === undefined ? 'its range' : `cloud subnet ${id}`}`);
  return yes('Usable', `${near.length} ${near.length === 1 ? 'node' : 'nodes'} may use it`);
}

/** Where its instance is, as far as the Node says. */
function zoneOfNode({ labels, providerId }: ClusterNode): string | undefined {
  return labels['topology.kubernetes.io/zone'] ?? zoneOf(providerId);
}
