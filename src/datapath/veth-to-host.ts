/**
 * veth-to-host: a second way out for a Pod that is on the network by an interface of its own (macvlan, ipvlan, a moved NIC …), chained behind the plugin
 * that made that one. The helper has no address; it leads to the host, where Services are resolved, and from there to all that is not of the underlay.
 *
 *     Pod   veth0 ── HOST/32 on it, default via HOST            eth0 ── SUBNET as before
 *     host  vthp… ── POD/32 on it
 *           1021  fwmark 0x100: main       answers, and Pods beside it (veth-to-host.nft)
 *           1022  iif vthp… to SUBNET: N   a Service led to the underlay: back into the Pod, and out by eth0
 *           1023  iif vthp…: main          all the rest leaves through the host
 *           1024  iif vthp…: N             default via POD: the published shape; where main has no way, the Pod's own gateway may have one
 *
 * Published: https://github.com/lyft/cni-ipvlan-vpc-k8s (unnumbered-ptp), and the article on rubble's veth-to-host. There 1024 stands alone, and what is for
 * neither host nor underlay goes to and fro between Pod and host. docs/veth-to-host.md follows a packet of each kind.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAIN_TABLE } from '../kernel/netlink/route.ts';
import { host, inNetns, type KernelObject, type Plan } from '../kernel/state.ts';
import { type Family, familyOf, type Ip } from '../net/address.ts';
import { type Cidr, cidrFamily, hostCidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import { hex } from './nft-text.ts';
import { anywhere, behind, ipv6On } from './pod-routes.ts';
import { inPod } from './veth-to-host-in-pod.ts';
import {
  chainedProtocol,
  detourSender,
  firstOfFamily,
  forwardingKey,
  hostMark,
  nftTable,
  priority,
  sysctl,
} from './veth-to-host-numbers.ts';

/** A route of the Pod's main interface, as the plugins before us made it. */
export interface MainRoute {
  readonly dst: Cidr;
  readonly via?: Ip;
  readonly src?: Ip;
}

/** All that a plan depends on, stored: the plan made from it today equals the one that was applied. */
export interface ChainedVeth {
  /** Path of the Pod's network namespace. */
  readonly netns: string;
  /** The main interface. */
  readonly ifname: string;
  /** The helper in the Pod. */
  readonly helper: string;
  readonly mac: Mac;
  readonly hostEnd: string;
  readonly hostMac: Mac;
  readonly mtu: number;
  /** The host end's alias. */
  readonly owner: string;
  /** The Pod's addresses on the main interface. Those of a family that the host has no address of are left alone. */
  readonly addresses: readonly Ip[];
  /** The host's interface whose addresses are "the host". */
  readonly hostInterface: string;
  /** The host's addresses, the one that is the Pod's gateway first in its family. */
  readonly hostAddresses: readonly Ip[];
  /** The host's links that have those. */
  readonly hostLinks: readonly string[];
  /** What is reached by the main interface. */
  readonly underlay: readonly Cidr[];
  /** How it is reached, and the way out that the main interface had. */
  readonly mainRoutes: readonly MainRoute[];
  /** Whether what comes in by the main interface passes the Pod's netfilter: in ipvlan's mode l3s it passes the host's alone. */
  readonly isMainSeen: boolean;
  /** What leaves by the helper. */
  readonly viaHost: readonly Cidr[];
  /** The host's routing table of this Pod. */
  readonly table: number;
  /** How many helpers of the Pod go before this one, below {@link mostInOnePod}. */
  readonly rank: number;
  /** Links by which the host reached the Pod before, as the plugin ptp leaves it: our routes take the place of theirs. */
  readonly displaced: readonly { readonly address: Ip; readonly link: string }[];
}

const template = readFileSync(join(import.meta.dirname, 'veth-to-host.nft'), 'utf8');

/** What all Pods of a host share: it goes with the last of them. `families`: those of any Pod. */
export function chainedHostPlan(families: readonly Family[]): Plan {
  const mark = { value: hostMark, mask: hostMark };
  const words = { MARK_BIT: hex(hostMark), DETOUR_FOUR: detourSender[4], DETOUR_SIX: detourSender[6] };
  return [
    ...families.map((family) => sysctl(host, forwardingKey[family], '1')),
    ...families.map((family): KernelObject => {
      return { kind: 'rule', where: host, family, priority: priority.marked, mark, table: MAIN_TABLE, protocol: chainedProtocol };
    }),
    { ...nftTable(template, words), where: host, shared: true },
  ];
}

