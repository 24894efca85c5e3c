/**
 * routed-veth: the Pod's address is a /32 (/128) behind a veth, and the node routes by which NIC owns the address (node.ts, nic.ts).
 *
 *     Pod   eth0 10.20.0.9/32 ── default via 169.254.1.1 (permanent neighbour: the host end) ──┐
 *     node  fp3a…  ◄───────────────────────────────────────────────────────────────────────────┘
 *           route 10.20.0.9/32 dev fp3a… in the table of Pods
 *
 * Nobody holds 169.254.1.1: the neighbour entry alone makes the Pod hand its packets to the host end, as the AWS VPC CNI does.
 */
import { host, inNetns, type KernelObject, type Plan, type RouteObject } from '../kernel/state.ts';
import { MAIN_TABLE } from '../kernel/netlink/route.ts';
import { bitsOf, type Family, familiesIn, familyOf, type Ip } from '../net/address.ts';
import { hostCidr } from '../net/cidr.ts';
import type { RoutedInterface } from './interface.ts';
import { anywhere, behind, ipv6On, nodeGateway } from './pod-routes.ts';

/** The plan of one Pod. Pure. */
export function routedVeth(pod: RoutedInterface): Plan {
  const families = familiesIn(pod.addresses);
  return [
    ...(families.includes(6) ? [ipv6On(pod.netns)] : []),
    {
      kind: 'veth',
      where: host,
      name: pod.hostEnd,
      mac: pod.hostMac,
      mtu: pod.mtu,
      owner: pod.owner,
      ipv6: families.includes(6),
      peer: { where: inNetns(pod.netns), name: pod.ifname, mac: pod.mac },
    },
    ...pod.addresses.map((address) => toPod(pod, address)),
    { kind: 'link', where: inNetns(pod.netns), name: pod.ifname },
    ...pod.addresses.map((address) => addressInPod(pod, address)),
    ...families.flatMap((family) => waysOut(pod, family)),
  ];
}

function toPod({ hostEnd, podTable, protocol }: RoutedInterface, address: Ip): KernelObject {
  return { kind: 'route', where: host, dst: hostCidr(address), link: hostEnd, scope: 'link', table: podTable, protocol };
}

function addressInPod(pod: RoutedInterface, address: Ip): KernelObject {
  return { kind: 'address', where: inNetns(pod.netns), link: pod.ifname, address, length: bitsOf(familyOf(address)) };
}

function waysOut(pod: RoutedInterface, family: Family): KernelObject[] {
  const neighbour = {
    kind: 'neighbour',
    where: inNetns(pod.netns),
    link: pod.ifname,
    address: nodeGateway[family],
    mac: pod.hostMac,
  } as const;
  return [...routesOut(pod, family, MAIN_TABLE), neighbour];
}

/** Whatever leads out of the Pod, in that table of its own. */
export function routesOut({ netns, ifname: link, protocol, rank }: RoutedInterface, family: Family, table: number): RouteObject[] {
  const metric = table === MAIN_TABLE ? behind(rank, family) : {};
  const route = { kind: 'route', where: inNetns(netns), link, table, protocol, ...metric } as const;
  const via = nodeGateway[family];
  return [
    // All traffic must reach the gateway first, except the gateway itself. A link-local IPv6 gateway is on the link anyway.
    ...(family === 4 ? [{ ...route, dst: hostCidr(via), scope: 'link' } as const] : []),
    { ...route, dst: anywhere[family], via, scope: 'global' },
  ];
}
