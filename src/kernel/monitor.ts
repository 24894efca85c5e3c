/**
 * What changes in the host's network, as it happens: rtnetlink multicast. Delivered on a later turn of the event loop, in order.
 * What requests of our own socket caused is left out, as far as the kernel says whose they were (nlmsg_pid; of links it does not), and so is what the
 * kernel does to its own routes.
 * When the kernel dropped events (ENOBUFS) the listener hears `overrun` and must look for itself: nothing is assumed.
 */
import { errno } from './errno.ts';
import { native } from './native.ts';
import { monitorFilter } from './monitor-filter.ts';
import { decodeAddress, RTM_DELADDR, RTM_NEWADDR } from './netlink/address.ts';
import { decodeLink, type Link, RTM_DELLINK, RTM_NEWLINK } from './netlink/link.ts';
import { type Received, messagesIn } from './netlink/message.ts';
import { decodeRoute, RTM_DELROUTE, type Route } from './netlink/route.ts';
import { decodeRule, RTM_DELRULE, type Rule } from './netlink/rule.ts';
import { NetlinkSocket } from './netlink/socket.ts';
import type { Netns } from './netns.ts';
import type { LinkAddress } from './netlink/address.ts';

/** One change. New links are told because a NIC may have been plugged in, or a link of ours set down. */
export type KernelEvent =
  | { readonly kind: 'link'; readonly link: Link }
  | { readonly kind: 'link-gone'; readonly link: Link }
  /** Is there, or is another than it was. */
  | { readonly kind: 'address'; readonly address: LinkAddress }
  | { readonly kind: 'address-gone'; readonly address: LinkAddress }
  | { readonly kind: 'route-gone'; readonly route: Route }
  | { readonly kind: 'rule-gone'; readonly rule: Rule }
  /** Somebody else changed an nftables table of ours. `by`: who, as far as the kernel says. */
  | { readonly kind: 'nft-changed'; readonly table: string; readonly by: string }
  | { readonly kind: 'overrun' };

// RTNLGRP_* of linux/rtnetlink.h as bits: LINK 1, IPV4_IFADDR 5, IPV4_ROUTE 7, IPV4_RULE 8, IPV6_IFADDR 9, IPV6_ROUTE 11, IPV6_RULE 19.
const GROUPS = [1, 5, 7, 8, 9, 11, 19].reduce((mask, group) => mask | (1 << (group - 1)), 0);
const MSG_DONTWAIT = 0x40;
const inbox = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Watches a namespace, the process's own when undefined; `own`: the port of the socket by which we change it ourselves. Returns the way to stop: the
 * listener is not called again, not even with what was heard before.
 */
export function watchKernel(netns: Netns | undefined, own: number, listener: (event: KernelEvent) => void): () => void {
  const open = (): NetlinkSocket => new NetlinkSocket(0, GROUPS, monitorFilter(own));
  const socket = netns === undefined ? open() : netns.run(open);
  let stopped = false;
  let pending: KernelEvent[] = [];
  const deliver = (): void => {
    const events = pending;
    pending = [];
    for (const event of events) if (!stopped) listener(event);
  };
  const stop = native.watchReadable(socket.fd, () => {
    // No promise may be touched in here (FFI callback): collect, and hand over on the next turn.
    const before = pending.length;
    drain(socket.fd, pending);
    if (before === 0 && pending.length > 0) setImmediate(deliver);
  });
  return () => {
    stopped = true;
    stop();
    socket.close();
  };
}

function drain(fd: number, into: KernelEvent[]): void {
  for (;;) {
    const length = native.recv(fd, inbox, MSG_DONTWAIT);
    if (length === -errno.EINTR) continue;
    if (length === -errno.ENOBUFS) into.push({ kind: 'overrun' });
    else if (length < 0) return;
    else {
      for (const received of messagesIn(inbox.subarray(0, length))) {
        const event = eventOf(received);
        if (event !== undefined) into.push(event);
      }
    }
  }
}

/** The event a multicast message tells; undefined when it is of no interest. */
export function eventOf(received: Received): KernelEvent | undefined {
  switch (received.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      // A bridge port that leaves its bridge is told as DELLINK of family AF_BRIDGE: the link itself stays.
      if (received.payload[0] !== 0) return undefined;
      const link = decodeLink(received);
      return link && { kind: received.type === RTM_NEWLINK ? 'link' : 'link-gone', link };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeAddress(received);
      return address && { kind: received.type === RTM_NEWADDR ? 'address' : 'address-gone', address };
    }
    case RTM_DELROUTE: {
      const route = decodeRoute(received);
      return route && { kind: 'route-gone', route };
    }
    case RTM_DELRULE: {
      const rule = decodeRule(received);
      return rule && { kind: 'rule-gone', rule };
    }
    default:
      return undefined;
  }
}
