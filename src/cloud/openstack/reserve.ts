/** The bodies of the ports by which addresses are had: for a NIC, and for the blocks it holds. */
import { bitsOf, type Ip } from '../../net/address.ts';
import { addressesOf, type Cidr, cidrFamily, firstOf, lengthOf } from '../../net/cidr.ts';
import type { Tags } from '../cloud.ts';
import { BLOCK_OWNER } from './held.ts';
import { type Subnet, subnetFor } from './subnet.ts';
import { allWordsOf, own, ownWordOf } from './tags.ts';

/** Whose block it is. */
export interface Owner {
  readonly network: string;
  readonly subnets: readonly Subnet[];
  /** See deviceNameOf. */
  readonly device: string;
  readonly tags: Tags;
}

/**
 * An unattached port that has the block's addresses; of a /80 the first alone. In no security group: rules that name one as their peer would list 16 addresses
 * more for each. Its tags are the NIC's, so that one list finds both.
 */
export function reservationBody(block: Cidr, { network, subnets, device, tags }: Owner): object {
  const ips = lengthOf(block) === 80 ? [firstOf(block)] : [...addressesOf(block)];
  return {
    network_id: network,
    name: `flatpod-block ${block}`,
    description: 'Addresses of Pods: reserved by Flatpod, let through by an address pair of their NIC',
    device_owner: BLOCK_OWNER,
    device_id: device,
    security_groups: [],
    fixed_ips: ips.map((ip) => fixedIn(subnets, ip)),
    tags: [...allWordsOf(tags), ownWordOf(own.block, block)],
  };
}

/** The entry of `fixed_ips` for an address. The subnets are those of its families. */
export function fixedIn(subnets: readonly Subnet[], ip: Ip): object {
  const subnet = subnetFor(subnets, ip.includes(':') ? 6 : 4);
  return { ...(subnet !== undefined && { subnet_id: subnet.id }), ip_address: ip };
}

/** Whether a block is had as a fixed IP of the NIC itself rather than by reservation and pair. IPv6 addresses are: each pair is a pair less for a /80. */
export function isFixed(block: Cidr, addressing: 'blocks' | 'fixed-ips'): boolean {
  const family = cidrFamily(block);
  return lengthOf(block) === bitsOf(family) && (addressing === 'fixed-ips' || family === 6);
}
