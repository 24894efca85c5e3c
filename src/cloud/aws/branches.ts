/**
 * Trunks and branches. EC2 does not filter associations by interface, and does not say how many an instance type may have: the configuration does.
 * A branch's token would outlive its association, so none is sent: a call whose answer was lost is told from the associations.
 */
import type { NicId } from '../cloud.ts';
import { confirmed } from './fields.ts';
import { type Association, associationOf, type Ec2Nic, pageOf } from './answers.ts';
import type { Ec2, Left } from './ec2.ts';
import { markIpv6 } from './mark-ipv6.ts';
import { Refused } from './refused.ts';
import { type Aws, look, lookAt, notOthers, ours, refusalAbout } from './surroundings.ts';

const most = 255;

/** All associations of the account in this region. @throws Failure cloud* */
export async function associationsOf(ec2: Ec2, left?: Left): Promise<Association[]> {
  const read = pageOf('interfaceAssociationSet', associationOf);
  const call = { action: 'DescribeTrunkInterfaceAssociations', parameters: {}, object: 'all trunks', read };
  return (await ec2.list(call, most, left)).filter((one) => one !== undefined);
}

/** Hangs the interface on the trunk, and has its own IPv6 address marked as such again. @throws Failure cloud* */
export async function attachBranch(nic: NicId, trunk: NicId, vlan: number, aws: Aws): Promise<void> {
  const left = aws.ec2.deadline();
  await associate(nic, trunk, vlan, aws, left);
  await markIpv6(nic, aws, left);
}

async function associate(nic: NicId, trunk: NicId, vlan: number, aws: Aws, left: Left): Promise<void> {
  const { ec2, branches } = aws;
  const action = 'AssociateTrunkInterface';
  if (Object.keys(branches).length === 0) throw ours('invalid', action, nic, noBranches);
  notOthers(action, nic, aws);
  notOthers(action, trunk, aws);
  const parameters = { BranchInterfaceId: nic, TrunkInterfaceId: trunk, VlanId: vlan };
  const call = { action, parameters, object: nic, read: confirmed };
  const answer = await ec2.ask(call, left);
  if (!(answer instanceof Refused)) return;
  const associations = await associationsOf(ec2, left);
  if (associations.some((one) => one.branch === nic && one.trunk === trunk && one.vlan === vlan)) return;
  throw (await whyNot(nic, trunk, vlan, associations, answer, aws, left)) ?? refusalAbout(nic, answer, call, aws);
}

/** Why EC2's bare trunk calls are not made. */
export const noBranches =
  'the configuration tells of no instance type with branches, and EC2 does not: name them and how many each may have';

/** EC2's codes for what is wrong with a branch are not written down: what is there tells. undefined: nothing that can be seen. */
async function whyNot(
  nic: NicId,
  trunk: NicId,
  vlan: number,
  associations: readonly Association[],
  { words }: Refused,
  aws: Aws,
  left: Left,
): Promise<Error | undefined> {
  const action = 'AssociateTrunkInterface';
  const say = (meaning: 'conflict' | 'invalid', what: string): Error => ours(meaning, action, nic, `${what}: ${words}`);
  const found = new Map((await look('network-interface-id', [nic, trunk], aws.ec2, left)).map((one) => [one.nic.id, one]));
  const [branch, under] = [found.get(nic), found.get(trunk)];
  if (under !== undefined && under.nic.isTrunk !== true) return say('invalid', `${trunk} is no trunk`);
  if (under !== undefined && under.attachmentId === undefined) return say('conflict', `trunk ${trunk} is attached to no instance`);
  if (branch?.nic.attachment !== undefined) return say('conflict', `it is attached to ${branch.nic.attachment.instance}`);
  const other = associations.find((one) => one.branch === nic);
  if (other !== undefined) return say('conflict', `it is a branch of ${other.trunk} with VLAN ${other.vlan}`);
  const holder = associations.find((one) => one.trunk === trunk && one.vlan === vlan);
  return holder === undefined ? undefined : say('conflict', `${holder.branch} has VLAN ${vlan} of ${trunk}`);
}

/** Takes a branch off its trunk; success when it hangs on none. @throws Failure cloud* */
export async function detachBranch(branch: Ec2Nic, aws: Aws, left: Left): Promise<void> {
  const { id } = branch.nic;
  const association = (await associationsOf(aws.ec2, left)).find((one) => one.branch === id);
  if (association === undefined) return;
  const call = { action: 'DisassociateTrunkInterface', parameters: { AssociationId: association.id }, object: id, read: confirmed };
  const answer = await aws.ec2.ask(call, left);
  // Somebody was faster.
  if (answer instanceof Refused && !/AssociationI[Dd]\.NotFound$/.test(answer.code)) throw refusalAbout(id, answer, call, aws);
}

/** @throws Failure cloudConflict for a trunk that has branches: EC2 would cut them off with it */
export async function withoutBranches({ nic }: Ec2Nic, action: string, { ec2 }: Aws, left: Left): Promise<void> {
  if (nic.isTrunk !== true) return;
  const branch = (await associationsOf(ec2, left)).find(({ trunk }) => trunk === nic.id);
  if (branch !== undefined) throw ours('conflict', action, nic.id, `it has branches, ${branch.branch} for one`);
}

/** @throws Failure cloudConflict for a branch: EC2 may delete one that hangs on its trunk. Asked only where branches can be. */
export async function noBranch(nic: NicId, action: string, aws: Aws, left: Left): Promise<void> {
  if (Object.keys(aws.branches).length === 0) return;
  const { isBranch } = await lookAt(nic, action, aws, left);
  if (isBranch) throw ours('conflict', action, nic, 'it is a branch of a trunk');
}
