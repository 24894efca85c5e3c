/** Attaching and detaching. */
import type { InstanceId, NicId } from '../cloud.ts';
import { object, text } from '../wire/shape.ts';
import { confirmed } from './fields.ts';
import { detachBranch, withoutBranches } from './branches.ts';
import type { Left } from './ec2.ts';
import { markIpv6 } from './mark-ipv6.ts';
import { Refused } from './refused.ts';
import { type Aws, look, lookAt, notOthers, ours, refusalAbout } from './surroundings.ts';

/** Pauses between attempts to have EC2 delete the interface with its instance. */
const pauses_ms = [200, 800];

/** Attaches, has the interface go with the instance, and its own IPv6 address marked as such again. @throws Failure cloud* */
export async function attachNic(nic: NicId, instance: InstanceId, deviceIndex: number, aws: Aws): Promise<void> {
  notOthers('AttachNetworkInterface', nic, aws);
  const left = aws.ec2.deadline();
  await attach(nic, instance, deviceIndex, aws, left);
  await markIpv6(nic, aws, left);
}

async function attach(nic: NicId, instance: InstanceId, deviceIndex: number, aws: Aws, left: Left): Promise<void> {
  const { ec2 } = aws;
  const action = 'AttachNetworkInterface';
  const parameters = { NetworkInterfaceId: nic, InstanceId: instance, DeviceIndex: deviceIndex };
  const call = {
    action,
    parameters,
    object: nic,
    read: (value: unknown, at: string) => text(object(value, at)['attachmentId'], `${at}.attachmentId`),
  };
  const answer = await ec2.ask(call, left);
  if (!(answer instanceof Refused)) return await goWithInstance(nic, answer, aws, left);
  // Attached already, index taken, state unfit: what is there tells which, for the codes do not.
  if (!mayBeSo.has(answer.code)) throw refusalAbout(nic, answer, call, aws);
  const there = await look('attachment.instance-id', [instance], ec2, left);
  const same = there.find((one) => one.nic.id === nic);
  const at = same?.nic.attachment;
  if (same?.attachmentId !== undefined && at?.deviceIndex === deviceIndex && at.state !== 'detaching') {
    return same.isDeletedWithInstance ? undefined : await goWithInstance(nic, same.attachmentId, aws, left);
  }
  const taken = there.find((one) => one.nic.attachment?.deviceIndex === deviceIndex && one.card === 0);
  if (taken === undefined || same !== undefined) throw refusalAbout(nic, answer, call, aws);
  throw ours('conflict', action, nic, `${taken.nic.id} has device index ${deviceIndex} of ${instance}: ${answer.words}`);
}

/** Codes for what may be so already, or is said of a taken index. */
const mayBeSo = new Set([
  'InvalidNetworkInterface.InUse',
  'InvalidParameterValue',
  'InvalidParameterCombination',
  'IncorrectState',
  'AttachmentLimitExceeded',
]);

/** Attach has no word for it. May be repeated, and is: without it an interface outlives its instance until the sweeper comes. */
async function goWithInstance(nic: NicId, attachment: string, aws: Aws, left: Left): Promise<void> {
  const parameters = { NetworkInterfaceId: nic, 'Attachment.AttachmentId': attachment, 'Attachment.DeleteOnTermination': true };
  const call = { action: 'ModifyNetworkInterfaceAttribute', parameters, object: nic, read: confirmed };
  for (let attempt = 0; ; attempt++) {
    const answer = await aws.ec2.ask(call, left);
    if (!(answer instanceof Refused)) return;
    const pause_ms = pauses_ms[attempt];
    if (pause_ms === undefined || pause_ms >= left()) throw refusalAbout(nic, answer, call, aws);
    await new Promise((resolve) => setTimeout(resolve, pause_ms));
  }
}

/** Detaches, from an instance or from a trunk. Success when it is attached to nothing, or leaving. @throws Failure cloud* */
export async function detachNic(nic: NicId, aws: Aws): Promise<void> {
  const { ec2 } = aws;
  const action = 'DetachNetworkInterface';
  notOthers(action, nic, aws);
  const left = ec2.deadline();
  const found = await lookAt(nic, action, aws, left);
  if (found.whose !== undefined) throw ours('invalid', action, nic, `by its tag ${found.whose} it is another program's`);
  if (found.isBranch) return await detachBranch(found, aws, left);
  const { attachment } = found.nic;
  if (found.attachmentId === undefined || attachment === undefined || attachment.state === 'detaching') return;
  if (attachment.deviceIndex === 0) throw ours('invalid', action, nic, 'the first interface of an instance stays');
  await withoutBranches(found, action, aws, left);
  const call = { action, parameters: { AttachmentId: found.attachmentId }, object: nic, read: confirmed };
  const answer = await ec2.ask(call, left);
  // Nobody is attached there any more.
  if (answer instanceof Refused && answer.code !== 'InvalidAttachmentID.NotFound') throw refusalAbout(nic, answer, call, aws);
}
