/** What the agent writes of a node's needs, and when it may wait. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { NicId } from '../cloud/cloud.ts';
import type { Cidr } from '../net/cidr.ts';
import type { ClaimAsked, Demand, NodeNetworkSpec } from '../store/node-network.ts';
import type { NodeConfig } from '../store/node-config.ts';

/** Whether nothing but numbers has changed since the last write, and none of them calls for anything. `stock`: what there is of a PodSubnet. */
export function isNotUrgent(
  before: NodeNetworkSpec,
  spec: NodeNetworkSpec,
  stock: (one: Demand) => { readonly spare: number; readonly free: number },
): boolean {
  // Half of the spare addresses are used up, or Pods wait.
  const isShort = (one: Demand): boolean => {
    const { spare, free } = stock(one);
    return one.waiting > free || free * 2 < spare;
  };
  const onlyNumbers = isDeepStrictEqual({ ...before, demand: [] }, { ...spec, demand: [] });
  return onlyNumbers && spec.demand.every((one) => before.demand.some(({ subnet }) => subnet === one.subnet) && !isShort(one));
}

/** The agent's half of the object; what there is nothing of is left out. */
export function specOf(
  config: NodeConfig['spec'],
  demand: readonly Demand[],
  returned: readonly Cidr[],
  { unplugged, claims, draining }: { unplugged: readonly NicId[]; claims: readonly ClaimAsked[]; draining: string | undefined },
): NodeNetworkSpec {
  return {
    // The configuration is where the cloud's id enters. In a cluster it has none, and nobody asks: the controller goes by the Node.
    instance: (config.instance ?? '') as NodeNetworkSpec['instance'],
    demand,
    returned,
    ...(unplugged.length > 0 && { unplugged }),
    ...(claims.length > 0 && { claims }),
    ...(draining !== undefined && { draining }),
  };
}
