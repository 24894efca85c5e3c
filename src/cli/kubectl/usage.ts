/** What each node has of each PodSubnet, in numbers, from its NodeNetwork alone. */
import { usableSize } from '../../ipam/usable.ts';
import { cidrFamily } from '../../net/cidr.ts';
import type { Growth } from '../../store/node-network.ts';
import { subnetsOf, viewFor } from '../../store/nic-shares.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';
import type { StoredNodeNetwork } from '../../store/kubernetes/stored-node-network.ts';
import { excludedOf } from '../../store/within.ts';

/**
 * Addresses of the family that counts (IPv4, or IPv6 in a subnet without it). What Pods use is what the agent last wrote: while a node has addresses to
 * spare, that may be half a minute old.
 */
export interface Usage {
  readonly node: string;
  readonly subnet: string;
  /** Addresses for ordinary Pods; those of IPClaims are `claimed`. */
  readonly held: number;
  readonly claimed: number;
  readonly inUse: number;
  readonly cooling: number;
  readonly free: number;
  /** Pods without an address. */
  readonly waiting: number;
  /** perNode.maximum. */
  readonly maximum: number;
  readonly stoppedBy: Growth['stoppedBy'];
  /** Why, in a sentence; empty when it can grow. */
  readonly text: string;
}

/** Of every PodSubnet that the node has something of, or asks for. `subnets`: those there are, for nodes that were told of none yet. */
export function usageOf(network: StoredNodeNetwork, subnets: readonly PodSubnet[]): Usage[] {
  const { name: node, spec, status } = network;
  const nics = status?.nics ?? [];
  const names = new Set(
    [
      ...nics.filter(({ blocks }) => blocks.length > 0).flatMap(subnetsOf),
      ...(spec?.demand ?? []).map(({ subnet }) => subnet),
      ...(status?.growth ?? []).map(({ subnet }) => subnet),
    ].filter((name) => name !== undefined),
  );
  return [...names].toSorted().map((subnet): Usage => {
    const config = specOf(network, subnets, subnet);
    const counted = config === undefined || config.families.includes(4) ? 4 : 6;
    const serving = nics.filter((nic) => subnetsOf(nic).includes(subnet)).map((nic) => viewFor(nic, subnet));
    const claims = new Set(serving.flatMap(({ claimed = [] }) => claimed).filter((block) => cidrFamily(block) === counted));
    const blocks = serving.flatMap((nic) => nic.blocks).filter((block) => cidrFamily(block) === counted && !claims.has(block));
    const size = blocks.reduce((sum, block) => sum + usableSize(block, config === undefined ? [] : excludedOf(config)), 0);
    const maximum = config?.perNode.maximum ?? 0;
    // A /80 is practically without end: what counts is how many the node may use of it.
    const held = counted === 6 && maximum > 0 ? Math.min(size, maximum) : size;
    const { inUse, cooling, waiting } = spec?.demand.find((one) => one.subnet === subnet) ?? { inUse: 0, cooling: 0, waiting: 0 };
    const growth = status?.growth.find((one) => one.subnet === subnet);
    return {
      node,
      subnet,
      held,
      claimed: claims.size,
      inUse,
      cooling,
      waiting,
      maximum,
      free: Math.max(0, held - inUse - cooling),
      stoppedBy: growth?.stoppedBy ?? 'none',
      text: growth?.text ?? '',
    };
  });
}

/** The spec of the PodSubnet as the node was told of it, else as it is now. */
function specOf(network: StoredNodeNetwork, subnets: readonly PodSubnet[], name: string): PodSubnet['spec'] | undefined {
  const told = network.status?.subnets?.find((one) => one.name === name)?.spec;
  return told ?? subnets.find(({ metadata }) => metadata.name === name)?.spec;
}

/** What to do so that a pool grows again. */
export function remedyFor(stoppedBy: Growth['stoppedBy'], subnet: string): string {
  switch (stoppedBy) {
    case 'none':
      return 'wait: more are on their way';
    case 'ceiling':
      return `raise the ceiling in spec.perNode or spec.perCluster of PodSubnet ${subnet}, or run Pods on other nodes`;
    case 'instance':
      return `use a larger instance type, spec.unit: prefix in PodSubnet ${subnet}, or more nodes`;
    case 'subnet':
      return `add a PodSubnet with room, or lower spec.warm of PodSubnet ${subnet}, so that other nodes keep less ready`;
    case 'cloud':
      return 'the controller tries again by itself; its log has the answers of the cloud';
    case 'switch':
      return 'allow changes again: spec.cloud.changes in the ControllerConfig, or a node that is not drained';
  }
}
