/**
 * Which addresses of a subnet are whose, and which are free. Pure.
 *
 * The lowest free block is always taken. Real clouds pick at random or avoid fresh ones; the lowest is the strictest choice for those who test here:
 * an address given back is handed out again at once.
 */
import { bitsOf, type Ip, ipFromBigInt, ipToBigInt } from '../../net/address.ts';
import { addressAt, type Cidr, cidrFamily, contains, firstOf, hostCidr, lengthOf, sizeOf } from '../../net/cidr.ts';
import { gateway6, type Nic, type State, type Subnet } from './objects.ts';

/** The first four addresses: network, gateway and two that clouds keep for DNS and later use. */
const RESERVED_FIRST = 4n;
export const PREFIX4 = 28;
export const PREFIX6 = 80;

/** All addresses that a NIC may send from and is sent to. */
export function blocksOf(nic: Nic): Cidr[] {
  const primaries = [nic.primary4, nic.primary6].filter((ip) => ip !== undefined);
  return [...primaries.map(hostCidr), ...nic.blocks];
}

/** Slots of the instance type's limit that the NIC takes: primary, secondary and prefix count one each. */
export function slotsOf(nic: Nic, family: 4 | 6): number {
  return blocksOf(nic).filter((block) => cidrFamily(block) === family).length;
}

/** IPv4 addresses of the subnet that nobody holds. */
export function free4(state: State, subnet: Subnet): number {
  if (subnet.cidr4 === undefined) return 0;
  const taken = takenIn(state, subnet, subnet.cidr4).reduce((sum, { first, last }) => sum + (last - first + 1n), 0n);
  return Number(sizeOf(subnet.cidr4) - taken);
}

/** `count` free blocks of that length, lowest first; fewer when the subnet has no more. A block is free when none of its addresses is taken or reserved. */
export function freeBlocks(state: State, subnet: Subnet, cidr: Cidr, length: number, count: number): Cidr[] {
  const family = cidrFamily(cidr);
  const size = 1n << BigInt(bitsOf(family) - length);
  const found: Cidr[] = [];
  let next = ipToBigInt(firstOf(cidr));
  const take = (until: bigint): void => {
    for (next = roundUp(next, size); found.length < count && next + size <= until; next += size) {
      found.push(`${ipFromBigInt(next, family)}/${length}` as Cidr);
    }
  };
  for (const { first, last } of takenIn(state, subnet, cidr)) {
    take(first);
    if (last + 1n > next) next = last + 1n;
  }
  take(ipToBigInt(firstOf(cidr)) + sizeOf(cidr));
  return found;
}

/** The first address of the block that is reserved in the subnet's CIDR, and what it `is` (`the gateway of`); undefined when all of the block may be given. */
export function reservedIn(cidr: Cidr, block: Cidr): { readonly ip: Ip; readonly is: string } | undefined {
  const names =
    cidrFamily(cidr) === 4 ? ['the network address of', 'the gateway of', 'reserved in', 'reserved in', 'the broadcast address of'] : [];
  const offsets = [0n, 1n, 2n, 3n, sizeOf(cidr) - 1n];
  const found = offsets.findIndex((offset) => contains(block, addressAt(cidr, offset)));
  return found < 0 ? undefined : { ip: addressAt(cidr, offsets[found] ?? 0n), is: names[found] ?? 'reserved in' };
}

/** The gateway of an IPv4 subnet: the first address after the network address. */
export function gateway4(cidr: Cidr): Ip {
  return ipFromBigInt(ipToBigInt(firstOf(cidr)) + 1n, 4);
}

/** The router's addresses in a subnet. */
export function gatewaysOf({ cidr4, cidr6, gateways }: Subnet): Ip[] {
  return [...(gateways ?? (cidr4 ? [gateway4(cidr4)] : [])), ...(cidr6 ? [gateway6] : [])];
}

/** All blocks on a subnet's link. */
export function blocksOn({ cidr4, cidr6, further = [] }: Subnet): Cidr[] {
  return [cidr4, cidr6, ...further].filter((cidr) => cidr !== undefined);
}

/** From an address to another, both included, as numbers. */
export interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

/** Taken and reserved addresses of one CIDR of the subnet: sorted, free of overlaps. */
function takenIn(state: State, subnet: Subnet, cidr: Cidr): Interval[] {
  const family = cidrFamily(cidr);
  const first = ipToBigInt(firstOf(cidr));
  const last = first + sizeOf(cidr) - 1n;
  const taken: Interval[] = [
    { first, last: first + RESERVED_FIRST - 1n },
    { first: last, last },
  ];
  for (const nic of state.nic.values()) {
    if (nic.subnet !== subnet.id) continue;
    for (const block of blocksOf(nic)) if (cidrFamily(block) === family) taken.push(intervalOf(block));
  }
  return taken.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
}

/** The addresses of a block. */
export function intervalOf(block: Cidr): Interval {
  const first = ipToBigInt(firstOf(block));
  return { first, last: first + (1n << BigInt(bitsOf(cidrFamily(block)) - lengthOf(block))) - 1n };
}

function roundUp(value: bigint, size: bigint): bigint {
  return ((value + size - 1n) / size) * size;
}
