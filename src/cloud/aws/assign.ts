/**
 * Assigning and taking back.
 *
 * EC2 takes one lot in a call; several are made all or none by taking back what the earlier ones gave.
 *
 * Invariants
 * - only what this very operation gave is ever taken back: what was counted, and of what was asked by value what surely was not there before
 * - of what EC2 answers, only blocks of the kind and number asked for are believed
 */
import { isFailure } from '../../errors/failure.ts';
import { type Cidr, hostCidr, overlaps, sayCidr } from '../../net/cidr.ts';
import type { NicId, Wanted } from '../cloud.ts';
import { wantedOf } from '../wire/asked.ts';
import { cidr, ip, Mismatch, object, type Read, text } from '../wire/shape.ts';
import type { Call, Left } from './ec2.ts';
import { confirmed, items } from './fields.ts';
import { factsOf, type NicFacts, primaryIn } from './known-nics.ts';
import { Refused } from './refused.ts';
import { type Aws, lookAt, notOthers, ours, refusalAbout } from './surroundings.ts';
import { holders, isAboutBlocks } from './taken.ts';
import { assignAction, assignParameters, isOfKind, type Lot, lotsOf, lotsOfBlocks, sayLot, sizeOfLot, valuesName } from './wanted.ts';

/** @throws Failure cloud* */
export async function assign(nic: NicId, want: Wanted, aws: Aws): Promise<Cidr[]> {
  const lots = lotsOf(want, 'AssignPrivateIpAddresses');
  if (lots.length === 0) return [];
  notOthers('AssignPrivateIpAddresses', nic, aws);
  return await assignLots(nic, lots, aws, aws.ec2.deadline());
}

/** All the lots or none. @throws Failure cloud* */
export async function assignLots(nic: NicId, lots: readonly Lot[], aws: Aws, left: Left): Promise<Cidr[]> {
  const these = lots.flatMap((lot) => ('these' in lot ? lot.these : []));
  const before = await beforehand(nic, lots, aws, left);
  const primary = before === undefined ? undefined : primaryIn(these, before.facts);
  if (primary !== undefined) throw ours('invalid', 'AssignPrivateIpAddresses', nic, `${sayCidr(primary)} is its own primary address`);
  const given: Cidr[] = [];
  /** What may be taken back. */
  const fresh: Cidr[] = [];
  try {
    for (const lot of lots) {
      const blocks = 'these' in lot ? await byValue(nic, lot, before?.facts, aws, left) : await counted(nic, lot, these, fresh, aws, left);
      given.push(...blocks);
      fresh.push(...blocks.filter((block) => !('these' in lot) || before?.absent.has(block) === true));
    }
  } catch (error) {
    // After an unclear answer nobody knows what is there: the controller reads it back.
    if (fresh.length > 0 && !isFailure(error, 'cloudUnavailable') && !isFailure(error, 'cloudGarbled'))
      await takeBack(nic, fresh, error, aws, left);
    throw error;
  }
  const values = new Set(these);
  return [...these, ...given.filter((block) => !values.has(block))];
}

interface Before {
  readonly facts: NicFacts;
  /** What of the blocks by value is surely not there. */
  readonly absent: ReadonlySet<Cidr>;
}

/** What must be known first: of blocks by value what the interface's own addresses are; of several such lots what is there already. */
async function beforehand(nic: NicId, lots: readonly Lot[], aws: Aws, left: Left): Promise<Before | undefined> {
  const valued = lots.filter((lot) => 'these' in lot);
  const facts = aws.known.facts(nic);
  if (valued.length === 0) return undefined;
  if (valued.length === 1 && facts !== undefined) return { facts, absent: new Set() };
  const found = (await lookAt(nic, 'AssignPrivateIpAddresses', aws, left)).nic;
  const there = new Set<Cidr>(found.blocks);
  // A list may be older than what we did a moment ago.
  const isAbsent = (block: Cidr): boolean => !there.has(block) && aws.known.lately(nic, block) !== 'given';
  const absent = aws.known.isUnclear(nic) ? [] : valued.flatMap(({ these }) => these.filter(isAbsent));
  return { facts: facts ?? factsOf(found), absent: new Set(absent) };
}

type Counted = Extract<Lot, { count: number }>;
type Valued = Extract<Lot, { these: readonly Cidr[] }>;

/** Blocks that EC2 chooses. One that is wanted by value as well is not counted: another one is asked for in its place. */
async function counted(nic: NicId, lot: Counted, these: readonly Cidr[], fresh: Cidr[], aws: Aws, left: Left): Promise<Cidr[]> {
  const chosen: Cidr[] = [];
  for (let missing = lot.count; missing > 0; ) {
    const call = callFor(nic, { ...lot, count: missing }, aws);
    const answer = await unlessUnclear(aws.ec2.ask(call, left), () => aws.known.unclear(nic));
    if (answer instanceof Refused) {
      fresh.push(...chosen);
      throw refusalAbout(nic, answer, call, aws);
    }
    chosen.push(...answer);
    aws.known.changed(nic, answer, 'given');
    const clash = answer.filter((block) => !these.includes(block) && these.some((one) => overlaps(one, block)));
    if (clash.length > 0) {
      fresh.push(...chosen);
      throw ours('conflict', call.action, nic, `${clash.join(', ')}, which EC2 chose, has in it what was asked for by value`);
    }
    missing = answer.filter((block) => these.includes(block)).length;
  }
  return chosen;
}

