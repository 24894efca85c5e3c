/**
 * Assign and unassign.
 *
 * Invariants
 * - an address is reserved before it is let through, and let through no more before it is free for others: at every moment Neutron keeps it from others
 * - what was begun and not ended (a reservation without its pair) is used by the next assign of its NIC, or goes with the next change: it is never given twice
 * - a NIC's changes are one at a time, and each is written at the revision it was decided on
 */
import { isFailure } from '../../errors/failure.ts';
import { type Cidr, cidrFamily, containsCidr, firstOf, hostCidr, lengthOf } from '../../net/cidr.ts';
import type { NicId, Wanted } from '../cloud.ts';
import { addressTaken, refuse, wantedOf } from '../wire/asked.ts';
import { type Addressing, askedIn, type Context, lengthsFor, portsOf, subnetsOf } from './context.ts';
import {
  deviceNameOf,
  hasPairs,
  type Held,
  heldBy,
  isPodPort,
  isReservation,
  pairsFor,
  reservationOf,
  type Reservation,
  subnetOf,
} from './held.ts';
import type { Port } from './port.ts';
import { fixedIn, isFixed, reservationBody } from './reserve.ts';
import { chosen, missingOf, roomOf } from './room.ts';
import { isFinal } from './refusals.ts';
import type { Task } from './session.ts';
import { checkSlots } from './slots.ts';
import type { Subnet } from './subnet.ts';
import { own, ownWord, ownWordOf, tagsIn } from './tags.ts';

/** Rounds of read, decide, write: each ends by somebody else's change of the same port, or an address taken a moment before. */
const ROUNDS = 6;

/** A NIC as it was read, with what it holds. */
interface Scene {
  readonly port: Port;
  readonly held: Held;
  readonly reservations: readonly Reservation[];
  readonly subnets: readonly Subnet[];
  readonly addressing: Addressing;
}

/** See Cloud.assign. */
export async function assign(nic: NicId, want: Wanted, context: Context): Promise<Cidr[]> {
  const task = context.begin('assign', nic, wantedOf(`of ${nic}`, want, 0));
  return await context.turn(nic, async () => {
    const shunned: Cidr[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const scene = await sceneOf(nic, context, task);
      const given = await assignOnce(scene, { want, shunned }, context, task);
      if (given !== undefined) return given;
    }
    throw refuse.conflict(askedIn(task), `it was changed by others ${ROUNDS} times while it was decided on`);
  });
}

/** See Cloud.unassign. */
export async function unassign(nic: NicId, blocks: readonly Cidr[], context: Context): Promise<void> {
  if (blocks.length === 0) return;
  const task = context.begin('unassign', nic);
  const away = new Set(blocks);
  await context.turn(nic, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const scene = await sceneOf(nic, context, task);
      const { held } = scene;
      const stay = held.blocks.filter((block) => !away.has(block));
      const isSame = stay.length === held.blocks.length;
      if (!isSame && (await written(scene, stay, 0, context, task)) === undefined) continue;
      // What lacks its pair is let through no more: it goes too, whoever began with it.
      const free = [...held.reserved.filter(({ block }) => away.has(block)), ...held.pending];
      await dropAll(free, context, task);
      return;
    }
    throw refuse.conflict(askedIn(task), `it was changed by others ${ROUNDS} times while it was decided on`);
  });
}

/** Deletes reservations. One that was changed since is somebody else's affair. */
export async function dropAll(reservations: readonly Pick<Reservation, 'port'>[], { neutron }: Context, task: Task): Promise<void> {
  for (const { port } of reservations) await neutron.deletePort(port, task);
}

async function sceneOf(nic: NicId, context: Context, task: Task): Promise<Scene> {
  const port = await context.neutron.port(nic, task);
  if (isReservation(port)) throw refuse.invalid(askedIn(task), 'it is a reservation of ours, and no NIC');
  const found = await context.neutron.ports({ devices: [deviceNameOf(port)] }, task);
  const reservations = found.flatMap((one) => reservationOf(one) ?? []);
  const held = heldBy(port, reservations);
  if (port.fixed.length === 0) throw refuse.invalid(askedIn(task), 'it has no address of its own, so it is in no subnet');
  const subnets = await subnetsOf(subnetOf(port, held), context, task);
  return { port, held, reservations, subnets, addressing: context.addressing(subnets) };
}

interface Asking {
  readonly want: Wanted;
  /** Filled with what was refused though nobody is seen to hold it. */
  readonly shunned: Cidr[];
}

