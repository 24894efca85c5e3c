/** What others than Flatpod have in the host about addresses of Pods. */
import type { FormerRoute, FormerRule } from '../../datapath/interface.ts';
import type { Ip } from '../../net/address.ts';
import type { NodeAgent } from '../node-agent.ts';

/** Our protocol number when no configuration says another (src/store/node-config.ts). */
export const USUAL_PROTOCOL = 114;

/** The protocol number of what the agent makes. */
export function protocolOf({ cloud }: Pick<NodeAgent, 'cloud'>): number {
  return cloud?.config.numbers.protocol ?? USUAL_PROTOCOL;
}

/** Rules and routes that name the addresses themselves. A rule of a NIC of ours may do so too, for a block of one address: by the protocol `ours`. */
export function aboutThem(
  kernel: NodeAgent['kernel'],
  ours: number,
  addresses: readonly Ip[],
): { readonly routes: FormerRoute[]; readonly rules: FormerRule[] } {
  const links = new Map(kernel.links().map(({ index, name }) => [index, name]));
  const { routes, rules } = kernel.about(addresses);
  return {
    routes: routes.flatMap(({ dst, link: index, via, scope, table, protocol, metric }): FormerRoute[] => {
      const link = index === undefined ? undefined : links.get(index);
      if (protocol === ours || link === undefined || via !== undefined) return [];
      return [{ dst, link, scope, table, protocol, ...(metric !== undefined && { metric }) }];
    }),
    rules: rules.filter(({ protocol }) => protocol !== ours),
  };
}
