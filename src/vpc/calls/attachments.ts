/** Attaching NICs to instances and detaching them. Both may be repeated: what is already so succeeds. */
import * as z from 'zod';
import { checkSlots } from '../model/assign.ts';
import { limitsOf, subnetOf } from '../model/find.ts';
import type { Attachment, Instance, Nic, State } from '../model/objects.ts';
import { Refusal } from '../model/refusal.ts';
import { type Call, change } from './call.ts';
import * as inputs from './inputs.ts';
import { runningOf } from './instances.ts';
import { detached, nicOf } from './nics.ts';

const attach = z.strictObject({ instance: inputs.instanceId, deviceIndex: z.int().min(1).max(255) });

/** The calls of this file. */
export const attachmentCalls: readonly Call[] = [
  change('AttachNic', 'POST', '/v1/nics/:id/attach', attach, (transaction, { id, body }) => {
    const { state } = transaction;
    const nic = nicOf(state, id);
    const instance = runningOf(state, body.instance);
    const { attachment } = nic;
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
  change('DetachNic', 'POST', '/v1/nics/:id/detach', undefined, (transaction, { id }, { detachStuck }) => {
    const nic = nicOf(transaction.state, id);
    if (nic.attachment === undefined) return { status: 204 };
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

function checkMayAttach(state: State, nic: Nic, instance: Instance, deviceIndex: number): void {
  const { zone } = subnetOf(state, nic.subnet);
  if (zone !== instance.zone) {
    throw new Refusal(
      'WrongZone',
      `${nic.id} is in zone ${zone}, ${instance.id} in ${instance.zone}`,
      'make the NIC in a subnet of the zone of the instance',
    );
  }
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
