/** Who has an address that a claim asks for, when that is no claim: an ordinary Pod, or the pool of a node. */
import * as z from 'zod';
import type { KubeApi } from '../../kube/api.ts';
import { familyOf, type Ip } from '../../net/address.ts';
import { type Cidr, cidrOf, hostCidr } from '../../net/cidr.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import type { NodeNetwork } from '../../store/node-network.ts';
import { Groups } from './groups.ts';

/** A block on a node, with an address that somebody asks for. */
export interface Occupant {
  readonly node: string;
  readonly block: Cidr;
  /** Goes on after the address: `is used by Pod a/b`. */
  readonly words: string;
}

const pod = z.object({
  metadata: z.object({ namespace: z.string(), name: z.string() }),
  status: z.object({ podIPs: z.array(z.object({ ip: z.string() })).default([]) }).prefault({}),
});

/** Of those addresses the ones that nodes were granted for ordinary Pods, and who has them. @throws Failure kube* */
export async function occupantsOf(
  api: Pick<KubeApi, 'list'>,
  networks: readonly NodeNetwork[],
  addresses: readonly Ip[],
): Promise<ReadonlyMap<Ip, Occupant>> {
  const found = new Map<Ip, Occupant>();
  if (addresses.length === 0) return found;
  // Nodes may have many blocks in all: they are looked up, not taken apart.
  const wanted = new Groups<Cidr, Ip>();
  for (const address of addresses) for (const block of blocksWith(address)) wanted.add(block, address);
  for (const { name: node, status } of networks) {
    for (const { blocks, claimed = [] } of status.nics) {
      for (const block of blocks) {
        const inside = wanted.of(block);
        if (inside.length === 0 || claimed.includes(block)) continue;
        for (const address of inside) found.set(address, { node, block, words: await wordsFor(api, node, block, address) });
      }
    }
  }
  return found;
}

/** As interfaces have them: the address alone, or a /28, or a /80 of IPv6. */
function blocksWith(address: Ip): Cidr[] {
  return [hostCidr(address), cidrOf(address, familyOf(address) === 4 ? 28 : 80)];
}

async function wordsFor(api: Pick<KubeApi, 'list'>, node: string, block: Cidr, address: Ip): Promise<string> {
  const { items } = await api.list(resources.pods, (value) => pod.parse(value), { fieldSelector: `spec.nodeName=${node}` });
  const user = items.find(({ status }) => status.podIPs.some(({ ip }) => ip === address));
  if (user !== undefined) return `is used by Pod ${user.metadata.namespace}/${user.metadata.name} on node ${node}`;
  return block === hostCidr(address)
    ? `is one of the free addresses of node ${node}`
    : `lies in ${block}, which node ${node} has for its Pods`;
}
