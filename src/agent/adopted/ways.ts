/**
 * How Pods of ours reach one of a former plugin's on the same node. Our rules by sender come before that plugin's rules by receiver, and would lead their packets out
 * by an interface; the table of Pods comes before both (docs/adr/0011).
 */
import type { AdoptedInterface, FormerRoute } from '../../datapath/interface.ts';
import { podTableOf } from '../../datapath/nic.ts';
import { isFailure } from '../../errors/failure.ts';
import { MAIN_TABLE } from '../../kernel/netlink/route.ts';
import { inNetns } from '../../kernel/state.ts';
import type { NodeAgent } from '../node-agent.ts';
import type { OurNumbers } from './about.ts';

/**
 * What main says of it, for the table of Pods; like there, it goes with the veth. None of a Pod whose veth is not its very interface, or is not known to be: that
 * one is on the network by itself, and would answer by another way. None beside main either: who routes a Pod by a table of its own wants its packets elsewhere.
 */
export function waysTo(
  { kernel }: Pick<NodeAgent, 'kernel'>,
  numbers: OurNumbers,
  found: Pick<AdoptedInterface, 'netns' | 'ifname' | 'hostEnd' | 'routes'>,
): FormerRoute[] {
  const { hostEnd, routes } = found;
  if (hostEnd === undefined || !isItsInterface(kernel, found)) return [];
  const here = routes.filter(({ link, table }) => link === hostEnd.link && table === MAIN_TABLE);
  const [table, { protocol }] = [podTableOf(numbers), numbers];
  // Twice there with other metrics, it is one way.
  return [...Map.groupBy(here, ({ dst }) => dst)].flatMap(([dst, [first]]) =>
    first === undefined ? [] : [{ dst, link: first.link, scope: first.scope, table, protocol }],
  );
}

/** Whether the interface that has the Pod's addresses is the other end of the veth. */
function isItsInterface(kernel: NodeAgent['kernel'], { netns, ifname, hostEnd }: Parameters<typeof waysTo>[2]): boolean {
  if (netns === '') return false;
  try {
    const own = kernel.look(inNetns(netns)).links.get(ifname);
    const end = kernel.links().find(({ name }) => name === hostEnd?.link);
    // Each namespace counts its links for itself: one of the two alone may be so by chance.
    return own?.kind === 'veth' && end?.peer === own.index && own.peer === end.index;
  } catch (error) {
    // It ends at this moment.
    if (isFailure(error, 'netnsMissing') || isFailure(error, 'notNetns')) return false;
    throw error;
  }
}
