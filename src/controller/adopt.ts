/**
 * What nodes were told they have of ranges, and the ledger does not: written down again before anything is given. Somebody may have deleted it there. What
 * was taken back a moment before the last leader ended is told so too: to the node that has given it back already, which does so again.
 */
import { rangeNic } from '../cloud/range/ids.ts';
import type { Ledger } from '../cloud/range/ledger.ts';
import { placesOf } from '../cloud/range/units.ts';
import type { Log } from '../log.ts';
import type { Cidr } from '../net/cidr.ts';
import type { NodeNetwork } from '../store/node-network.ts';

/** What another node has by the ledger stays its own. @throws Failure cloudUnavailable */
export async function adoptGranted(ledger: Ledger, nodes: readonly NodeNetwork[], log: Log): Promise<void> {
  const changes = nodes.flatMap(({ name: node, status }) =>
    status.nics.flatMap(({ id, subnet: podSubnet, blocks }) => {
      if (podSubnet === undefined || id !== rangeNic(podSubnet, node)) return [];
      const has = new Set(ledger.ofNode(node).get(podSubnet));
      const unknown = blocks.filter((block) => !has.has(block));
      return unknown.map((block) => adopt(ledger, { node, podSubnet }, block, log));
    }),
  );
  await Promise.all(changes);
}

async function adopt(ledger: Ledger, holder: { readonly node: string; readonly podSubnet: string }, block: Cidr, log: Log): Promise<void> {
  const places = placesOf(block);
  if (places === undefined) return;
  const all = Array.from({ length: places.to - places.from }, (_, i) => places.from + i);
  const isFree = await ledger.change(places.slice, (slice) => {
    const free = all.filter((place) => slice.isFree(place));
    slice.give(holder, free);
    return free.length === all.length;
  });
  const what = isFree ? 'is written down again' : 'is another node’s by the ledger: is there a Pod of each with one address?';
  log.warn(`${block} of PodSubnet ${holder.podSubnet}, which the ledger lacked, ${what}`, { node: holder.node });
}
