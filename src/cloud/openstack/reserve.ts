/** The bodies of the ports by which addresses are had: for a NIC, and for the blocks it holds. */
import type { Ip } from '../../net/address.ts';
import { addressesOf, type Cidr, cidrFamily, firstOf, isHost, lengthOf } from '../../net/cidr.ts';
import type { Tags } from '../cloud.ts';
import type { Asked } from '../wire/asked.ts';
import type { Addressing } from './context.ts';
import { BLOCK_OWNER, POD_OWNER } from './held.ts';
import { deviceOwnerIn } from './service-types.ts';
import { type Subnet, subnetFor } from './subnet.ts';
import { allWordsOf, own, ownWordOf } from './tags.ts';

/** Whose block it is. */
export interface Owner {
  readonly network: string;
  readonly subnets: readonly Subnet[];
  /** See deviceNameOf. */
  readonly device: string;
  readonly tags: Tags;
  readonly addressing: Addressing;
}

/**
 * An unattached port that has the block's addresses; of a /80 the first alone. Switched off: of one that is on, OVN's
 * routers take it that the addresses are at its Ethernet address, where nobody is (docs/clouds/openstack.md, ml2/ovn). In no security group: rules that name one as their peer would list 16 addresses
 * more for each. Its tags are the NIC's, so that one list finds both, and those of whoever asked, where the NIC is nobody's.
 * @throws Failure cloudInvalid
 */
export function reservationBody(block: Cidr, { network, subnets, device, tags, addressing }: Owner, asked: Asked): object {
  const isPods = addressing === 'ports' && isHost(block);
  const ips = lengthOf(block) === 80 ? [firstOf(block)] : [...addressesOf(block)];
  return {
    network_id: network,
    name: isPods ? `flatpod-pod ${firstOf(block)}` : `flatpod-block ${block}`,
    description: `${isPods ? 'The address of a Pod' : 'Addresses of Pods'}: reserved by Flatpod, let through by an address pair of their NIC`,
    device_owner: deviceOwnerIn(subnets, isPods ? POD_OWNER : BLOCK_OWNER, asked),
    device_id: device,
    admin_state_up: false,
    security_groups: [],
    fixed_ips: ips.map((ip) => fixedIn(subnets, ip)),
    tags: [...allWordsOf(tags), ownWordOf(own.block, block), ...(isPods ? [`${own.pod}1`] : [])],
  };
}

/** The entry of `fixed_ips` for an address. The subnets are those of its families. */
export function fixedIn(subnets: readonly Subnet[], ip: Ip): object {
  const subnet = subnetFor(subnets, ip.includes(':') ? 6 : 4);
  return { ...(subnet !== undefined && { subnet_id: subnet.id }), ip_address: ip };
}

/**
 * Whether a block is had as a fixed IP of the NIC itself rather than by reservation and pair. Single IPv6 addresses are beside blocks: each pair is a pair
 * less for a /80.
 */
export function isFixed(block: Cidr, addressing: Addressing): boolean {
  return isHost(block) && (addressing === 'fixed-ips' || (addressing === 'blocks' && cidrFamily(block) === 6));
}
