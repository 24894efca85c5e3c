/** GC: removes every attachment of the network that the runtime no longer knows. It goes on after a failure and reports all of them together. */
import type { GcRequest } from '../cni/request.ts';
import { asFailure, failure, sentence } from '../errors/failure.ts';
import { isNetns } from '../kernel/netns.ts';
import { del } from './del.ts';
import { type Attachment, keyOf, type NodeAgent } from './node-agent.ts';

/** Without a list from the runtime nothing is known but this: an attachment whose namespace is gone is stale. @throws Failure gcIncomplete. */
export async function gc(node: NodeAgent, request: GcRequest): Promise<void> {
  const valid = request.validAttachments && new Set(request.validAttachments.map(keyOf));
  const stale = node.attachments
    .list()
    .filter((attachment) => attachment.network === request.config.name)
    .filter((attachment) => (valid === undefined ? !isNetns(attachment.netns) : !valid.has(keyOf(calledFor(attachment)))));
  const errors: string[] = [];
  for (const attachment of stale) {
    try {
      await del(node, attachment);
      node.log.info(`GC removed ${keyOf(attachment)}`, { addresses: attachment.interface.addresses.join(' ') });
    } catch (error) {
      errors.push(`${keyOf(attachment)}: ${sentence(asFailure(error))}`);
    }
  }
  if (errors.length > 0) throw failure('gcIncomplete', { failed: errors.length, stale: stale.length, errors: errors.join('; ') });
}

/** The attachment by the names that the runtime knows. */
function calledFor({ container, ifname, interface: { calledAs } }: Attachment): { readonly container: string; readonly ifname: string } {
  return { container, ifname: calledAs ?? ifname };
}
