/** Tells a network where an address is from now on (RFC 5227, section 2.3; RFC 4861, section 7.2.6), so that nobody goes on with what they remember. */
import type { Ip } from '../net/address.ts';
import { protocolOf } from './address-probe.ts';
import { decodeLink, getLink } from './netlink/link.ts';
import { NetlinkSocket } from './netlink/socket.ts';
import { type Netns, openNetns } from './netns.ts';
import { openPacketSocket } from './packet-socket.ts';

/**
 * Announces the addresses once, each by its family's protocol. Sent from inside of the Pod and by its own link, not from the parent: so the network's
 * switches learn at which port the Pod's MAC is, and other children of the same parent, which the parent does not reach, hear it too.
 * Succeeds when the link is gone or has no MAC: then there is nothing to tell.
 * @throws Failure netnsMissing, notNetns, hostNetns, NetlinkError when the kernel refuses.
 */
export function announceAddresses(path: string, name: string, addresses: readonly Ip[]): void {
  using netns = openNetns(path);
  announceFrom(netns, name, addresses);
}

/** The same by a link of the host, which is `netns` or the process's own namespace: of addresses that it answers for. @throws NetlinkError. */
export function announceFrom(netns: Netns | undefined, name: string, addresses: readonly Ip[]): void {
  const netlink = netns?.socket() ?? new NetlinkSocket();
  try {
    const link = netlink.get(getLink(name), decodeLink);
    if (link?.mac === undefined) return;
    const { index, mac } = link;
    using socket = netns === undefined ? openPacketSocket(index) : netns.run(() => openPacketSocket(index));
    for (const address of addresses) socket.send(protocolOf(address).announcement(address, mac));
  } finally {
    netlink.close();
  }
}
