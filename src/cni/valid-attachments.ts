/** GC's list of the attachments that the runtime still knows. */
import { fieldsOf, list, text, wrong } from './fields.ts';
import { acceptable, type ContainerId, type IfName, tryContainerId, tryIfName } from './names.ts';

/** An attachment by its two names: all that identifies it. */
export interface AttachmentName {
  readonly container: ContainerId;
  readonly ifname: IfName;
}

/**
 * The list, in either of its two spellings; when both are there, what is in one of them is valid. undefined when the key is absent or null:
 * that carries no information, unlike `[]`, by which nothing is valid.
 * @throws Failure configInvalid: an entry that cannot be read might be a Pod that lives.
 */
export function readValidAttachments(config: Record<string, unknown>): readonly AttachmentName[] | undefined {
  const fields = fieldsOf(config, '');
  const lists = ['cni.dev/valid-attachments', 'cni.dev/attachments']
    .map((key) => list(fields, key, attachmentName))
    .filter((found) => found !== undefined);
  return lists.length === 0 ? undefined : lists.flat();
}

function attachmentName(member: unknown, path: string): AttachmentName {
  const fields = fieldsOf(member, path, true);
  const container = text(fields, 'containerID', `a container id: ${acceptable.container}`, tryContainerId);
  const ifname = text(fields, 'ifname', `an interface name: ${acceptable.ifname}`, tryIfName);
  if (container === undefined || ifname === undefined) throw wrong(path, member, 'an object with containerID and ifname');
  return { container, ifname };
}
