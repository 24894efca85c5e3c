/**
 * Assign and unassign.
 *
 * Invariants
 * - an address is reserved before it is let through, and let through no more before it is free for others: at every moment Neutron keeps it from others
 * - what was begun and not ended (a reservation without its pair) is used by the next assign of its NIC, or goes with the next change, or
 *   with the sweep where there is none (strays.ts): it is never given twice
 * - a NIC's changes are one at a time, and each is written at the revision it was decided on
 */
import { isFailure } from '../../errors/failure.ts';
import { type Cidr, firstOf, hostCidr } from '../../net/cidr.ts';
import type { NicId, Tags, Wanted } from '../cloud.ts';
import { addressTaken, refuse, wantedOf } from '../wire/asked.ts';
import { askedIn, type Context, lengthsFor, subnetsOf } from './context.ts';
import { type Gift, giftFor, isByNeutron, needsFresh, noGift, type Scene } from './decide.ts';
import { deviceNameOf, hasPairs, heldBy, isPodPort, isReservation, pairsFor, reservationOf, type Reservation, subnetOf } from './held.ts';
import type { Port } from './port.ts';
import { fixedIn, isFixed, reservationBody } from './reserve.ts';
import { isFinal } from './refusals.ts';
import type { Task } from './session.ts';
import { checkPairs, checkSlots } from './slots.ts';
import { own, ownWord, ownWordOf, tagsIn } from './tags.ts';

/** Rounds of read, decide, write: each ends by somebody else's change of the same port, or an address taken a moment before. */
const ROUNDS = 6;

