/** GC: removes every attachment of the network that the runtime no longer knows. It goes on after a failure and reports all of them together. */
import type { GcRequest } from '../cni/request.ts';
import { isMade } from '../datapath/interface.ts';
import { isNetns } from '../kernel/netns.ts';
import { del } from './del.ts';
import { type Attachment, keyOf, type NodeAgent } from './node-agent.ts';
import { removeStale } from './remove-stale.ts';

/** Without a list from the runtime nothing is known but this: an attachment whose namespace is gone is stale. @throws Failure gcIncomplete. */
export async function gc(node: NodeAgent, request: GcRequest): Promise<void> {
  const valid = request.validAttachments && new Set(request.validAttachments.map(keyOf));
  const stale = node.attachments
    .list()
    .filter((attachment) => attachment.network === request.config.name && isMade(attachment.interface))
    .filter((attachment) => (valid === undefined ? !isNetns(attachment.netns) : !valid.has(keyOf(calledFor(attachment)))));
  await removeStale(stale, keyOf, async (attachment) => {
    await del(node, attachment);
    node.log.info(`GC removed ${keyOf(attachment)}`, { addresses: attachment.interface.addresses.join(' ') });
  });
}

/** The attachment by the names that the runtime knows. */
function calledFor({ container, ifname, interface: { calledAs } }: Attachment): { readonly container: string; readonly ifname: string } {
  return { container, ifname: calledAs ?? ifname };
}
