/** The node's NICs as the kernel shows them, matched with what the controller granted, by MAC: names and indexes are the node's own business. */
import type { Kernel } from '../kernel/kernel.ts';
import type { Link } from '../kernel/netlink/link.ts';
import type { NamedNic } from '../datapath/host-table.ts';
import type { GrantedNic } from '../store/node-network.ts';

/** What every alias of a host end begins with (pod-interface.ts). */
const OWNER = 'flatpod:';

/**
 * The granted NICs that are plugged in right now, with their link names. Several links may have a NIC's MAC: a bridge or a veth of ours that borrowed it is
 * no NIC; of a bond, or a virtual function and the device that stands for both, the one that is nobody's member has the addresses; VLANs and the like are made
 * after the link they stand on, and have a higher index.
 */
export function pluggedIn(kernel: Pick<Kernel, 'links'>, granted: readonly GrantedNic[]): NamedNic[] {
  const byMac = new Map<string, Link>();
  for (const link of kernel.links()) {
    if (link.mac === undefined || link.kind === 'bridge' || link.alias?.startsWith(OWNER) === true) continue;
    const other = byMac.get(link.mac);
    if (other === undefined || compare(link, other) < 0) byMac.set(link.mac, link);
  }
  return granted.flatMap((nic) => {
    const link = byMac.get(nic.mac);
    return link === undefined ? [] : [{ nic, link: link.name }];
  });
}

function compare(a: Link, b: Link): number {
  return Number(a.master !== undefined) - Number(b.master !== undefined) || a.index - b.index;
}
