/** Being a member of IPv6 multicast groups: the interface lets their frames in, and switches that watch memberships (MLD, RFC 3810) pass them on. */
import { type Ip, ipToBytes } from '../net/address.ts';
import { native } from './native.ts';
import { AF_INET6 } from './netlink/address.ts';

const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const IPPROTO_IPV6 = 41;
const IPV6_JOIN_GROUP = 20;

/**
 * Joins the groups on the link with that index, in the calling thread's current namespace, until it is disposed of. Does nothing where the link has
 * IPv6 off, as its own kernel wants no such frames then: ff02::1 goes through every switch all the same.
 */
export function joinGroups(index: number, groups: readonly Ip[]): Disposable {
  const fd = groups.length === 0 ? -1 : native.socket(AF_INET6, SOCK_DGRAM_CLOEXEC, 0);
  for (const group of fd < 0 ? [] : groups) {
    const request = Buffer.alloc(20); // struct ipv6_mreq
    request.set(ipToBytes(group), 0);
    request.writeInt32LE(index, 16);
    native.setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, request);
  }
  return { [Symbol.dispose]: () => void (fd >= 0 && native.close(fd)) };
}
