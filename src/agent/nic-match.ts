/**
 * The node's NICs as the kernel shows them, matched with what the controller granted: by MAC, since names and indexes are the node's own business; those
 * of a range, which no cloud has, by the name of the interface they stand on.
 */
import type { Kernel } from '../kernel/kernel.ts';
import { byRank, type Link } from '../kernel/netlink/link.ts';
import type { NamedNic } from '../datapath/host-table.ts';
import type { GrantedNic } from '../store/node-network.ts';

/** What every alias of a host end begins with (pod-interface.ts). */
const OWNER = 'flatpod:';

/**
 * The granted NICs that are plugged in right now, with their link names. Several links may have a NIC's MAC: a bridge or a veth of ours that borrowed it is
 * no NIC, and of the others the first by rank is the device. A NIC with a `parent` is plugged in when there is an interface of that name, whichever MAC it has; a branch when its trunk is.
 * `away`: NICs that Pods have taken along, by id, with their names at home. `before`: what this found the last time; a device that got another MAC since then is still the same.
 */
export function pluggedIn(
  kernel: Pick<Kernel, 'links'>,
  granted: readonly GrantedNic[],
  away: ReadonlyMap<string, string> = new Map(),
  before: readonly NamedNic[] = [],
): NamedNic[] {
  const links = kernel.links();
  const byMac = new Map<string, Link>();
  for (const link of links) {
    if (link.mac === undefined || link.kind === 'bridge' || link.alias?.startsWith(OWNER) === true) continue;
    const other = byMac.get(link.mac);
    if (other === undefined || byRank(link, other) < 0) byMac.set(link.mac, link);
  }
  const seenBefore = (nic: GrantedNic): Link | undefined => {
    const index = before.find((named) => named.nic.id === nic.id && named.nic.mac === nic.mac)?.device?.index;
    return index === undefined ? undefined : links.find((link) => link.index === index);
  };
  const ofNic = (nic: GrantedNic): Omit<NamedNic, 'nic'> | undefined => {
    const found = nic.parent === undefined ? (byMac.get(nic.mac) ?? seenBefore(nic)) : links.find(({ name }) => name === nic.parent);
    if (found !== undefined) return { link: found.name, device: found };
    const atHome = nic.parent === undefined ? away.get(nic.id) : undefined;
    return atHome === undefined ? undefined : { link: atHome };
  };
  return granted.flatMap((nic) => {
    const carrier = nic.trunk === undefined ? nic : granted.find(({ id }) => id === nic.trunk?.nic);
    const found = carrier && ofNic(carrier);
    return found === undefined ? [] : [{ nic, ...found }];
  });
}

/** Whether a change of that link may be one of a granted NIC. `seen`: what {@link pluggedIn} found the last time, whatever its names and MACs are now. */
export function isOfNic(
  { mac, name, index }: Pick<Link, 'mac' | 'name' | 'index'>,
  granted: readonly GrantedNic[],
  seen: readonly NamedNic[] = [],
): boolean {
  if (seen.some(({ device }) => device?.index === index)) return true;
  return granted.some((nic) => (nic.parent === undefined ? nic.mac === mac : nic.parent === name));
}
