/** What the ways out of a Pod have in common, whatever its datapath. */
import { inNetns, type KernelObject } from '../kernel/state.ts';
import { type Family, type Ip, parseIp } from '../net/address.ts';
import { parseCidr } from '../net/cidr.ts';

/** All destinations of a family. */
export const anywhere = { 4: parseCidr('0.0.0.0/0'), 6: parseCidr('::/0') } as const;

/** What the kernel takes for no metric (net/ipv6/route.c, IP6_RT_PRIO_USER); 0 of IPv4. */
const firstMetric: Record<Family, number> = { 4: 0, 6: 1024 };

/** Of routes to one destination only those with different metrics stand side by side. `rank`: how many go before this one; absent: none. */
export function behind(rank: number | undefined, family: Family): { readonly metric?: number } {
  return rank === undefined || rank === 0 ? {} : { metric: firstMetric[family] + rank };
}

/** The node as the next hop behind a veth: nobody holds it, a permanent neighbour entry alone makes packets go to the host's end. */
export const nodeGateway: Record<Family, Ip> = { 4: parseIp('169.254.1.1'), 6: parseIp('fe80::1') };

/** Runtimes may switch IPv6 off for a whole namespace; the switch for links to come is the one that counts here. */
export function ipv6On(netns: string): KernelObject {
  return { kind: 'sysctl', where: inNetns(netns), key: 'net/ipv6/conf/default/disable_ipv6', value: '0' };
}