/** undefined: it was changed meanwhile; look again. */
async function assignOnce(scene: Scene, { want, shunned }: Asking, context: Context, task: Task): Promise<Cidr[] | undefined> {
  const { port, held, addressing } = scene;
  const asked = askedIn(task);
  const { these = [], ...counts } = want;
  const lengths = lengthsFor(addressing, want, task);
  const room = roomOf(scene.subnets, await portsOf(scene.subnets, context, task), shunned);
  const missing = missingOf(these, room, lengths, asked, port.id);
  // Neutron chooses anywhere.
  const isByNeutron = addressing === 'fixed-ips' && want.within === undefined;
  // What was reserved and never let through is as good as new.
  const spare = held.pending.map(({ block }) => block).filter((block) => !these.includes(block) && isWithin(block, want.within));
  const reused = isByNeutron ? [] : reuse(spare, counts);
  const counted = isByNeutron ? [] : chosen(lessBy(counts, reused), room, these, held.blocks, asked);
  const more = isByNeutron ? (counts.addresses4 ?? 0) : 0;
  const stay = [...new Set([...held.blocks, ...these, ...reused, ...counted])];
  await checkSlots(port, { blocks: stay, more4: more }, context, task);
  checkPairs(scene, stay, context, task);
  const reserve = [...missing, ...counted].filter((block) => !isFixed(block, addressing));
  const reserved = await reservedFor(scene, reserve, { context, task, shunned, counted });
  if (reserved === undefined) return undefined;
  const before = new Set(held.blocks);
  const fixed = counted.filter((block) => isFixed(block, addressing));
  const now = await attempted(() => unlessTaken(() => written(scene, stay, more, context, task), fixed, shunned), reserved, context, task);
  if (now === undefined) return undefined;
  const unused = held.pending.filter(({ block }) => !stay.includes(block));
  await dropAll(unused, context, task);
  const fresh = now.filter((block) => !before.has(block) && !these.includes(block));
  if (isByNeutron && fresh.length !== more) throw refuse.garbled(asked, `${fresh.length} addresses were added, ${more} were asked for`);
  return [...these, ...fresh];
}

/** Of fixed IPs that were chosen here one may be taken a moment before: choose again. */
async function unlessTaken<T>(change: () => Promise<T | undefined>, chosenHere: readonly Cidr[], shunned: Cidr[]): Promise<T | undefined> {
  try {
    return await change();
  } catch (error) {
    if (chosenHere.length === 0 || !isFailure(error, 'cloudAddressTaken')) throw error;
    shunned.push(...chosenHere);
    return undefined;
  }
}

function isWithin(block: Cidr, within: Wanted['within']): boolean {
  return within === undefined || cidrFamily(block) === 6 || within.some((one) => containsCidr(one, block));
}

function reuse(spare: readonly Cidr[], { addresses4 = 0, prefixes4 = 0, prefixes6 = 0 }: Omit<Wanted, 'these'>): Cidr[] {
  const some = (family: 4 | 6, length: number, most: number): Cidr[] =>
    spare.filter((block) => cidrFamily(block) === family && lengthOf(block) === length).slice(0, most);
  return [...some(4, 32, addresses4), ...some(4, 28, prefixes4), ...some(6, 80, prefixes6)];
}

function lessBy(
  { addresses4 = 0, prefixes4 = 0, prefixes6 = 0, ...where }: Omit<Wanted, 'these'>,
  had: readonly Cidr[],
): Omit<Wanted, 'these'> {
  const of = (length: number): number => had.filter((block) => lengthOf(block) === length).length;
  return { ...where, addresses4: addresses4 - of(32), prefixes4: prefixes4 - of(28), prefixes6: prefixes6 - of(80) };
}

/** Before anything is reserved for nothing. */
function checkPairs(scene: Scene, stay: readonly Cidr[], { pairsPerNic }: Context, task: Task): void {
  if (!scene.port.isGuarded) return;
  const pairs = pairsOf(scene, stay);
  if (pairs.length > pairsPerNic)
    throw refuse.limit(askedIn(task), `${pairs.length} address pairs would be needed, and a NIC has at most ${pairsPerNic}`);
}

/** What has ports of its Pods lets the whole of its subnets through: then an address comes and goes without a change of the NIC. */
function pairsOf({ port, subnets, reservations, addressing }: Scene, stay: readonly Cidr[]): object[] {
  const passing = stay.filter((block) => !isFixed(block, addressing) && !isFixedOn(port, block));
  const isWhole = addressing === 'ports' || reservations.some((one) => isPodPort(one.port) && passing.includes(one.block));
  return pairsFor(port, isWhole && passing.length > 0 ? subnets.map(({ cidr }) => cidr) : passing, subnets, reservations);
}

/** A subnet's addressing may have been changed: what the NIC has in the other way stays that way. */
function isFixedOn(port: Port, block: Cidr): boolean {
  return port.fixed.some(({ ip }) => hostCidr(ip) === block);
}

interface Reserving {
  readonly context: Context;
  readonly task: Task;
  readonly shunned: Cidr[];
  /** Those that others would do as well for. */
  readonly counted: readonly Cidr[];
}