/** The plan of one Pod, beside what the host has. Pure. */
export function chainedPlan(chained: ChainedVeth): Plan {
  const families = familiesOf(chained);
  const veth = { ...chained, addresses: chained.addresses.filter((address) => families.includes(familyOf(address))) };
  // By what the Pod has: the host may get its address of a family later, and the link is there by then.
  const ipv6 = chained.addresses.some((address) => familyOf(address) === 6);
  const peer = { where: inNetns(veth.netns), name: veth.helper, mac: veth.mac };
  const { hostEnd: name, hostMac: mac, mtu, owner } = veth;
  return [
    ...(ipv6 ? [ipv6On(veth.netns)] : []),
    { kind: 'veth', where: host, name, mac, mtu, owner, ipv6, peer },
    ...veth.addresses.flatMap((address) => toPod(veth, address)),
    ...families.flatMap((family) => fromPod(veth, family)),
    ...(families.includes(4) ? hostSwitches(veth) : []),
    ...inPod(veth, families),
  ];
}

/** The families that the plan serves: those of which both have an address. */
export function familiesOf({ addresses, hostAddresses }: Pick<ChainedVeth, 'addresses' | 'hostAddresses'>): Family[] {
  const had = (ips: readonly Ip[], family: Family): boolean => ips.some((ip) => familyOf(ip) === family);
  return ([4, 6] as const).filter((family) => had(addresses, family) && had(hostAddresses, family));
}

/** The ways that were there before, out of the Pod and to it: for an ADD that is undone. */
export function formerWays({ netns, ifname, mainRoutes, displaced }: ChainedVeth): Plan {
  const RTPROT_BOOT = 3; // as ip(8) and the reference plugins have it
  const former = { kind: 'route', table: MAIN_TABLE, protocol: RTPROT_BOOT } as const;
  const ways = mainRoutes.filter(({ dst }) => dst === anywhere[cidrFamily(dst)]);
  return [
    ...ways.map(({ dst, via, src }): KernelObject => {
      const onward = via === undefined ? ({ scope: 'link' } as const) : ({ scope: 'global', via } as const);
      return { ...former, where: inNetns(netns), link: ifname, dst, ...onward, ...(src !== undefined && { src }) };
    }),
    ...displaced.map(({ address, link }): KernelObject => ({ ...former, where: host, link, dst: hostCidr(address), scope: 'link' })),
  ];
}

/** What the host's links need that have its addresses: one that went and came back has forgotten it. */
export function looseLink(link: string): KernelObject {
  return sysctl(host, `net/ipv4/conf/${link}/rp_filter`, '2');
}

function toPod({ hostEnd: link, mac, rank }: ChainedVeth, address: Ip): KernelObject[] {
  const protocol = chainedProtocol;
  // Two helpers may stand beside one main interface.
  const metric = behind(rank, familyOf(address));
  return [
    { kind: 'route', where: host, dst: hostCidr(address), link, scope: 'link', table: MAIN_TABLE, protocol, ...metric },
    { kind: 'neighbour', where: host, link, address, mac },
  ];
}

/** Table N and the rules that lead to it, or past it. */
function fromPod(veth: ChainedVeth, family: Family): KernelObject[] {
  const { hostEnd: link, table, underlay } = veth;
  const via = firstOfFamily(veth.addresses, family);
  const connected = veth.addresses.map((address) => hostCidr(address));
  const own = underlay.filter((cidr) => cidrFamily(cidr) === family);
  const rule = { kind: 'rule', where: host, family, iif: link, protocol: chainedProtocol } as const;
  const route = { kind: 'route', where: host, link, via, scope: 'global', table, protocol: chainedProtocol } as const;
  const byGateway = veth.mainRoutes.flatMap(({ dst, via: gateway }) => (gateway === undefined || dst === anywhere[family] ? [] : [dst]));
  return [
    ...own.filter((dst) => byGateway.includes(dst) && !connected.includes(dst)).map((dst): KernelObject => ({ ...route, dst })),
    { ...route, dst: anywhere[family] },
    ...own.map((to): KernelObject => ({ ...rule, priority: priority.toUnderlay, to, table })),
    { ...rule, priority: priority.toMain, table: MAIN_TABLE },
    { ...rule, priority: priority.published, table },
  ];
}

/**
 * The kernel looks for the way to a packet's sender as if it had come in by the link that the packet goes out by, which for one to the Pod is rule 1022: for
 * a sender in the underlay it is not the link that the packet came by. Of a link without address "loose" is as strict as "strict" where the host as a whole
 * is strict (net/ipv4/fib_frontend.c, no_addr): there the packet's mark helps.
 */
function hostSwitches({ hostEnd, hostLinks, displaced }: ChainedVeth): KernelObject[] {
  return [
    ...[...hostLinks, ...new Set(displaced.map(({ link }) => link))].map(looseLink),
    sysctl(host, `net/ipv4/conf/${hostEnd}/rp_filter`, '0'),
    sysctl(host, `net/ipv4/conf/${hostEnd}/src_valid_mark`, '1'),
  ];
}
