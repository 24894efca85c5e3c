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
import { host, inNetns, type KernelObject, type NftTableObject, type Plan } from '../kernel/state.ts';
import { type Family, familyOf, type Ip, parseIp } from '../net/address.ts';
import { type Cidr, cidrFamily, containsCidr, hostCidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import { anywhere, firstMetric, ipv6On } from './pod-routes.ts';

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
  /** What leaves by the helper. */
  readonly viaHost: readonly Cidr[];
  /** The host's routing table of this Pod. */
  readonly table: number;
  /** How many helpers of the Pod go before this one, below {@link mostHelpers}. */
  readonly rank: number;
  /** Links by which the host reached the Pod before, as the plugin ptp leaves it: our routes take the place of theirs. */
  readonly displaced: readonly { readonly address: Ip; readonly link: string }[];
}

/** rtnetlink protocol of routes and rules of this plugin: another than the node's, whose routes tell which addresses its Pods have. */
export const chainedProtocol = 115;
/** Names of host ends begin with one of these; the table in the host knows them by it. */
export const hostEndPrefix = { masqueraded: 'vthm', plain: 'vthp' } as const;

/** The nftables table of ours, in the host and in each Pod. */
export const chainedTableName = 'flatpod_veth_to_host';

/** Free of what others are known to use; flatpod's own rules come before (700–740), the article's is the last. */
const priority = { marked: 1021, toUnderlay: 1022, toMain: 1023, published: 1024, answers: 512, passing: 513 } as const;
/** In the host, a bit of the packet's mark. */
const hostMark = 0x100;
/** In the Pod, of connections and packets; each helper has two values under the mask, and two tables. */
const podMask = 0xf00;
const FIRST_POD_MARK = 0x100;
const FIRST_POD_TABLE = 7100;
/** How many helpers one Pod can have. */
export const mostHelpers = 7;
/** Who sent what goes back into a Pod. Seen between Pod and host alone; not the host's address, which may change while connections last. */
const detourSender = { 4: parseIp('169.254.111.1'), 6: parseIp('fd66:706f:6456::1') } as const;
const templates = {
  host: readFileSync(join(import.meta.dirname, 'veth-to-host.nft'), 'utf8'),
  pod: readFileSync(join(import.meta.dirname, 'veth-to-host-pod.nft'), 'utf8'),
} as const;

/** What all Pods of a host share: it goes with the last of them. `families`: those of any Pod. */
export function chainedHostPlan(families: readonly Family[]): Plan {
  const mark = { value: hostMark, mask: hostMark };
  const words = { MARK_BIT: hex(hostMark), DETOUR_FOUR: detourSender[4], DETOUR_SIX: detourSender[6] };
  return [
    ...families.map((family) => sysctl(host, forwardingKey[family], '1')),
    ...families.map((family): KernelObject => {
      return { kind: 'rule', where: host, family, priority: priority.marked, mark, table: MAIN_TABLE, protocol: chainedProtocol };
    }),
    { ...nftTable(templates.host, words), where: host, shared: true },
  ];
}

/** The plan of one Pod, beside what the host has. Pure. The default route changes last: until then the Pod keeps the way out that it had. */
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
    ...(families.includes(4) ? [...hostSwitches(veth), ...podSwitches(veth)] : []),
    // IPv6 has one switch for all interfaces.
    ...(families.includes(6) ? [sysctl(peer.where, forwardingKey[6], '1')] : []),
    { kind: 'link', where: peer.where, name: veth.helper },
    ...veth.hostAddresses.filter((address) => families.includes(familyOf(address))).flatMap((address) => toHost(veth, address)),
    ...families.flatMap((family) => [...wayByMain(veth, family), ...wayByHelper(veth, family)]),
    podTable(veth, families),
    ...families.flatMap((family) => waysOut(veth, family)),
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

const forwardingKey = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const;

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
    ...[...hostLinks, ...new Set(displaced.map(({ link }) => link))].map((link) => sysctl(host, `net/ipv4/conf/${link}/rp_filter`, '2')),
    sysctl(host, `net/ipv4/conf/${hostEnd}/rp_filter`, '0'),
    sysctl(host, `net/ipv4/conf/${hostEnd}/src_valid_mark`, '1'),
  ];
}

/** What a Pod needs to pass on what the host sends back into it, and to take packets on an interface that is not the way to their sender. */
function podSwitches({ netns, helper, ifname }: ChainedVeth): KernelObject[] {
  const where = inNetns(netns);
  return [
    sysctl(where, 'net/ipv4/conf/all/rp_filter', '0'),
    sysctl(where, `net/ipv4/conf/${helper}/rp_filter`, '0'),
    sysctl(where, `net/ipv4/conf/${ifname}/rp_filter`, '2'),
    ...[helper, ifname].map((link) => sysctl(where, `net/ipv4/conf/${link}/forwarding`, '1')),
    // The host sends back by the way it came: it would tell the Pod of a shorter one.
    sysctl(where, `net/ipv4/conf/${helper}/accept_redirects`, '0'),
  ];
}

function sysctl(where: KernelObject['where'], key: string, value: string): KernelObject {
  return { kind: 'sysctl', where, key, value };
}

