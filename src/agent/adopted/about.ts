/** What others than Flatpod have in the host about addresses of Pods. */
import type { FormerRoute, FormerRule } from '../../datapath/interface.ts';
import type { Ip } from '../../net/address.ts';
import type { KernelNumbers } from '../../store/node-config.ts';
import type { NodeAgent } from '../node-agent.ts';

/** What is ours in the kernel is known by the first, and leads to Pods by the other. */
export type OurNumbers = Pick<KernelNumbers, 'protocol' | 'firstTable'>;

/** Where no configuration says others (src/store/node-config.ts). */
export const usualNumbers: OurNumbers = { protocol: 114, firstTable: 7000 };

/** The numbers of what the agent makes. */
export function numbersOf({ cloud }: Pick<NodeAgent, 'cloud'>): OurNumbers {
  return cloud?.config.numbers ?? usualNumbers;
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
