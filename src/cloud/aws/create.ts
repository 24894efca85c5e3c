/** Making and deleting interfaces. */
import { failure, isFailure } from '../../errors/failure.ts';
import { type Cidr, cidrFamily, lengthOf } from '../../net/cidr.ts';
import type { CloudNic, CreateNic, NicId, SubnetId } from '../cloud.ts';
import { type Asked, wantedOf } from '../wire/asked.ts';
import { Mismatch, object, type Read } from '../wire/shape.ts';
import { type Ec2Nic, nicOf, ownIpv6Tag, usualGateway6 } from './answers.ts';
import { assignLots } from './assign.ts';
import { noBranch, noBranches } from './branches.ts';
import { confirmed } from './fields.ts';
import type { Left } from './ec2.ts';
import { patiently } from './newborn.ts';
import type { Parameters } from './query.ts';
import { subnets, told } from './read.ts';
import { Refused } from './refused.ts';
import { type Aws, isUnknownNic, notOthers, ours, refusalAbout } from './surroundings.ts';
import { holders, isAboutBlocks } from './taken.ts';
import { createParameters, isOfKind, type Lot, lotsOf, sizeOfLot } from './wanted.ts';
import { assignWithin } from './within.ts';

/**
 * Makes an interface with what is wanted of it, by its token; what the creating call does not take is assigned then. In a subnet with IPv6 it gets an
 * address that EC2 marks as its own, and a tag that outlives the mark: without either nobody could tell that one from those of Pods.
 * @throws Failure cloud*
 */
export async function createNic(request: CreateNic, mtu: number, aws: Aws): Promise<CloudNic> {
  const { within, addresses4 = 0, prefixes4 = 0, ...others } = request.want ?? {};
  if (within === undefined) return await create(request, mtu, aws);
  const made = await create({ ...request, want: others }, mtu, aws);
  const further = made.blocks.filter((block) => others.these?.includes(block) !== true && cidrFamily(block) === 4);
  const has = (length: number): number => further.filter((block) => lengthOf(block) === length).length;
  const want = { within, addresses4: Math.max(0, addresses4 - has(32)), prefixes4: Math.max(0, prefixes4 - has(28)) };
  const left = aws.ec2.deadline();
  return await finished(
    made,
    () => assignWithin(made.id, want, patiently(aws, made.id), left),
    wantedOf(request.subnet, request.want, 1),
    aws,
    left,
  );
}

async function create(request: CreateNic, mtu: number, aws: Aws): Promise<CloudNic> {
  const action = 'CreateNetworkInterface';
  const { subnet, want = {}, multiMac, isTrunk } = request;
  const invalid = (text: string) => failure('cloudInvalid', { cloud: 'aws', call: action, text });
  if (multiMac === true) throw invalid('an interface of EC2 has one Ethernet address: what another one sends is dropped');
  if (isTrunk === true && Object.keys(aws.branches).length === 0) throw invalid(noBranches);
  const left = aws.ec2.deadline();
  const { first, later } = inOneCall(lotsOf(want, action));
  const isDual = await hasIpv6(subnet, aws, left);
  const call = {
    action,
    parameters: { ...parametersOf(request, first, isDual), ...own6(isDual) },
    object: `an interface in ${subnet}`,
    wanted: wantedOf(subnet, want, 1),
    read: madeOf(request, first, isDual),
  };
  const answer = await aws.ec2.ask(call, left);
  if (answer instanceof Refused) throw (await whyNot(request, first, answer, aws, left)) ?? aws.ec2.failure(answer, call);
  aws.known.made(answer.nic.id);
  aws.known.changed(answer.nic.id, answer.nic.blocks, 'given');
  const made = told(answer, [], mtu, aws);
  const missing = missingOf(later, first, made);
  if (missing.length === 0) return made;
  return await finished(made, () => assignLots(made.id, missing, patiently(aws, made.id), left), call.wanted, aws, left);
}

/** The interface with what is assigned now; one that cannot have it goes again. */
async function finished(
  made: CloudNic,
  assignRest: () => Promise<Cidr[]>,
  wanted: NonNullable<Asked['wanted']>,
  aws: Aws,
  left: Left,
): Promise<CloudNic> {
  try {
    const more = await assignRest();
    return { ...made, blocks: [...made.blocks, ...more] };
  } catch (error) {
    if (!isFailure(error, 'cloudUnavailable') && !isFailure(error, 'cloudGarbled')) await undo(made.id, error, wanted, aws, left);
    throw error;
  }
}

function parametersOf(
  { subnet, clientToken, description, securityGroups, tags, isTrunk }: CreateNic,
  lots: readonly Lot[],
  isDual: boolean,
): Parameters {
  const all = { ...tags, ...(isDual && { [ownIpv6Tag.key]: ownIpv6Tag.value }) };
  const Tag = Object.entries(all).map(([Key, Value]) => ({ Key, Value }));
  return {
    SubnetId: subnet,
    ClientToken: clientToken,
    Description: description,
    SecurityGroupId: securityGroups,
    ...(Tag.length > 0 && { TagSpecification: [{ ResourceType: 'network-interface', Tag }] }),
    ...(isTrunk === true && { InterfaceType: 'trunk' }),
    ...Object.assign({}, ...lots.map(createParameters)),
  };
}

