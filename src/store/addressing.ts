/**
 * spec.addressing of PodSubnets: how Neutron learns of the addresses of Pods. It is the whole Neutron subnet's, of which a driver knows no PodSubnet: of several
 * PodSubnets the one that was there first decides, and those that want it otherwise are told.
 */
import type { PodSubnet } from './pod-subnet.ts';

/** How Pods get addresses of a subnet of Neutron. */
type Addressing = NonNullable<PodSubnet['spec']['addressing']>;

/** Of one of Neutron's subnets, by the PodSubnets in the order in which they came to be; undefined: no Pod shares an interface there. */
export function addressingIn(subnets: readonly PodSubnet[], id: string): Addressing | undefined {
  const first = firstIn(subnets, id);
  return first === undefined ? undefined : wayOf(first);
}

/** Which subnet the PodSubnet would have in another way than one that goes before it, in a sentence; undefined: none. */
export function addressedOtherwise(subnet: PodSubnet, earlier: readonly PodSubnet[]): string | undefined {
  if (!sharesInterfaces(subnet)) return undefined;
  const own = wayOf(subnet);
  for (const id of idsOf(subnet)) {
    const first = firstIn(earlier, id);
    if (first === undefined || first.metadata.name === subnet.metadata.name || wayOf(first) === own) continue;
    return `subnet ${id} has addressing ${wayOf(first)} by PodSubnet ${first.metadata.name}, and ${own} by this one`;
  }
  return undefined;
}

function firstIn(subnets: readonly PodSubnet[], id: string): PodSubnet | undefined {
  return subnets.find((one) => sharesInterfaces(one) && idsOf(one).includes(id));
}

/** An interface for one Pod has the addresses it was made with. */
function sharesInterfaces({ spec: { datapath } }: PodSubnet): boolean {
  return datapath !== 'nic' && datapath !== 'branch';
}

function wayOf({ spec: { addressing = 'blocks' } }: PodSubnet): Addressing {
  return addressing;
}

/** A pair of OpenStack's is written ID4+ID6. */
function idsOf({ spec: { cloudSubnet, cloudSubnets } }: PodSubnet): string[] {
  const names = [...(cloudSubnet === undefined ? [] : [cloudSubnet]), ...(cloudSubnets?.ids ?? [])];
  return names.flatMap((name) => name.split('+'));
}
