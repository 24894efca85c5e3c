/** Which of the PodSubnets that share an interface has which of its blocks. */
import type { Ip } from '../net/address.ts';
import { type Cidr, contains } from '../net/cidr.ts';
import type { GrantedNic } from './node-network.ts';

/** The PodSubnets that have something of the interface: the one it is for first, even when it has no block of it. */
export function subnetsOf({ subnet, shared = [] }: Pick<GrantedNic, 'subnet' | 'shared'>): string[] {
  return [...(subnet === undefined ? [] : [subnet]), ...shared.map((part) => part.subnet)];
}

/** The PodSubnet whose Pods get addresses of the block; undefined: no PodSubnet's do. */
export function subnetOfBlock({ subnet, shared = [] }: Pick<GrantedNic, 'subnet' | 'shared'>, block: Cidr): string | undefined {
  return shared.find(({ blocks }) => blocks.includes(block))?.subnet ?? subnet;
}

/** The same interface with that PodSubnet's blocks alone. */
export function viewFor(nic: GrantedNic, name: string): GrantedNic {
  if (nic.shared === undefined) return nic.subnet === name ? nic : { ...nic, subnet: name, blocks: [], reclaiming: [], claimed: [] };
  const { shared, claimed, ...rest } = nic;
  const others = new Set(shared.filter(({ subnet }) => subnet !== name).flatMap(({ blocks }) => blocks));
  const own = new Set(shared.find(({ subnet }) => subnet === name)?.blocks);
  const isOwn = (block: Cidr): boolean => own.has(block) || (nic.subnet === name && !others.has(block));
  return {
    ...rest,
    subnet: name,
    blocks: nic.blocks.filter(isOwn),
    reclaiming: nic.reclaiming.filter(isOwn),
    ...(claimed !== undefined && { claimed: claimed.filter(isOwn) }),
  };
}

/** Where an address for Pods is. */
export interface Place {
  readonly nic: GrantedNic;
  readonly block: Cidr;
  readonly subnet: string | undefined;
}

/** The interface and the block that have the address; undefined: none of these. */
export function placeOf(nics: readonly GrantedNic[], address: Ip): Place | undefined {
  for (const nic of nics) {
    const block = nic.blocks.find((one) => contains(one, address));
    if (block !== undefined) return { nic, block, subnet: subnetOfBlock(nic, block) };
  }
  return undefined;
}
