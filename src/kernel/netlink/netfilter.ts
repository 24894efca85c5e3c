/** What nftables and conntrack share: nfnetlink's socket protocol, message types and header (linux/netfilter/nfnetlink.h, linux/netfilter.h). */

/** NETLINK_NETFILTER, for {@link NetlinkSocket}. */
export const NETFILTER = 12;

/** NFNL_SUBSYS_*: the high byte of a message's type. */
export const subsystem = { conntrack: 1, nftables: 10 } as const;

/** NFPROTO_*. */
export const protocolFamily = { inet: 1, ip: 2, ip6: 10 } as const;

/** nfgenmsg: family, version 0, resource id in network order. */
export function nfgenmsg(family: number, resource = 0): Buffer {
  return Buffer.of(family, 0, resource >> 8, resource & 0xff);
}

/** A message type of a subsystem. */
export function typeIn(system: number, message: number): number {
  return (system << 8) | message;
}
