/**
 * A subnet, or a pair of them, as it is now: who holds what of it, what may be asked for by value, and what is free. Pure: read anew for each change.
 */
import { bitsOf, type Family, familyOf, type Ip } from '../../net/address.ts';
import { type Cidr, cidrFamily, containsCidr, contains, firstOf, hostCidr, lastOf, lengthOf, overlaps, sayCidr } from '../../net/cidr.ts';
import { meet, type Span, spanFrom, spanOf, without } from '../../net/spans.ts';
import type { NicId, Wanted } from '../cloud.ts';
import { addressTaken, type Asked, refuse } from '../wire/asked.ts';
import { chooseBlocks } from './choose.ts';
import { deviceNameOf, heldBy, isReservation, reservationOf } from './held.ts';
import type { Port } from './port.ts';
import { type Subnet, subnetFor } from './subnet.ts';

/** Owner of ports that rubble made for Pods: deleted one by one while its users move here, and somebody's until then. */
const RUBBLES = 'network:secondary';

/** A part of the subnet that somebody has. */
export interface Occupied {
  readonly block: Cidr;
  readonly holder: NicId;
  /** Another's to give back; else it is never given at all. */
  readonly kind: 'further' | 'primary' | 'cloud';
}

/** See the head of this file. */
export interface Room {
  readonly subnets: readonly Subnet[];
  readonly occupied: readonly Occupied[];
  /** Never chosen, though nobody is seen to hold them: what was refused is of projects whose ports we may not see, and other calls are about to have something. */
  readonly shunned: readonly Cidr[];
  /** What other calls are about to have. */
  readonly claimed: readonly Cidr[];
}

/** The subnets with what is occupied of them. */
export function roomOf(
  subnets: readonly Subnet[],
  occupied: readonly Occupied[],
  { shunned, claimed }: Pick<Room, 'shunned' | 'claimed'>,
): Room {
  return { subnets, occupied, shunned, claimed };
}

/** What these ports have; a reservation's holder is its NIC, where that is among them. */
export function occupiedBy(ports: readonly Port[]): Occupied[] {
  const nicNamed = new Map(ports.filter((port) => !isReservation(port)).map((port) => [deviceNameOf(port), port.id]));
  return ports.flatMap((port): Occupied[] => {
    if (isReservation(port)) {
      const found = reservationOf(port);
      // The NIC may be in another subnet, or gone.
      const holder = nicNamed.get(port.device) ?? port.id;
      const blocks = found === undefined ? port.fixed.map(({ ip }) => hostCidr(ip)) : [found.block];
      return blocks.map((block) => ({ block, holder, kind: 'further' }));
    }
    const { further } = heldBy(port, []);
    const kind = port.owner === RUBBLES ? 'further' : port.owner.startsWith('network:') ? 'cloud' : 'primary';
    return port.fixed.map((one) => ({ block: hostCidr(one.ip), holder: port.id, kind: further.includes(one) ? 'further' : kind }));
  });
}

/** Which lengths an IPv4 and an IPv6 block may have. */
export interface Lengths {
  readonly 4: readonly number[];
  readonly 6: readonly number[];
}

/**
 * The blocks asked for by value that the NIC does not have yet. @throws Failure cloudInvalid, cloudAddressTaken, cloudConflict for what another call may have soon
 * @param nic absent for one that is yet to be made
 */
export function missingOf(these: readonly Cidr[], room: Room, lengths: Lengths, asked: Asked, nic?: NicId): Cidr[] {
  for (const [i, block] of these.entries()) {
    const wrong =
      unfit(block, room, lengths) ?? (these.slice(0, i).some((one) => overlaps(one, block)) ? 'it overlaps another one' : undefined);
    if (wrong !== undefined) throw refuse.invalid(asked, `${block}: ${wrong}`);
  }
  return these.filter((block) => {
    const found = room.occupied.find((one) => overlaps(one.block, block));
    if (found === undefined) {
      // Of IPv4 Neutron itself refuses whoever comes later; of a /80 it knows the first address alone.
      const other = cidrFamily(block) === 6 ? room.claimed.find((one) => overlaps(one, block)) : undefined;
      if (other !== undefined) throw refuse.conflict(asked, `${block}: another call is about to have ${other}`);
      return true;
    }
    if (found.holder === nic && found.block === block) return false;
    throw addressTaken(asked, `port ${found.holder} has ${found.block}`, sayCidr(block), found.holder);
  });
}

