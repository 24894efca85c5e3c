/** Plugging a NIC: a veth with one end in the router's namespace and the other born in the instance, while both run. */
import { writeSysctl } from '../../kernel/sysctl.ts';
import { bitsOf, type Ip, familyOf } from '../../net/address.ts';
import { type Cidr, contains, cidrOf, hostCidr, splitPrefix } from '../../net/cidr.ts';
import { constants } from 'node:os';
import { errno } from '../../kernel/errno.ts';
import { enslave, newForwarding, strictPort } from '../../kernel/bridge.ts';
import { newChild } from '../../kernel/netlink/child.ts';
import { newAddress } from '../../kernel/netlink/address.ts';
import { decodeLink, getLink, newVeth, setLink } from '../../kernel/netlink/link.ts';
import type { Message } from '../../kernel/netlink/message.ts';
import { MAIN_TABLE, newRoute } from '../../kernel/netlink/route.ts';
import { NetlinkError, type NetlinkSocket } from '../../kernel/netlink/socket.ts';
import { NAMED, type Netns, openNetns } from '../../kernel/netns.ts';
import type { Port } from './wanted.ts';

/** rtnetlink's number for routes that a DHCP client made (linux/rtnetlink.h RTPROT_DHCP): cloud-init's would look so. */
const DHCP = 16;
const LOOPBACK = 1;
const { EOPNOTSUPP } = constants.errno;
const defaults: Readonly<Record<4 | 6, Cidr>> = { 4: '0.0.0.0/0' as Cidr, 6: '::/0' as Cidr };

/** A router's namespace with a socket in it. */
export interface RouterNetns {
  readonly netns: Netns;
  readonly socket: NetlinkSocket;
}

/** What the router's end carries as alias: by it a port is known to lead where it should. */
export function aliasOf({ end, mac, bridge, branch }: Port): string {
  return `${end.netns} ${end.name} ${mac ?? ''} ${bridge ?? ''} ${branch?.trunk ?? ''} ${branch?.vlan ?? ''}`.trimEnd();
}

/**
 * Plugs the NIC in. `bridge` is the index of the port's bridge, when it has one. The port comes up only once it is strict.
 * @throws NetlinkError, Failure. A port half made has no alias and is made anew by the next run.
 */
export function plug({ netns: near, socket: router }: RouterNetns, port: Port, bridge: number | undefined): void {
  using far = openNetns(`${NAMED}/${port.end.netns}`);
  if (!madeAsVlan(router, port)) {
    makeVeth(router, far, port);
    if (port.branch !== undefined) writeSysctl(near, `net/ipv6/conf/${port.end.name}/disable_ipv6`, '1');
  }
  const index = indexOf(router, port.name);
  if (bridge !== undefined) {
    // The port is a plug, not a host: it must not speak IPv6 of its own to the instance.
    writeSysctl(near, `net/ipv6/conf/${port.name}/disable_ipv6`, '1');
    router.request(enslave(index, bridge));
    router.request(strictPort(index));
    if (port.mac !== undefined) router.request(newForwarding(index, port.mac));
  }
  router.request(setLink(index, { up: true }));
  for (const address of port.near) router.request(newAddress({ link: index, address, length: bitsOf(familyOf(address)) }));
  if (port.configure !== undefined) {
    const inside = far.socket();
    try {
      configure(inside, indexOf(inside, port.end.name), port.configure);
    } finally {
      inside.close();
    }
  }
  router.request(setLink(index, { alias: aliasOf(port) }));
}

/** A branch's port, where the kernel knows VLANs: the trunk's own VLAN link. false: it does not, or it is no branch. */
function madeAsVlan(router: NetlinkSocket, { name, mtu, branch }: Port): boolean {
  if (branch === undefined) return false;
  const trunk = indexOf(router, branch.trunk);
  try {
    router.request(newChild({ name, mtu }, { type: 'vlan', id: branch.vlan }, trunk));
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === EOPNOTSUPP) return false;
    throw error;
  }
}

function makeVeth(router: NetlinkSocket, far: Netns, { name: near, mtu, end, configure: how }: Port): void {
  const make = (name: string): void =>
    router.request(newVeth({ name: near, mtu }, { name, mtu, ...(end.mac && { mac: end.mac }), netnsFd: far.fd }));
  try {
    make(end.name);
  } catch (error) {
    // It comes back, and something else has its name by now: then the kernel chooses, as for hardware.
    if (how !== undefined || !(error instanceof NetlinkError) || error.errno !== errno.EEXIST) throw error;
    make('eth%d');
  }
}

/** What cloud-init does for a first NIC: loopback and link up, addresses, default routes. */
function configure(inside: NetlinkSocket, link: number, { addresses, gateways }: NonNullable<Port['configure']>): void {
  inside.request(setLink(LOOPBACK, { up: true }));
  inside.request(setLink(link, { up: true }));
  for (const { ip, length } of addresses.map(split)) inside.request(newAddress({ link, address: ip, length }));
  for (const gateway of gateways) for (const message of defaultRoute(link, gateway, addresses)) inside.request(message);
}

/** A gateway outside of the addresses' networks needs a route on the link first; link-local ones never do. */
function defaultRoute(link: number, via: Ip, addresses: readonly Cidr[]): Message[] {
  const family = familyOf(via);
  const onLink = via.startsWith('fe80:') || addresses.map(split).some(({ ip, length }) => contains(cidrOf(ip, length), via));
  const route = { link, table: MAIN_TABLE, protocol: DHCP } as const;
  const toGateway = newRoute({ ...route, dst: hostCidr(via), scope: 'link' });
  return [...(onLink ? [] : [toGateway]), newRoute({ ...route, dst: defaults[family], via, scope: 'global' })];
}

function split(address: Cidr): { ip: Ip; length: number } {
  const parts = splitPrefix(address);
  if (parts === undefined) throw new RangeError(`not an interface address: ${address}`);
  return parts;
}

/** @throws Error when there is no link of that name: it has just been made, so somebody took it away. */
export function indexOf(socket: NetlinkSocket, name: string): number {
  const link = socket.get(getLink(name), decodeLink);
  if (link === undefined) throw new Error(`the link ${name} is gone`);
  return link.index;
}