/** These blocks. What is on this interface already is success, also where EC2 refuses it. */
async function byValue(nic: NicId, lot: Valued, facts: NicFacts | undefined, aws: Aws, left: Left): Promise<readonly Cidr[]> {
  let missing = lot.these;
  for (let attempt = 0; ; attempt++) {
    const call = callFor(nic, { ...lot, these: missing }, aws);
    const note = (): void => aws.known.changed(nic, lot.these, 'given');
    const answer = await unlessUnclear(aws.ec2.ask(call, left), note);
    if (!(answer instanceof Refused)) {
      note();
      return lot.these;
    }
    if (facts === undefined || !(isAboutBlocks(answer) || answer.code === 'PrivateIpAddressLimitExceeded'))
      throw refusalAbout(nic, answer, call, aws);
    const { own, taken } = await holders(missing, { subnet: facts.subnet, nic }, answer, aws, left);
    const gone = own.find((block) => aws.known.lately(nic, block) === 'taken');
    if (gone !== undefined) throw ours('conflict', call.action, nic, `${gone} may be on it, or only in a list of before: ${answer.words}`);
    if (own.length === missing.length) return lot.these;
    if (own.length === 0 || attempt > 0) throw (isAboutBlocks(answer) ? taken : undefined) ?? refusalAbout(nic, answer, call, aws);
    missing = missing.filter((block) => !own.includes(block));
  }
}

/** What the call rejects with says nothing of what it did: that is noted. */
async function unlessUnclear<T>(call: Promise<T>, note: () => void): Promise<T> {
  try {
    return await call;
  } catch (error) {
    note();
    throw error;
  }
}

async function takeBack(nic: NicId, fresh: readonly Cidr[], why: unknown, aws: Aws, left: Left): Promise<void> {
  try {
    await takeAway(nic, fresh, aws, left);
  } catch (error) {
    const words = `${why instanceof Error ? why.message : String(why)}; ${fresh.join(', ')} were given before that and could not be taken back`;
    throw ours('unavailable', 'AssignPrivateIpAddresses', nic, `${words}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Blocks that are on it go; those that are not are success. @throws Failure cloud* */
export async function unassign(nic: NicId, blocks: readonly Cidr[], aws: Aws): Promise<void> {
  if (blocks.length === 0) return;
  notOthers('UnassignPrivateIpAddresses', nic, aws);
  await takeAway(nic, blocks, aws, aws.ec2.deadline());
}

async function takeAway(nic: NicId, blocks: readonly Cidr[], aws: Aws, left: Left): Promise<void> {
  aws.known.changed(nic, blocks, 'taken');
  for (const kind of lotsOfBlocks(blocks)) {
    const action = kind.family === 4 ? 'UnassignPrivateIpAddresses' : 'UnassignIpv6Addresses';
    let there = kind.these;
    for (let attempt = 0; there.length > 0; attempt++) {
      const parameters = { NetworkInterfaceId: nic, [valuesName(kind)]: there.map(sayCidr) };
      const call = { action, parameters, object: nic, read: confirmed };
      const answer = await aws.ec2.ask(call, left);
      if (!(answer instanceof Refused)) break;
      if (attempt > 0 || !isAboutBlocks(answer)) throw refusalAbout(nic, answer, call, aws);
      // One of them is not there, and EC2 takes all or none: what is there goes alone.
      const found = (await lookAt(nic, action, aws, left)).nic;
      const primary = primaryIn(there, factsOf(found));
      if (primary !== undefined) throw ours('invalid', action, nic, `${sayCidr(primary)} is its own primary address`);
      const left4 = there.filter((block) => found.blocks.includes(block));
      if (left4.length === there.length) throw ours('conflict', action, nic, `EC2 lists what it says is not there: ${answer.words}`);
      there = left4;
    }
  }
}

function callFor(nic: NicId, lot: Lot, { known }: Aws): Call<Cidr[]> {
  return {
    action: assignAction(lot),
    parameters: { NetworkInterfaceId: nic, ...assignParameters(lot) },
    object: nic,
    wanted: { ...wantedOf(known.facts(nic)?.subnet ?? `of ${nic}`, {}, 0), what: sayLot(lot) },
    read: assignedOf(lot),
  };
}

/** What EC2 says it assigned: as many of the kind as were counted, or none but those by value, of which it may leave out what was there. */
function assignedOf(lot: Lot): Read<Cidr[]> {
  return (value, at) => {
    const from = object(value, at);
    const list = <T>(field: string, read: Read<T>): T[] => items(read)(from[field], `${at}.${field}`);
    const inside =
      <T>(field: string, read: Read<T>): Read<T> =>
      (one, where) =>
        read(object(one, where)[field], `${where}.${field}`);
    const blocks = [
      ...list('assignedPrivateIpAddressesSet', inside('privateIpAddress', ip)).map(hostCidr),
      ...list('assignedIpv4PrefixSet', inside('ipv4Prefix', cidr)),
      ...list('assignedIpv6Addresses', ip).map(hostCidr),
      ...list('assignedIpv6PrefixSet', (one, where) => cidr(text(one, where), where)),
    ];
    const strange = blocks.find((block) => !isOfKind(lot)(block) || ('these' in lot && !lot.these.includes(block)));
    if (strange !== undefined) throw new Mismatch(`${at} has ${strange}, which nobody asked for`);
    const number = new Set(blocks).size;
    if (!('these' in lot) && (number !== blocks.length || number !== sizeOfLot(lot))) {
      throw new Mismatch(`${at} has ${blocks.length} blocks, ${number} of them different: ${sizeOfLot(lot)} were asked for`);
    }
    return blocks;
  };
}
