/**
 * What a NIC holds, read from its port and from the ports that reserve its blocks.
 *
 * A block is reserved in Neutron by an unattached port that has its addresses (of a /80 only the first), and is let through by an address pair of the NIC.
 * Only a block with both is the NIC's: one that lacks the pair is on its way in or out, and the next change of the NIC ends what was begun.
 */
import { familyOf, type Ip, compareIps } from '../../net/address.ts';
import { aggregate, type Cidr, containsCidr, firstOf, hostCidr, overlaps, sayCidr, tryParseCidr } from '../../net/cidr.ts';
import type { SubnetId } from '../cloud.ts';
import type { FixedIp, Pair, Port } from './port.ts';
import { nameOf, type Subnet } from './subnet.ts';
import { own, ownText, ownTexts, ownWord } from './tags.ts';

/** `device_owner` of the ports that reserve, where their subnet has no service types: of a block, and of the address of one Pod. */
export const BLOCK_OWNER = 'flatpod:block';
export const POD_OWNER = 'flatpod:pod';

/** What the `device_id` of the reservations begins with, where we made the NIC: its key follows. */
export const MADE = 'flatpod-';

/** A reservation: the port, and what it is for. */
export interface Reservation {
  readonly port: Port;
  readonly block: Cidr;
}

/** A NIC's addresses. */
export interface Held {
  readonly primary4?: FixedIp;
  readonly primary6?: FixedIp;
  /** Fixed addresses beside its primary ones that are ours. */
  readonly further: readonly FixedIp[];
  /** Those that somebody else put there: they stay. */
  readonly others: readonly FixedIp[];
  /** Reserved, and let through. */
  readonly reserved: readonly Reservation[];
  /** Reserved, and not let through. */
  readonly pending: readonly Reservation[];
  readonly blocks: readonly Cidr[];
}

/** Whether the port only reserves, and is no NIC. */
export function isReservation(port: Port): boolean {
  return port.owner === BLOCK_OWNER || port.owner === POD_OWNER || ownWord(port.words, own.block) !== undefined;
}

/** Whether the reservation is a port for one address, as addressing `ports` makes them: its NIC lets the whole subnet through. */
export function isPodPort({ words }: Port): boolean {
  return ownWord(words, own.pod) !== undefined;
}

/** What a NIC is called in the `device_id` of its reservations: known before the NIC is made, where we make it. */
export function deviceNameOf(port: Port): string {
  const key = ownWord(port.words, own.key);
  return key === undefined ? port.id : `${MADE}${key}`;
}

/** undefined: a port that calls itself one and is none. */
export function reservationOf(port: Port): Reservation | undefined {
  const text = ownText(port.words, own.block);
  const block = text === undefined ? undefined : tryParseCidr(text);
  if (block === undefined || !isReservation(port) || !port.fixed.some(({ ip }) => ip === firstOf(block))) return undefined;
  return { port, block };
}

/** See Held. `reservations`: those of this NIC. */
export function heldBy(port: Port, reservations: readonly Reservation[]): Held {
  const [primary4, primary6] = [primaryOf(port, 4), primaryOf(port, 6)];
  const beside = port.fixed.filter((one) => one !== primary4 && one !== primary6);
  const further = beside.filter(({ ip }) => isOurs(port, ip));
  const passes = ({ block }: Reservation): boolean => !port.isGuarded || ownPairs(port).some((pair) => containsCidr(pair.block, block));
  const unique = [...new Map(reservations.map((one) => [one.block, one])).values()];
  const reserved = unique.filter(passes);
  return {
    ...(primary4 !== undefined && { primary4 }),
    ...(primary6 !== undefined && { primary6 }),
    further,
    others: beside.filter((one) => !further.includes(one)),
    reserved,
    pending: reservations.filter((one) => !reserved.includes(one)),
    blocks: [...reserved.map(({ block }) => block), ...further.map(({ ip }) => hostCidr(ip))],
  };
}

/** The word says it where there are several; of a port nobody wrote it on, the lowest, and the others are its owner's affair. */
function primaryOf(port: Port, family: 4 | 6): FixedIp | undefined {
  const all = port.fixed.filter(({ ip }) => familyOf(ip) === family).toSorted((a, b) => compareIps(a.ip, b.ip));
  const said = saidPrimary(port, family);
  return all.find(({ ip }) => ip === said) ?? all[0];
}

function saidPrimary(port: Port, family: 4 | 6): string | undefined {
  return ownText(port.words, family === 4 ? own.primary4 : own.primary6);
}

/** Whether an address beside the primary one was put there by us: all but those that were there before the first of ours. */
function isOurs(port: Port, ip: Ip): boolean {
  return saidPrimary(port, familyOf(ip)) !== undefined && !ownTexts(port.words, own.theirs).includes(ip);
}

function ownPairs(port: Port): Pair[] {
  return port.pairs.filter(({ mac }) => mac === port.mac);
}

/**
 * The address pairs that let exactly these blocks through, as few as can be, and those of others as they are. On a NIC of ours every pair within its subnets
 * is ours; on another's only those that hold what we reserve.
 */
export function pairsFor(port: Port, blocks: readonly Cidr[], subnets: readonly Subnet[], reservations: readonly Reservation[]): object[] {
  const isMade = ownWord(port.words, own.key) !== undefined;
  const isOurPair = ({ block, mac }: Pair): boolean =>
    mac === port.mac &&
    (isMade ? subnets.some((subnet) => containsCidr(subnet.cidr, block)) : reservations.some((one) => overlaps(one.block, block)));
  const others = port.pairs.filter((pair) => !isOurPair(pair)).map(({ raw }) => raw);
  return [...others, ...aggregate(blocks).map((block) => ({ ip_address: sayCidr(block) }))];
}

/** Whether the port has these pairs already. */
export function hasPairs(port: Port, pairs: readonly object[]): boolean {
  const text = (pair: object): string => ('ip_address' in pair ? String(pair.ip_address) : '').replace(/\/(32|128)$/, '');
  const [has, wants] = [port.pairs.map(({ raw }) => text(raw)), pairs.map(text)];
  return has.length === wants.length && has.toSorted().join() === wants.toSorted().join();
}

/** The subnet it is in, or its two; its network where it has no address. */
export function subnetOf(port: Port, { primary4, primary6 }: Held): SubnetId {
  const parts = [primary4, primary6].flatMap((one) => (one === undefined ? [] : [{ subnet: one.subnet, family: familyOf(one.ip) }]));
  // An id of a network never equals one of a subnet: nothing is asked of it.
  return parts.length === 0 ? (port.network as SubnetId) : nameOf(parts);
}