/**
 * A count is said in any case: it goes before a subnet's AssignIpv6AddressOnCreation, which would add an address without the mark, also where the subnet has
 * got IPv6 since it was read.
 */
function own6(isDual: boolean): Parameters {
  return isDual ? { Ipv6AddressCount: 1, EnablePrimaryIpv6: true } : { Ipv6AddressCount: 0 };
}

async function hasIpv6(subnet: SubnetId, aws: Aws, left: Left): Promise<boolean> {
  if (!aws.hasIpv6.has(subnet)) await subnets([subnet], usualGateway6, aws, left);
  // One that EC2 does not know is refused by the creating call.
  return aws.hasIpv6.get(subnet) ?? false;
}

/** What the creating call takes: one lot of IPv4, by value before others, since EC2 then chooses no primary address in it. */
function inOneCall(lots: readonly Lot[]): { first: Lot[]; later: Lot[] } {
  const of4 = lots.filter(({ family }) => family === 4);
  const first = (of4.some((lot) => 'these' in lot) ? of4.filter((lot) => 'these' in lot) : of4).slice(0, 1);
  return { first, later: lots.filter((lot) => !first.includes(lot)) };
}

/** What the interface does not have yet. By a repeated token it may have some of it. */
function missingOf(later: readonly Lot[], first: readonly Lot[], { blocks }: CloudNic): Lot[] {
  const asked = new Set([...later, ...first].flatMap((lot) => ('these' in lot ? lot.these : [])));
  const missing = later.map((lot): Lot => {
    if ('these' in lot) return { ...lot, these: lot.these.filter((block) => !blocks.includes(block)) };
    return { ...lot, count: Math.max(0, lot.count - blocks.filter((block) => isOfKind(lot)(block) && !asked.has(block)).length) };
  });
  return missing.filter((lot) => sizeOfLot(lot) > 0);
}

/** The interface, if it is what was asked for. It may have more by now, where the token was used before. */
function madeOf({ subnet }: CreateNic, lots: readonly Lot[], isDual: boolean): Read<Ec2Nic> {
  return (value, at) => {
    const made = nicOf(object(value, at)['networkInterface'], `${at}.networkInterface`);
    if (made.nic.subnet !== subnet) throw new Mismatch(`${at} is in ${made.nic.subnet}, not in ${subnet}`);
    if (isDual && made.nic.primary6 === undefined) throw new Mismatch(`${at} has no IPv6 address of its own`);
    for (const lot of lots) {
      const has = made.nic.blocks.filter(isOfKind(lot));
      const lacks = 'these' in lot ? lot.these.filter((block) => !has.includes(block)).length : lot.count - has.length;
      if (lacks > 0) throw new Mismatch(`${at} lacks ${lacks} blocks of those asked for`);
    }
    return made;
  };
}

async function whyNot({ subnet }: CreateNic, lots: readonly Lot[], refused: Refused, aws: Aws, left: Left): Promise<Error | undefined> {
  const these = lots.flatMap((lot) => ('these' in lot ? lot.these : []));
  if (these.length === 0 || !isAboutBlocks(refused)) return undefined;
  return (await holders(these, { subnet }, refused, aws, left)).taken;
}

/** An interface that did not get all that was wanted goes again: it is ours, of this moment, and attached to nothing. */
async function undo(nic: NicId, why: unknown, wanted: NonNullable<Asked['wanted']>, aws: Aws, left: Left): Promise<void> {
  const call = { action: 'DeleteNetworkInterface', parameters: { NetworkInterfaceId: nic }, object: nic, wanted, read: confirmed };
  const answer = await aws.ec2.ask(call, left);
  if (!(answer instanceof Refused)) {
    aws.known.deleted(nic);
    return;
  }
  const reason = why instanceof Error ? why.message : String(why);
  throw ours(
    'unavailable',
    'CreateNetworkInterface',
    nic,
    `${reason}; ${nic} was made before that and could not be deleted: ${answer.words}`,
  );
}

/** Deletes; success when it is gone. @throws Failure cloud* */
export async function deleteNic(nic: NicId, aws: Aws): Promise<void> {
  const action = 'DeleteNetworkInterface';
  notOthers(action, nic, aws);
  const left = aws.ec2.deadline();
  try {
    await noBranch(nic, action, aws, left);
  } catch (error) {
    if (isFailure(error, 'cloudNotFound')) return;
    throw error;
  }
  const call = { action, parameters: { NetworkInterfaceId: nic }, object: nic, read: confirmed };
  const answer = await aws.ec2.ask(call, left);
  if (!(answer instanceof Refused)) {
    aws.known.deleted(nic);
    return;
  }
  // Unknown is gone, unless it is so new that it may be not known yet.
  if (isUnknownNic(answer) && aws.known.newborn_ms(nic) === undefined) return;
  // The id is all that the call has: what EC2 finds wrong with a well-formed one is that it is in use.
  if (answer.code === 'InvalidParameterValue') throw ours('conflict', action, nic, answer.words);
  throw refusalAbout(nic, answer, call, aws);
}