/** Why nobody can be given it. */
function unfit(block: Cidr, { subnets, occupied }: Room, lengths: Lengths): string | undefined {
  const family = cidrFamily(block);
  const subnet = subnetFor(subnets, family);
  if (subnet === undefined) return `the subnet has no IPv${family}`;
  if (!lengths[family].includes(lengthOf(block))) return `only /${lengths[family].join(' and /')} are given here`;
  if (!containsCidr(subnet.cidr, block)) return `it is not in ${subnet.cidr}`;
  if (keptOf(subnet).some((ip) => contains(block, ip))) return 'it has an address that the network keeps for itself';
  const other = occupied.find((one) => one.kind !== 'further' && overlaps(one.block, block));
  if (other !== undefined) return `it has ${firstOf(other.block)}, which is port ${other.holder}’s own`;
  // Only its first address is reserved.
  if (lengthOf(block) === 80 && subnet.pools.some((pool) => meet(spanOf(block), spanFrom(pool.start, pool.end))))
    return `it is in an allocation pool of subnet ${subnet.id}: let the pools end before what Pods may have`;
  return undefined;
}

/** First and last address of the subnet (of IPv6 only the first, RFC 4291 section 2.6.1) and its gateway. */
function keptOf({ cidr, gateway }: Subnet): Ip[] {
  return [firstOf(cidr), ...(cidrFamily(cidr) === 4 ? [lastOf(cidr)] : []), ...(gateway === undefined ? [] : [gateway])];
}

/** What is counted, by kind. */
export type Counts = Pick<Wanted, 'addresses4' | 'prefixes4' | 'prefixes6' | 'within'>;

/** Free blocks, as many of each kind as are counted, none of them `these`. @throws Failure cloudSubnetFull, cloudInvalid */
export function chosen(counts: Counts, room: Room, these: readonly Cidr[], has: readonly Cidr[], asked: Asked): Cidr[] {
  const found: Cidr[] = [];
  const kinds = [
    [4, 28, counts.prefixes4],
    [4, 32, counts.addresses4],
    [6, 80, counts.prefixes6],
  ] as const;
  for (const [family, length, wanted = 0] of kinds) {
    if (wanted === 0) continue;
    const subnet = subnetFor(room.subnets, family);
    if (subnet === undefined) throw refuse.invalid(asked, `the subnet has no IPv${family}`);
    const taken = takenIn(room, subnet, family, [...these, ...found]);
    const within = family === 4 ? counts.within : undefined;
    const room4 = within === undefined ? roomFor(subnet, length) : within.filter((block) => containsCidr(subnet.cidr, block)).map(spanOf);
    const blocks = chooseBlocks({ family, room: room4, taken, own: [...has, ...these, ...found] }, length, wanted);
    if (blocks.length < wanted)
      throw refuse.full(asked, `${blocks.length} of ${wanted} blocks of /${length} are free in ${within?.join(', ') ?? subnet.cidr}`);
    found.push(...blocks);
  }
  return found;
}

/** An address for a new NIC itself, for each of the subnets. @throws Failure cloudSubnetFull */
export function ownAddresses(room: Room, these: readonly Cidr[], asked: Asked): Ip[] {
  return room.subnets.map((subnet) => {
    const family = cidrFamily(subnet.cidr);
    const taken = takenIn(room, subnet, family, these);
    const [block] = chooseBlocks({ family, room: poolsOf(subnet), taken, own: [] }, bitsOf(family), 1);
    if (block === undefined) throw refuse.full(asked, `no address is free in ${subnet.cidr}`);
    return firstOf(block);
  });
}

function takenIn(room: Room, subnet: Subnet, family: Family, more: readonly Cidr[]): Span[] {
  const blocks = [...room.occupied.map(({ block }) => block), ...room.shunned, ...more].filter((block) => cidrFamily(block) === family);
  return [...blocks.map(spanOf), ...keptOf(subnet).map((ip) => spanFrom(ip, ip))];
}

/** A /80 is chosen where no pool is, since Neutron knows of its first address alone; what is IPv4 in the pools, which its owner may have made smaller on purpose. */
function roomFor(subnet: Subnet, length: number): Span[] {
  return length === 80 ? without([spanOf(subnet.cidr)], poolsOf(subnet)) : poolsOf(subnet);
}

function poolsOf(subnet: Subnet): Span[] {
  return subnet.pools.map(({ start, end }) => spanFrom(start, end));
}

/** IPv4 addresses of the pools that nobody is seen to hold. */
export function freeIn(subnet: Subnet, ports: readonly Port[]): number {
  if (cidrFamily(subnet.cidr) !== 4) return 0;
  const pools = poolsOf(subnet);
  const total = pools.reduce((sum, { start, end }) => sum + (end - start + 1n), 0n);
  const used = ports
    .flatMap((port) => port.fixed)
    .filter(({ ip }) => familyOf(ip) === 4 && pools.some((pool) => meet(pool, spanFrom(ip, ip))));
  return Math.max(0, Number(total) - new Set(used.map(({ ip }) => ip)).size);
}