function toHost(veth: ChainedVeth, address: Ip): KernelObject[] {
  const route = { ...byHelper(veth, MAIN_TABLE, familyOf(address)), dst: hostCidr(address), scope: 'link' } as const;
  return [
    { ...route, src: firstOfFamily(veth.addresses, familyOf(address)) },
    { kind: 'neighbour', where: route.where, link: route.link, address, mac: veth.hostMac },
  ];
}

/** For answers to those who came in by the main interface, and for what the host sends back in, whatever leaves by the helper otherwise. */
function wayByMain(veth: ChainedVeth, family: Family): KernelObject[] {
  const { netns, ifname: link, helper, mainRoutes } = veth;
  const [where, { mark, table }] = [inNetns(netns), numbersOf(veth).main];
  const route = { kind: 'route', where, link, table, protocol: chainedProtocol } as const;
  const own = mainRoutes.filter(({ dst }) => cidrFamily(dst) === family);
  return [
    ...own.map(({ dst, via, src }): KernelObject => {
      const onward = via === undefined ? ({ scope: 'link' } as const) : ({ scope: 'global', via, onLink: true } as const);
      return { ...route, ...onward, dst, ...(src !== undefined && { src }) };
    }),
    markRule(where, family, mark, table),
    {
      kind: 'rule',
      where,
      family,
      priority: priority.passing,
      from: hostCidr(detourSender[family]),
      iif: helper,
      table,
      protocol: chainedProtocol,
    },
  ];
}

/** For answers to those who came in by the helper. */
function wayByHelper(veth: ChainedVeth, family: Family): KernelObject[] {
  const via = firstOfFamily(veth.hostAddresses, family);
  const { mark, table } = numbersOf(veth).helper;
  const route = byHelper(veth, table, family);
  return [{ ...route, dst: anywhere[family], via, scope: 'global' }, markRule(route.where, family, mark, table)];
}

function waysOut(veth: ChainedVeth, family: Family): KernelObject[] {
  const [via, src] = [firstOfFamily(veth.hostAddresses, family), firstOfFamily(veth.addresses, family)];
  const wanted = veth.viaHost.filter((dst) => cidrFamily(dst) === family);
  // The answer to what the host sent back in must find its way to it.
  const detour = hostCidr(detourSender[family]);
  return [...wanted, ...(wanted.some((dst) => containsCidr(dst, detour)) ? [] : [detour])].map((dst) => ({
    ...byHelper(veth, MAIN_TABLE, family),
    dst,
    via,
    src,
    scope: 'global',
  }));
}

function byHelper({ netns, helper: link, rank }: ChainedVeth, table: number, family: Family) {
  return { kind: 'route', where: inNetns(netns), link, table, protocol: chainedProtocol, ...behind(rank, family) } as const;
}

/** Of routes to one destination only those with different metrics stand side by side. */
function behind(rank: number, family: Family): { readonly metric?: number } {
  return rank === 0 ? {} : { metric: firstMetric[family] + rank };
}

/** What is this helper's own in the Pod. */
function numbersOf({ rank }: ChainedVeth) {
  const [mark, table] = [FIRST_POD_MARK * (2 * rank + 1), FIRST_POD_TABLE + 2 * rank];
  return { helper: { mark, table }, main: { mark: mark + FIRST_POD_MARK, table: table + 1 } } as const;
}

function markRule(where: KernelObject['where'], family: Family, value: number, table: number): KernelObject {
  const mark = { value, mask: podMask };
  return { kind: 'rule', where, family, priority: priority.answers, mark, table, protocol: chainedProtocol };
}

function podTable(veth: ChainedVeth, families: readonly Family[]): KernelObject {
  const { helper, ifname, netns, rank } = veth;
  const numbers = numbersOf(veth);
  const snat = families.map((family) => {
    const [proto, to] = [family === 4 ? 'ip' : 'ip6', firstOfFamily(veth.addresses, family)];
    return `iifname "${helper}" oifname "${ifname}" meta nfproto ipv${family} snat ${proto} to ${to}`;
  });
  const words = {
    HELPER_LINK: helper,
    MAIN_LINK: ifname,
    KEEP_MARK: hex(~podMask),
    MARK_MASK: hex(podMask),
    HELPER_MARK: hex(numbers.helper.mark),
    MAIN_MARK: hex(numbers.main.mark),
    SNAT_RULES: snat.join('\n  '),
  };
  const table = rank === 0 ? chainedTableName : `${chainedTableName}_${rank}`;
  return { ...nftTable(templates.pod, words), table, where: inNetns(netns) };
}

function nftTable(template: string, words: Readonly<Record<string, string>>): Omit<NftTableObject, 'where'> {
  const text = template.replace(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g, (word) => words[word] ?? word);
  return { kind: 'nft-table', family: 'inet', table: chainedTableName, text };
}

/** There is one of each family that is served: whoever makes the record sees to it. */
function firstOfFamily(addresses: readonly Ip[], family: Family): Ip {
  const found = addresses.find((address) => familyOf(address) === family);
  if (found === undefined) throw new RangeError(`no IPv${family} address`);
  return found;
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
