/** What the kernel should hold for the helpers of this node: for repair. */
import { chainedHostPlan, chainedPlan } from '../../datapath/veth-to-host.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { Plan } from '../../kernel/state.ts';
import { familyOf } from '../../net/address.ts';
import { type ChainedLink, type ChainNode, chainedKey, chainedLinksOf } from './chain-node.ts';

/** That of the host, if there is any helper that stays, and that of each helper which no verb is working on. Records that cannot be read are a line in the log. */
export function chainedPlans(node: Pick<ChainNode, 'database' | 'locks' | 'log'>): Plan[] {
  const links = readLinks(node);
  if (links.length === 0) return [];
  const families = ([4, 6] as const).filter((family) =>
    links.some((link) => link.interface.addresses.some((ip) => familyOf(ip) === family)),
  );
  const idle = links.filter((link) => link.state === 'there' && !node.locks.held(chainedKey(link)));
  return [chainedHostPlan(families), ...idle.map((link) => chainedPlan(link.interface))];
}

function readLinks(node: Pick<ChainNode, 'database' | 'log'>): ChainedLink[] {
  try {
    return chainedLinksOf(node)
      .list()
      .filter(({ state }) => state !== 'going');
  } catch (error) {
    node.log.error(`helpers of veth-to-host are not looked after: ${sentence(asFailure(error))}`);
    return [];
  }
}
