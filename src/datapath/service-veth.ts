/**
 * The service veth: a veth between node and Pod, for Pods that are on the network by a link of their own. The kernel lets such a link reach everybody but the node
 * it stands on, and Services are resolved on the node.
 *
 *     Pod   node0 ── node's addresses, Services: via 169.254.1.1 (permanent neighbour: the host end)
 *     node  fpn… ◄── route to the Pod's address, in the table of Pods that have a service veth
 *
 * A subnet without a router has no other way out: everything but the subnet goes by the service veth then.
 * What came in by the service veth is answered by the service veth, whoever sent it (NodePort, probes): a mark on the connection says so (service-veth.nft).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAIN_TABLE } from '../kernel/netlink/route.ts';
import { host, inNetns, type KernelObject, type Plan, type RouteObject } from '../kernel/state.ts';
import { type Family, familiesIn } from '../net/address.ts';
import { type Cidr, cidrFamily, hostCidr } from '../net/cidr.ts';
import type { UnderlayInterface } from './interface.ts';
import { fillIn, hex } from './nft-text.ts';
import { anywhere, behind, nodeGateway } from './pod-routes.ts';
import { gatewayOf, isRoutedByNode, reversePath } from './underlay.ts';

const template = readFileSync(join(import.meta.dirname, 'service-veth.nft'), 'utf8');

/** The plan of the service veth. Pure. */
export function serviceVethPlan(pod: UnderlayInterface): Plan {
  const families = familiesIn(pod.addresses);
  const { netns, hostEnd, hostMac, owner, mtu, serviceVeth, podTable: table, protocol } = pod;
  const peer = { where: inNetns(netns), name: serviceVeth.name, mac: serviceVeth.mac };
  return [
    { kind: 'veth', where: host, name: hostEnd, mac: hostMac, mtu, owner, ipv6: families.includes(6), peer },
    ...pod.addresses.flatMap((address): KernelObject[] => [
      { kind: 'route', where: host, dst: hostCidr(address), link: hostEnd, scope: 'link', table, protocol },
      // Nobody would answer for it: an IPv6 address is asked for on its own link alone (RFC 4861, section 7.2.3).
      { kind: 'neighbour', where: host, link: hostEnd, address, mac: serviceVeth.mac },
    ]),
    // The node's neighbour entry knows it by this MAC.
    { kind: 'link', where: peer.where, name: serviceVeth.name, mac: serviceVeth.mac },
    // The stricter of the two counts.
    reversePath(pod, 'all', 'off'),
    reversePath(pod, serviceVeth.name, 'off'),
    ...families.flatMap((family) => toNode(pod, family)),
    connectionMarks(pod),
  ];
}

function toNode(pod: UnderlayInterface, family: Family): KernelObject[] {
  const { netns, hostMac, protocol, serviceVeth } = pod;
  const { table, priority, mark } = serviceVeth;
  const where = inNetns(netns);
  return [
    { kind: 'neighbour', where, link: serviceVeth.name, address: nodeGateway[family], mac: hostMac },
    ...routesToNode(pod, family, MAIN_TABLE),
    ...routesBy(pod, family, table, [anywhere[family]]),
    { kind: 'rule', where, family, priority, mark, table, protocol },
  ];
}

/** What is reached through the node, in that table of the Pod's. */
export function routesToNode(pod: UnderlayInterface, family: Family, table: number): RouteObject[] {
  const isOnlyWay = gatewayOf(pod, family) === undefined && !isRoutedByNode(pod);
  const destinations = pod.serviceVeth.viaNode.filter((cidr) => cidrFamily(cidr) === family);
  return routesBy(pod, family, table, [...destinations, ...(isOnlyWay ? [anywhere[family]] : [])]);
}

function routesBy(
  { netns, protocol, serviceVeth, rank }: UnderlayInterface,
  family: Family,
  table: number,
  to: readonly Cidr[],
): RouteObject[] {
  const metric = table === MAIN_TABLE ? behind(rank, family) : {};
  const route = { kind: 'route', where: inNetns(netns), link: serviceVeth.name, table, protocol, ...metric } as const;
  const via = nodeGateway[family];
  return [
    ...(family === 4 ? [{ ...route, dst: hostCidr(via), scope: 'link' } as const] : []),
    ...to.map((dst): RouteObject => ({ ...route, dst, via, scope: 'global' })),
  ];
}

/** In the Pod: who came by the service veth is known again when the answer leaves. */
function connectionMarks({ netns, serviceVeth: { name, mark } }: UnderlayInterface): KernelObject {
  const words = {
    SERVICE_LINK: name,
    MARK_VALUE: hex(mark.value),
    KEEP_MARK: hex(~mark.mask),
    MARK_MASK: hex(mark.mask),
  };
  const text = fillIn(template, words);
  return { kind: 'nft-table', where: inNetns(netns), family: 'inet', table: `flatpod_${name}`, text };
}
