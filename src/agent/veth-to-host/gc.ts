/** GC of veth-to-host: removes every helper of the network that the runtime no longer knows. It goes on after a failure and reports all of them together. */
import type { VethToHostGc } from '../../cni/veth-to-host-request.ts';
import { asFailure, failure, sentence } from '../../errors/failure.ts';
import { isNetns } from '../../kernel/netns.ts';
import { type ChainNode, chainedName, chainedLinksOf } from './chain-node.ts';
import { del } from './del.ts';

/** Without a list from the runtime nothing is known but this: a helper whose namespace is gone is stale. @throws Failure gcIncomplete. */
export async function gc(node: ChainNode, request: VethToHostGc): Promise<void> {
  const valid = request.validAttachments && new Set(request.validAttachments.map(({ container, ifname }) => `${container}/${ifname}`));
  const stale = chainedLinksOf(node)
    .list()
    .filter(({ network }) => network === request.network)
    .filter((link) => (valid === undefined ? !isNetns(link.interface.netns) : !valid.has(`${link.container}/${link.ifname}`)));
  const errors: string[] = [];
  for (const link of stale) {
    try {
      await del(node, link);
      node.log.info(`GC removed ${chainedName(link)}`);
    } catch (error) {
      errors.push(`${chainedName(link)}: ${sentence(asFailure(error))}`);
    }
  }
  if (errors.length > 0) throw failure('gcIncomplete', { failed: errors.length, stale: stale.length, errors: errors.join('; ') });
}
