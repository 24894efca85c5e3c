/** Attaching NICs to instances, or as branches to trunks, and detaching them. All may be repeated: what is already so succeeds. */
import * as z from 'zod';
import { checkSlots } from '../model/assign.ts';
import { branchesOf, limitsOf, subnetOf } from '../model/find.ts';
import type { Attachment, Branch, Instance, Nic, State } from '../model/objects.ts';
import { Refusal } from '../model/refusal.ts';
import { type Call, change } from './call.ts';
import * as inputs from './inputs.ts';
import { runningOf } from './instances.ts';
import { detached, nicOf } from './nics.ts';

const attachBranch = z.strictObject({ trunk: inputs.nicId, vlan: z.int().min(1).max(4094) });
const attach = z.strictObject({ instance: inputs.instanceId, deviceIndex: z.int().min(1).max(255) });

/** The calls of this file. */
export const attachmentCalls: readonly Call[] = [
  change('AttachNic', 'POST', '/v1/nics/:id/attach', attach, (transaction, { id, body }) => {
    const { state } = transaction;
    const nic = nicOf(state, id);
    const instance = runningOf(state, body.instance);
    const { attachment } = nic;
    if (nic.branch !== undefined) throw alreadyBranch(nic, nic.branch);
    if (attachment !== undefined) {
      const same = attachment.instance === instance.id && attachment.deviceIndex === body.deviceIndex;
      if (same && attachment.state === 'attached') return { status: 204 };
      throw new Refusal(
        'AlreadyAttached',
        `${id} is ${attachment.state === 'detaching' ? 'still detaching from' : 'attached to'} ${attachment.instance} at index ${attachment.deviceIndex}`,
        'detach it first',
      );
    }
    checkMayAttach(state, nic, instance, body.deviceIndex);
    transaction.put('nic', { ...nic, attachment: { ...body, state: 'attached' } });
    return { status: 204 };
  }),
  change('AttachBranch', 'POST', '/v1/nics/:id/attach-branch', attachBranch, (transaction, { id, body }) => {
    const nic = nicOf(transaction.state, id);
    if (nic.branch?.trunk === body.trunk && nic.branch.vlan === body.vlan) return { status: 204 };
    if (nic.branch !== undefined) throw alreadyBranch(nic, nic.branch);
    if (nic.attachment !== undefined)
      throw new Refusal('AlreadyAttached', `${id} is attached to ${nic.attachment.instance}`, 'detach it, and wait until it is detached');
    checkMayBranch(transaction.state, nic, body);
    transaction.put('nic', { ...nic, branch: body });
    return { status: 204 };
  }),
  change('DetachNic', 'POST', '/v1/nics/:id/detach', undefined, (transaction, { id }, { detachStuck }) => {
    const nic = nicOf(transaction.state, id);
    if (nic.branch !== undefined) transaction.put('nic', detached(nic));
    if (nic.attachment === undefined) return { status: 204 };
    const branches = branchesOf(transaction.state, nic.id);
    if (branches.length > 0) throw new Refusal('InUse', `${id} is a trunk with ${branches.length} branches`, 'detach its branches first');
    if (nic.attachment.deviceIndex === 0) {
      throw new Refusal('PrimaryNic', `${id} is the first NIC of ${nic.attachment.instance}`, 'terminate the instance instead');
    }
    if (nic.attachment.state === 'detaching') return { status: 204 };
    transaction.put('nic', detachStuck === true ? stuck(nic, nic.attachment) : detached(nic));
    return { status: 204 };
  }),
];

function stuck(nic: Nic, attachment: Attachment): Nic {
  return { ...nic, attachment: { ...attachment, state: 'detaching' } };
}

function alreadyBranch({ id }: Nic, { trunk, vlan }: Branch): Refusal {
  return new Refusal('AlreadyAttached', `${id} is a branch of ${trunk} with VLAN ${vlan}`, 'detach it first');
}

function checkMayBranch(state: State, nic: Nic, { trunk: id, vlan }: Branch): void {
  const trunk = nicOf(state, id);
  const { attachment } = trunk;
  if (trunk.isTrunk !== true) throw new Refusal('NoTrunk', `${id} is no trunk`, 'create a NIC with isTrunk', 'trunk');
  if (attachment?.state !== 'attached')
    throw new Refusal('NotAttached', `trunk ${id} is attached to no instance`, 'attach the trunk first', 'trunk');
  if (nic.isTrunk === true) throw new Refusal('InvalidParameter', `${nic.id} is a trunk itself`, 'create a NIC without isTrunk');
  const instance = runningOf(state, attachment.instance);
  checkZone(state, nic, instance);
  const holder = branchesOf(state, id).find(({ branch }) => branch?.vlan === vlan);
  if (holder !== undefined) throw new Refusal('VlanTaken', `VLAN ${vlan} of ${id} is that of ${holder.id}`, 'choose a free one', 'vlan');
  const nics = [...state.nic.values()].filter((other) => other.attachment?.instance === instance.id);
  const count = nics.reduce((sum, other) => sum + branchesOf(state, other.id).length, 0);
  const { branches = 0 } = limitsOf(state, instance);
  if (count >= branches)
    throw new Refusal('BranchLimit', `${instance.id} has ${count} of ${branches} branches`, 'detach one, or use a larger instance type');
  checkSlots(nic, limitsOf(state, instance));
}

function checkZone(state: State, nic: Nic, instance: Instance): void {
  const { zone } = subnetOf(state, nic.subnet);
  if (zone === instance.zone) return;
  const text = `${nic.id} is in zone ${zone}, ${instance.id} in ${instance.zone}`;
  throw new Refusal('WrongZone', text, 'make the NIC in a subnet of the zone of the instance');
}

function checkMayAttach(state: State, nic: Nic, instance: Instance, deviceIndex: number): void {
  checkZone(state, nic, instance);
  const others = [...state.nic.values()].filter(({ attachment }) => attachment?.instance === instance.id);
  if (others.some(({ attachment }) => attachment?.deviceIndex === deviceIndex)) {
    throw new Refusal('DeviceIndexTaken', `${instance.id} has a NIC at index ${deviceIndex}`, 'choose a free index', 'deviceIndex');
  }
  const limits = limitsOf(state, instance);
  if (others.length >= limits.nics) {
    throw new Refusal(
      'NicLimit',
      `${instance.id} has ${others.length} of ${limits.nics} NICs`,
      'detach one, or use a larger instance type',
    );
  }
  checkSlots(nic, limits);
}