/** All or none. undefined: one was taken a moment ago; choose again. */
async function reservedFor(
  scene: Scene,
  blocks: readonly Cidr[],
  { context, task, shunned, counted }: Reserving,
): Promise<Reservation[] | undefined> {
  if (blocks.length === 0) return [];
  const { port, subnets, addressing } = scene;
  const owner = { network: port.network, subnets, device: deviceNameOf(port), tags: tagsIn(port.words), addressing };
  try {
    const made = await context.neutron.createPorts(
      blocks.map((block) => reservationBody(block, owner, askedIn(task))),
      task,
    );
    return made.flatMap((one) => reservationOf(one) ?? []);
  } catch (error) {
    if (!isFailure(error, 'cloudAddressTaken')) throw error;
    if (counted.length === 0) throw addressTaken(askedIn(task), error.details, blocks.map(firstOf).join(', '), 'another port');
    shunned.push(...counted);
    return undefined;
  }
}

/** What was reserved for a change that is refused for good goes, if it can; else it stays, and the next change ends what was begun. */
async function attempted<T>(
  change: () => Promise<T | undefined>,
  reserved: readonly Reservation[],
  context: Context,
  task: Task,
): Promise<T | undefined> {
  try {
    return await change();
  } catch (error) {
    // The refusal is what matters; what is left over now is found by the next change.
    if (isFinal(error)) await dropAll(reserved, context, task).catch(() => {});
    throw error;
  }
}

/** Writes pairs and fixed IPs for these blocks and so many addresses of Neutron's choice; the blocks it then has. undefined: it was changed meanwhile. */
async function written(scene: Scene, stay: readonly Cidr[], more: number, context: Context, task: Task): Promise<Cidr[] | undefined> {
  const { port, subnets, addressing, held } = scene;
  const primaries = [held.primary4, held.primary6].flatMap((one) => one ?? []);
  const further = stay.filter((block) => isFixedOn(port, block) || isFixed(block, addressing)).map(firstOf);
  const isFixedSame = more === 0 && further.length === held.further.length && held.further.every(({ ip }) => further.includes(ip));
  const pairs = pairsOf(scene, stay);
  const isPairsSame = !port.isGuarded || hasPairs(port, pairs);
  if (isFixedSame && isPairsSame) return [...stay];
  if (!isFixedSame) checkType(scene, task);
  const fresh = isFixedSame ? port : await withPrimaries(scene, context, task);
  const v4 = held.primary4?.subnet;
  const fixed_ips = [
    ...primaries.map(({ subnet, ip }) => ({ subnet_id: subnet, ip_address: ip })),
    ...further.map((ip) => fixedIn(subnets, ip)),
    ...Array.from({ length: more }, () => ({ subnet_id: v4 })),
  ];
  const now = await context.neutron.updatePort(
    fresh,
    { ...(!isFixedSame && { fixed_ips }), ...(!isPairsSame && { allowed_address_pairs: pairs }) },
    task,
  );
  if (now === undefined) return undefined;
  return [...stay.filter((block) => !isFixedOn(now, block)), ...heldBy(now, []).further.map(({ ip }) => hostCidr(ip))];
}

/** Neutron gives fixed IPs by what the port is now, and says of a subnet for others that it has none left. */
function checkType({ port, subnets }: Scene, task: Task): void {
  const other = subnets.find(({ serviceTypes }) => serviceTypes.length > 0 && !serviceTypes.includes(port.owner));
  if (other === undefined) return;
  const told = `subnet ${other.id} is for ${other.serviceTypes.join(', ')}, and the interface is ${port.owner}`;
  throw refuse.invalid(askedIn(task), `${told}: add that to the subnet’s service types, or let its addressing be blocks or ports`);
}

/** Before a NIC gets further fixed IPs, a word on it says which are its own: Neutron's lists are in no order. The port at its new revision. */
async function withPrimaries({ port, held }: Scene, { neutron }: Context, task: Task): Promise<Port> {
  const words = [
    ...(held.primary4 === undefined ? [] : [ownWordOf(own.primary4, held.primary4.ip)]),
    ...(held.primary6 === undefined ? [] : [ownWordOf(own.primary6, held.primary6.ip)]),
  ];
  if (ownWord(port.words, own.primary4) !== undefined || ownWord(port.words, own.primary6) !== undefined) return port;
  await neutron.setWords(port.id, [...port.words, ...words], task);
  const now = await neutron.port(port.id, task);
  // Changed meanwhile: the revision that was decided on makes Neutron refuse it.
  const isSame =
    now.fixed.length === port.fixed.length &&
    hasPairs(
      now,
      port.pairs.map(({ raw }) => raw),
    );
  return isSame ? now : port;
}
