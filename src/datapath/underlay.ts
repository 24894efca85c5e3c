/**
 * ipvlan, macvlan, nic, branch: the Pod has its address on the network itself, by a link of its own.
 *
 *     Pod   eth0 10.20.0.9/24 ── default via the subnet's gateway
 *     node  eth1 ◄── parent: ipvlan, macvlan, or a VLAN of a trunk; or eth0 is a NIC of the node's that went into the Pod
 *
 * The way to the node itself is another: service-veth.ts.
 */
import { MAIN_TABLE } from '../kernel/netlink/route.ts';
import { inNetns, type KernelObject, type Plan, type RouteObject } from '../kernel/state.ts';
import { bitsOf, type Family, familiesIn, familyOf, type Ip } from '../net/address.ts';
import { cidrFamily, contains, lengthOf } from '../net/cidr.ts';
import type { UnderlayInterface } from './interface.ts';
import { anywhere, behind, ipv6On } from './pod-routes.ts';

/** The plan of the main interface. Pure. */
export function underlay(pod: UnderlayInterface): Plan {
  const families = familiesIn(pod.addresses);
  const link = { kind: 'link', where: inNetns(pod.netns), name: pod.ifname } as const;
  return [
    ...(families.includes(6) ? [ipv6On(pod.netns)] : []),
    ownLink(pod),
    ...(families.includes(6) ? withoutAdvertisements(pod) : []),
    reversePath(pod, pod.ifname, 'loose'),
    pod.underlay.of === undefined ? { ...link, mtu: pod.mtu } : link,
    ...pod.addresses.map((address) => onSubnet(pod, address)),
    ...families.flatMap((family) => waysOut(pod, family)),
  ];
}

/** Whatever leads out of the Pod by its own link, for a table beside main too. */
export function waysOut(pod: UnderlayInterface, family: Family, table = MAIN_TABLE): RouteObject[] {
  const { netns, ifname: link, protocol, rank } = pod;
  const metric = table === MAIN_TABLE ? behind(rank, family) : {};
  const route = { kind: 'route', where: inNetns(netns), link, table, protocol, ...metric } as const;
  // Of several interfaces in one subnet only their own tables know which is meant.
  const subnets = table === MAIN_TABLE || isRoutedByNode(pod) ? [] : pod.underlay.subnets.filter(({ cidr }) => cidrFamily(cidr) === family);
  return [...subnets.map(({ cidr }): RouteObject => ({ ...route, dst: cidr, scope: 'link' })), ...defaultBy(pod, family, route)];
}

function defaultBy(
  pod: UnderlayInterface,
  family: Family,
  route: Pick<RouteObject, 'kind' | 'where' | 'link' | 'table' | 'protocol'>,
): RouteObject[] {
  if (isRoutedByNode(pod)) return [{ ...route, dst: anywhere[family], scope: 'link' }];
  const via = gatewayOf(pod, family);
  return via === undefined ? [] : [{ ...route, dst: anywhere[family], via, scope: 'global' }];
}

/** The router of the Pod's subnet; undefined: there is none, and whatever is not on the subnet goes by the node. */
export function gatewayOf(pod: UnderlayInterface, family: Family): Ip | undefined {
  return pod.underlay.subnets.find(({ cidr }) => cidrFamily(cidr) === family)?.gateway;
}

function ownLink({ netns, ifname: name, mac, mtu, owner, datapath, underlay: { parent, parentMac, of } }: UnderlayInterface): KernelObject {
  const where = inNetns(netns);
  // Another alias than that of the service veth's end, which stays in the host.
  if (of === undefined) return { kind: 'nic', where, name, mac, home: parent, owner: `${owner.slice(0, 251)}:nic` };
  const macs = { ...(parentMac !== undefined && { parentMac }), ...(datapath !== 'ipvlan' && { mac }) };
  return { kind: 'child', where, name, parent, of, mtu, owner, ...macs };
}

/** In layer 3 modes ipvlan neither sends nor answers ARP: the node's own routing decides where a packet goes (Documentation/networking/ipvlan.rst). */
export function isRoutedByNode({ underlay: { of } }: UnderlayInterface): boolean {
  return of?.type === 'ipvlan' && of.mode !== 'l2';
}

function onSubnet(pod: UnderlayInterface, address: Ip): KernelObject {
  return { kind: 'address', where: inNetns(pod.netns), link: pod.ifname, address, length: lengthOnLink(pod, address) };
}

/** The subnet's length, by which the rest of it is on the link; that of a single address where the node decides about every packet. */
export function lengthOnLink(pod: UnderlayInterface, address: Ip): number {
  const subnet = isRoutedByNode(pod) ? undefined : pod.underlay.subnets.find(({ cidr }) => contains(cidr, address));
  return subnet === undefined ? bitsOf(familyOf(address)) : lengthOf(subnet.cidr);
}

/** Routers of the network may announce addresses and routes: the Pod has those that it was given, and no others. */
function withoutAdvertisements({ netns, ifname }: UnderlayInterface): KernelObject[] {
  return ['accept_ra', 'autoconf'].map((key) => ({
    kind: 'sysctl',
    where: inNetns(netns),
    key: `net/ipv6/conf/${ifname}/${key}`,
    value: '0',
  }));
}

/**
 * How strict the kernel is about the link that a packet comes by: what came by one of the Pod's two links may be answered by the other. A link without an
 * address passes no check at all but "off" (fib_validate_source() in net/ipv4/fib_frontend.c).
 */
export function reversePath({ netns }: UnderlayInterface, link: string, check: 'off' | 'loose'): KernelObject {
  return { kind: 'sysctl', where: inNetns(netns), key: `net/ipv4/conf/${link}/rp_filter`, value: check === 'off' ? '0' : '2' };
}
