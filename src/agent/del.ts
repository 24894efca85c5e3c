/**
 * DEL: takes away what ADD gave. Succeeds when there is nothing to take: no netns, no record, no prevResult (a runtime asks up to three times).
 *
 * Invariants
 * - what to remove is known from our own record, found by container and interface alone: the runtime may have renamed the network since
 * - the address is given back only after the kernel has let go of it
 */
import { isLeased } from '../datapath/interface.ts';
import { allOf } from './adopted/ending.ts';
import { detach } from './attach.ts';
import { faultPoint } from './fault-point.ts';
import { forgetConnections } from './forget-connections.ts';
import { type Attachment, keyOf, type NodeAgent } from './node-agent.ts';

/** Of an interface that another main plugin made nothing is taken: its IPAM part asks for that. @throws Failure as endAttachment(). */
export async function del(node: NodeAgent, request: { readonly container: string; readonly ifname: string }): Promise<void> {
  faultPoint('del:1 request read');
  await endAttachment(node, request, (one) => !isLeased(one.interface));
}

/**
 * Takes whatever was given, when the attachment `isMeant`: asked on its turn, so that an ADD which was first is seen. Whether there was one.
 * @throws Failure when kernel or disk refuse; the attachment stays then, and the next DEL or the sweep tries again.
 */
export async function endAttachment(
  node: NodeAgent,
  request: { readonly container: string; readonly ifname: string },
  isMeant: (attachment: Attachment) => boolean = () => true,
): Promise<boolean> {
  using _turn = await node.locks.take(keyOf(request));
  const attachment = node.attachments.find(request.container, request.ifname);
  if (attachment === undefined || !isMeant(attachment)) return false;
  await node.kernel.remove(allOf(node, attachment.interface));
  faultPoint('del:2 kernel removed');
  const { addresses } = attachment.interface;
  // A rest outlasts this by far, and the runtime need not wait for it; without one the next owner may come at once.
  if ((node.cloud?.config.cooldown_s ?? 0) === 0) await forgetConnections(node.log, addresses);
  else setImmediate(() => void forgetConnections(node.log, addresses));
  detach(node, attachment, true);
  faultPoint('del:3 attachment closed');
  return true;
}
