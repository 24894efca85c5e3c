/** GC of veth-to-host: removes every helper of the network that the runtime no longer knows. It goes on after a failure and reports all of them together. */
import type { VethToHostGc } from '../../cni/veth-to-host-request.ts';
import { isNetns } from '../../kernel/netns.ts';
import { removeStale } from '../remove-stale.ts';
import { type ChainNode, chainedName, chainedLinksOf } from './chain-node.ts';
import { del } from './del.ts';

/** Without a list from the runtime nothing is known but this: a helper whose namespace is gone is stale. @throws Failure gcIncomplete. */
export async function gc(node: ChainNode, request: VethToHostGc): Promise<void> {
  const valid = request.validAttachments && new Set(request.validAttachments.map(({ container, ifname }) => `${container}/${ifname}`));
  const stale = chainedLinksOf(node)
    .list()
    .filter(({ network }) => network === request.network)
    .filter((link) => (valid === undefined ? !isNetns(link.interface.netns) : !valid.has(`${link.container}/${link.ifname}`)));
  await removeStale(stale, chainedName, async (link) => {
    await del(node, link);
    node.log.info(`GC removed ${chainedName(link)}`);
  });
}
