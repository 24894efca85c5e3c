/** The node's NICs as the kernel shows them, matched with what the controller granted, by MAC: names and indexes are the node's own business. */
import type { Kernel } from '../kernel/kernel.ts';
import type { Link } from '../kernel/netlink/link.ts';
import type { NamedNic } from '../datapath/host-table.ts';
import type { GrantedNic } from '../store/node-network.ts';

/** The granted NICs that are plugged in right now, with their link names. A veth of ours or a bridge that borrowed a NIC's MAC is no NIC. */
export function pluggedIn(kernel: Kernel, granted: readonly GrantedNic[], linkPrefix: string): NamedNic[] {
  const byMac = new Map<string, Link>();
  for (const link of kernel.links()) {
    if (link.mac === undefined || link.kind === 'bridge' || link.name.startsWith(linkPrefix)) continue;
    byMac.set(link.mac, link);
  }
  return granted.flatMap((nic) => {
    const link = byMac.get(nic.mac);
    return link === undefined ? [] : [{ nic, link: link.name }];
  });
}
