/** A test namespace with a netlink socket in it, and by wish the veth pair that most tests need. */
import { decodeLink, getLink } from '../../src/kernel/netlink/link.ts';
import type { NetlinkSocket } from '../../src/kernel/netlink/socket.ts';
import { type TestNetns, testNetns } from './namespace.ts';

export interface TestHost extends Disposable {
  readonly ns: TestNetns;
  readonly socket: NetlinkSocket;
  /** The index of a link by its name. @throws RangeError when it is not there. */
  index(name: string): number;
}

/** A namespace and a socket. */
export function openHost(): TestHost {
  const ns = testNetns('host');
  try {
    const socket = ns.netns.socket();
    return {
      ns,
      socket,
      index(name) {
        const link = socket.get(getLink(name), decodeLink);
        if (link === undefined) throw new RangeError(`no link ${name}`);
        return link.index;
      },
      [Symbol.dispose]() {
        socket.close();
        ns[Symbol.dispose]();
      },
    };
  } catch (error) {
    ns[Symbol.dispose]();
    throw error;
  }
}

/** The same with a veth pair v0, v1: both up, 10.0.0.1/24 and fd00::1/64 on v0, v1 without addresses. */
export function openHostWithVeth(): TestHost {
  const host = openHost();
  try {
    host.ns.ip('link add v0 type veth peer name v1');
    for (const link of ['lo', 'v0', 'v1']) host.ns.ip(`link set ${link} up`);
    host.ns.ip('addr add 10.0.0.1/24 dev v0');
    host.ns.ip('addr add fd00::1/64 dev v0 nodad');
    return host;
  } catch (error) {
    host[Symbol.dispose]();
    throw error;
  }
}
