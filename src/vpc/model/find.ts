/** Finding one object of the state, or what follows from it. */
import type { InstanceLimits } from '../../cloud/cloud.ts';
import type { Instance, Network, Nic, State, Subnet } from './objects.ts';
import { notFound } from './refusal.ts';

/** The one network there is. @throws Error when the model was never seeded. */
export function networkOf(state: State): Network {
  const [network] = state.network.values();
  if (network === undefined) throw new Error('the state has no network');
  return network;
}

/** The subnet of an id. @throws Refusal NotFound. */
export function subnetOf(state: State, id: string): Subnet {
  const subnet = state.subnet.get(id);
  if (subnet === undefined) throw notFound('subnet', id);
  return subnet;
}

/** The branches of a trunk. */
export function branchesOf(state: State, trunk: string): Nic[] {
  return [...state.nic.values()].filter(({ branch }) => branch?.trunk === trunk);
}

/** Limits of an instance, by its type as it is now. */
export function limitsOf(state: State, instance: Instance): InstanceLimits {
  return state.type.get(instance.type)?.limits ?? { nics: 1, addressSlotsPerNic: 1, ipv6SlotsPerNic: 0 };
}
