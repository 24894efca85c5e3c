/** Proof that nothing is left of any Pod: asked of the kernel of each node and of the cloud. */
import { decodeLink, dumpLinks } from '../../kernel/netlink/link.ts';
import { decodeRoute, dumpRoutes } from '../../kernel/netlink/route.ts';
import { decodeRule, dumpRules } from '../../kernel/netlink/rule.ts';
import { openNetns } from '../../kernel/netns.ts';
import { listNft } from '../../kernel/nft.ts';
import type { VpcApi } from './api.ts';

/** What is counted, in the order in which it is shown. */
const kinds = ['links', 'routes', 'rules', 'nft tables', 'secondary addresses', 'further NICs'] as const;

/** How many of each kind there are. All must be 0. */
export type Leftovers = Readonly<Record<(typeof kinds)[number], number>>;

/** Those of all nodes together. */
export function sumOf(nodes: readonly Leftovers[]): Leftovers {
  const sum = { links: 0, routes: 0, rules: 0, 'nft tables': 0, 'secondary addresses': 0, 'further NICs': 0 };
  for (const kind of kinds) for (const node of nodes) sum[kind] += node[kind];
  return sum;
}

/** Counts what of Flatpod is in the namespace of a node and on the NICs of its instance. */
export async function leftoversOf(netnsPath: string, instance: string, api: VpcApi, protocol: number): Promise<Leftovers> {
  using netns = openNetns(netnsPath);
  const socket = netns.socket();
  try {
    const families = [4, 6] as const;
    const nics = await api.call<{ items: { attachment?: { deviceIndex: number }; blocks: string[] }[] }>(
      'GET',
      `/v1/nics?instance=${instance}`,
    );
    return {
      links: socket.dump(dumpLinks(), decodeLink).filter((link) => link.alias?.startsWith('flatpod:') === true).length,
      routes: families.flatMap((family) => socket.dump(dumpRoutes(family, { protocol }), decodeRoute)).length,
      rules: families.flatMap((family) => socket.dump(dumpRules(family), decodeRule)).filter((rule) => rule.protocol === protocol).length,
      'nft tables': JSON.stringify(listNft(netns, 'tables')).includes('"flatpod"') ? 1 : 0,
      'secondary addresses': nics.items.reduce((sum, nic) => sum + nic.blocks.length, 0),
      'further NICs': nics.items.filter((nic) => nic.attachment?.deviceIndex !== 0).length,
    };
  } finally {
    socket.close();
  }
}
