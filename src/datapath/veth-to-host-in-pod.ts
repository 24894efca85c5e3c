/** The Pod's side of veth-to-host: the ways to the host and back, and what tells connections apart (veth-to-host-pod.nft). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAIN_TABLE } from '../kernel/netlink/route.ts';
import { inNetns, type KernelObject, type Plan } from '../kernel/state.ts';
import { type Family, familyOf, type Ip } from '../net/address.ts';
import { cidrFamily, containsCidr, hostCidr } from '../net/cidr.ts';
import { hex } from './nft-text.ts';
import { anywhere, behind } from './pod-routes.ts';
import type { ChainedVeth } from './veth-to-host.ts';
import {
  chainedProtocol,
  chainedTableName,
  detourSender,
  firstOfFamily,
  forwardingKey,
  nftTable,
  numbersOf,
  podMask,
  priority,
  sysctl,
} from './veth-to-host-numbers.ts';

const template = readFileSync(join(import.meta.dirname, 'veth-to-host-pod.nft'), 'utf8');

/** What the Pod's namespace should hold once both ends of the helper are there. The default route comes last: until then the Pod keeps the way out that it had. */
export function inPod(veth: ChainedVeth, families: readonly Family[]): Plan {
  const where = inNetns(veth.netns);
  const served = veth.hostAddresses.filter((address) => families.includes(familyOf(address)));
  return [
    ...(families.includes(4) ? podSwitches(veth) : []),
    // IPv6 has one switch for all interfaces.
    ...(families.includes(6) ? [sysctl(where, forwardingKey[6], '1')] : []),
    { kind: 'link', where, name: veth.helper },
    ...served.flatMap((address) => toHost(veth, address)),
    ...families.flatMap((family) => [...wayByMain(veth, family), ...wayByHelper(veth, family)]),
    connectionMarks(veth, families),
    ...families.flatMap((family) => waysOut(veth, family)),
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
  const [where, { mark, table }] = [inNetns(netns), numbersOf(veth.rank).main];
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
  const { mark, table } = numbersOf(veth.rank).helper;
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

function markRule(where: KernelObject['where'], family: Family, value: number, table: number): KernelObject {
  const mark = { value, mask: podMask };
  return { kind: 'rule', where, family, priority: priority.answers, mark, table, protocol: chainedProtocol };
}

function connectionMarks(veth: ChainedVeth, families: readonly Family[]): KernelObject {
  const { helper, ifname, netns, rank } = veth;
  const numbers = numbersOf(rank);
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
    // All that came in by an interface that is not seen would be unknown.
    UNKNOWN_RULE: veth.isMainSeen ? `oifname "${helper}" ct state invalid drop` : '',
  };
  const table = rank === 0 ? chainedTableName : `${chainedTableName}_${rank}`;
  return { ...nftTable(template, words), table, where: inNetns(netns) };
}