/** See Cloud.assign. */
export async function assign(nic: NicId, { want, whose = {} }: Ordered, context: Context): Promise<Cidr[]> {
  const task = context.begin('assign', nic, wantedOf(`of ${nic}`, want, 0));
  const giving = context.turn(nic, async () => {
    const learned: Learned = { shunned: [], isDoubtful: false };
    for (let round = 0; round < ROUNDS; round++) {
      const scene = await sceneOf(nic, context, task);
      const given = await assignOnce(scene, { want, whose }, learned, context, task);
      if (given !== undefined) return given;
    }
    throw refuse.conflict(askedIn(task), `it was changed by others ${ROUNDS} times while it was decided on`);
  });
  return await giving.finally(() => context.seen.over(task));
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
      context.seen.freed(scene.subnets, [...away, ...free.map(({ block }) => block)]);
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

/** What is asked for a NIC, and by whom. */
interface Ordered {
  readonly want: Wanted;
  readonly whose?: Tags;
}

/** What the rounds of an assign learned. */
interface Learned {
  /** What was refused though nobody is seen to hold it. */
  readonly shunned: Cidr[];
  /** Neutron refused what an older list allowed. */
  isDoubtful: boolean;
}

/** undefined: it was changed meanwhile; look again. */
async function assignOnce(
  scene: Scene,
  order: Required<Ordered>,
  learned: Learned,
  context: Context,
  task: Task,
): Promise<Cidr[] | undefined> {
  const { held, addressing } = scene;
  const asked = askedIn(task);
  const { want, whose } = order;
  const { these = [] } = want;
  const { decided, isFresh } = await giftOf(scene, want, learned, context, task);
  const { missing, reused, counted } = decided;
  const more = isByNeutron(scene, want) ? (want.addresses4 ?? 0) : 0;
  const stay = [...new Set([...held.blocks, ...these, ...reused, ...counted])];
  await checkSlots(scene.port, { blocks: stay, more4: more }, context, task);
  // Before anything is reserved for nothing.
  if (scene.port.isGuarded) checkPairs(pairsOf(scene, stay), context, task);
  // By an older list it may have been somebody's for long; by a newer one it is of those whose ports we may not see.
  const refused = (blocks: readonly Cidr[]): void => {
    if (isFresh) learned.shunned.push(...blocks);
    learned.isDoubtful = true;
  };
  const reserve = [...missing, ...counted].filter((block) => !isFixed(block, addressing));
  const mayRepeat = counted.length > 0 || !isFresh;
  const reserved = await unlessTaken(
    () => reservedFor(scene, reserve, whose, context, task),
    mayRepeat,
    () => refused(counted),
  );
  if (reserved === undefined) return undefined;
  const before = new Set(held.blocks);
  const fixed = [...(isFresh ? [] : missing), ...counted].filter((block) => isFixed(block, addressing));
  const change = (): Promise<Cidr[] | undefined> =>
    unlessTaken(
      () => written(scene, stay, more, context, task),
      fixed.length > 0,
      () => refused(fixed),
    );
  const now = await attempted(change, reserved, context, task);
  if (now === undefined) return undefined;
  const unused = held.pending.filter(({ block }) => !stay.includes(block));
  await dropAll(unused, context, task);
  const fresh = now.filter((block) => !before.has(block) && !these.includes(block));
  if (isByNeutron(scene, want) && fresh.length !== more)
    throw refuse.garbled(asked, `${fresh.length} addresses were added, ${more} were asked for`);
  return [...these, ...fresh];
}

async function giftOf(
  scene: Scene,
  want: Wanted,
  { shunned, isDoubtful }: Learned,
  { seen }: Context,
  task: Task,
): Promise<{ decided: Gift; isFresh: boolean }> {
  const asking = { want, shunned, lengths: lengthsFor(scene.addressing, want, task), asked: askedIn(task) };
  if (isByNeutron(scene, want) && (want.these ?? []).length === 0) return { decided: noGift, isFresh: true };
  return await seen.decide(scene.subnets, { task, isFresh: isDoubtful || needsFresh(want) }, (sight) => giftFor(scene, asking, sight));
}

/** Something may be taken a moment before: then, `mayRepeat`, others would do as well or a newer list says more. undefined: `refused` was called. */
async function unlessTaken<T>(change: () => Promise<T | undefined>, mayRepeat: boolean, refused: () => void): Promise<T | undefined> {
  try {
    return await change();
  } catch (error) {
    if (!mayRepeat || !isFailure(error, 'cloudAddressTaken')) throw error;
    refused();
    return undefined;
  }
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

/** All or none. @throws Failure cloudAddressTaken */
async function reservedFor(scene: Scene, blocks: readonly Cidr[], whose: Tags, context: Context, task: Task): Promise<Reservation[]> {
  if (blocks.length === 0) return [];
  const { port, subnets, addressing } = scene;
  const owner = { network: port.network, subnets, device: deviceNameOf(port), tags: { ...tagsIn(port.words), ...whose }, addressing };
  try {
    const made = await context.neutron.createPorts(
      blocks.map((block) => reservationBody(block, owner, askedIn(task))),
      task,
    );
    return made.flatMap((one) => reservationOf(one) ?? []);
  } catch (error) {
    if (!isFailure(error, 'cloudAddressTaken')) throw error;
    throw addressTaken(askedIn(task), error.details, blocks.map(firstOf).join(', '), 'another port');
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
  const kept = [held.primary4, held.primary6, ...held.others].flatMap((one) => one ?? []);
  const further = stay.filter((block) => isFixedOn(port, block) || isFixed(block, addressing)).map(firstOf);
  const isFixedSame = more === 0 && further.length === held.further.length && held.further.every(({ ip }) => further.includes(ip));
  const pairs = pairsOf(scene, stay);
  const isPairsSame = !port.isGuarded || hasPairs(port, pairs);
  if (isFixedSame && isPairsSame) return [...stay];
  if (!isFixedSame) checkType(scene, task);
  const fresh = isFixedSame ? port : await marked(scene, context, task);
  const v4 = held.primary4?.subnet;
  const fixed_ips = [
    ...kept.map(({ subnet, ip }) => ({ subnet_id: subnet, ip_address: ip })),
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

/** Before a NIC gets further fixed IPs, words on it say which it has without us: Neutron's lists are in no order. The port at its new revision. */
async function marked({ port, held }: Scene, { neutron }: Context, task: Task): Promise<Port> {
  const primaries = [[own.primary4, held.primary4] as const, [own.primary6, held.primary6] as const].flatMap(([kind, one]) =>
    one === undefined || ownWord(port.words, kind) !== undefined ? [] : [ownWordOf(kind, one.ip)],
  );
  const theirs = held.others.map(({ ip }) => ownWordOf(own.theirs, ip));
  const words = [...port.words.filter((word) => !word.startsWith(own.theirs)), ...primaries, ...theirs];
  if (words.length === port.words.length && words.every((word) => port.words.includes(word))) return port;
  await neutron.setWords(port.id, words, task);
  const now = await neutron.port(port.id, task);
  // Changed meanwhile: the revision that was decided on makes Neutron refuse it.
  const isSame =
    now.fixed.length === port.fixed.length &&
    now.fixed.every(({ ip }) => port.fixed.some((one) => one.ip === ip)) &&
    hasPairs(
      now,
      port.pairs.map(({ raw }) => raw),
    );
  return isSame ? now : port;
}
