/** Whether a node has addresses for the Pods that are on it, as its NodeNetwork says. */
import type { Growth, NodeNetworkSpec } from '../store/node-network.ts';
import type { Standing } from './conditions.ts';
import type { Stop } from './stop.ts';

/** Why Pods on the node wait in vain, one entry for each PodSubnet. Empty: none do. */
export function vain(spec: Pick<NodeNetworkSpec, 'demand'>, growth: readonly Growth[]): Growth[] {
  return growth.filter(
    ({ subnet, stoppedBy }) => stoppedBy !== 'none' && spec.demand.some((one) => one.subnet === subnet && one.waiting > 0),
  );
}

/** What there is to say of a node. */
export interface NodeFacts {
  readonly growth: readonly Growth[];
  /** How many PodSubnets the node may use. */
  readonly subnets: number;
  /** Why something is not given back. */
  readonly refused: readonly Stop[];
}

/** How the node stands. What the cloud does not take back keeps no Pod from an address, but costs, and is somebody's to repair. */
export function nodeStanding(spec: Pick<NodeNetworkSpec, 'demand' | 'draining'>, { growth, subnets, refused }: NodeFacts): Standing {
  const standing = servingStanding(spec, growth, subnets);
  if (refused.length === 0) return standing;
  const message = `${standing.message}; what it does not need is not given back: ${refused.map(({ text }) => text).join('; ')}`;
  return { ...standing, ...(standing.status === 'True' && { reason: 'ReleasesRefused' }), message };
}

function servingStanding(spec: Pick<NodeNetworkSpec, 'demand' | 'draining'>, growth: readonly Growth[], subnets: number): Standing {
  if (spec.draining !== undefined)
    return { status: 'False', reason: 'Draining', message: 'the node is leaving and gives its addresses back' };
  if (subnets === 0) {
    const message = 'no PodSubnet is for this node: make one, or change the nodeSelector of one (kubectl get psn)';
    return { status: 'False', reason: 'NoSubnet', message };
  }
  const stops = vain(spec, growth);
  if (stops.length === 0) return { status: 'True', reason: 'Serving', message: 'Pods on this node get addresses' };
  const message = stops.map(({ subnet, text }) => `Pods wait for an address of ${subnet}: ${text}`).join('; ');
  return { status: 'False', reason: 'AddressesMissing', message };
}
