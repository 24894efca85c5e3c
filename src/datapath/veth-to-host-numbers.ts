/** Numbers, names and small parts that the host's side and the Pod's side of veth-to-host share. */
import type { KernelObject, NftTableObject } from '../kernel/state.ts';
import { type Family, familyOf, type Ip, parseIp } from '../net/address.ts';
import { fillIn } from './nft-text.ts';

/** rtnetlink protocol of routes and rules of this plugin: another than the node's, whose routes tell which addresses its Pods have. */
export const chainedProtocol = 115;
/** Names of host ends begin with one of these; the table in the host knows them by it. */
export const hostEndPrefix = { masqueraded: 'vthm', plain: 'vthp' } as const;

/** The nftables table of ours, in the host and in each Pod. */
export const chainedTableName = 'flatpod_veth_to_host';

/** Free of what others are known to use; flatpod's own rules come before (700–740), the article's is the last. */
export const priority = { marked: 1021, toUnderlay: 1022, toMain: 1023, published: 1024, answers: 512, passing: 513 } as const;
/** In the host, a bit of the packet's mark. */
export const hostMark = 0x100;
/** In the Pod, of connections and packets; each helper has two values under the mask, and two tables. */
export const podMask = 0xf00;
const FIRST_POD_MARK = 0x100;
const FIRST_POD_TABLE = 7100;
/** How many helpers one Pod can have. */
export const mostInOnePod = 7;
/** Who sent what goes back into a Pod. Seen between Pod and host alone; not the host's address, which may change while connections last. */
export const detourSender = { 4: parseIp('169.254.111.1'), 6: parseIp('fd66:706f:6456::1') } as const;
/** The switch of each family for the whole namespace. */
export const forwardingKey = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const;

/** What is this helper's own in the Pod. */
export function numbersOf(rank: number) {
  const [mark, table] = [FIRST_POD_MARK * (2 * rank + 1), FIRST_POD_TABLE + 2 * rank];
  return { helper: { mark, table }, main: { mark: mark + FIRST_POD_MARK, table: table + 1 } } as const;
}

/** A kernel parameter. */
export function sysctl(where: KernelObject['where'], key: string, value: string): KernelObject {
  return { kind: 'sysctl', where, key, value };
}

/** A table of ours without its place; words in capitals are put into the text. */
export function nftTable(template: string, words: Readonly<Record<string, string>>): Omit<NftTableObject, 'where'> {
  const text = fillIn(template, words);
  return { kind: 'nft-table', family: 'inet', table: chainedTableName, text };
}

/** There is one of each family that is served: whoever makes the record sees to it. */
export function firstOfFamily(addresses: readonly Ip[], family: Family): Ip {
  const found = addresses.find((address) => familyOf(address) === family);
  if (found === undefined) throw new RangeError(`no IPv${family} address`);
  return found;
}
