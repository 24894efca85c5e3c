/** What the kernel should hold for each of the node's NICs, beside the Pods behind it. */
import { MAIN_TABLE } from '../kernel/netlink/route.ts';
import { host, type KernelObject, type Plan } from '../kernel/state.ts';
import { withoutDad } from '../kernel/sysctl.ts';
import { bitsOf, type Family, familyOf, type Ip } from '../net/address.ts';
import { aggregate, type Cidr, cidrFamily, hostCidr } from '../net/cidr.ts';
import type { KernelNumbers } from '../store/node-config.ts';
import type { GrantedNic } from '../store/node-network.ts';
import { answeringOn } from './answers.ts';
import { staysOnNode } from './host-table.ts';
import { markOf } from './marks.ts';
import { anywhere } from './pod-routes.ts';

/** The table whose default leads out of this NIC: main for the node's first, which the node's own network set-up looks after. */
function tableOf(nic: Pick<GrantedNic, 'deviceIndex'>, numbers: Pick<KernelNumbers, 'firstTable'>): number {
  return nic.deviceIndex === 0 ? MAIN_TABLE : numbers.firstTable + nic.deviceIndex;
}

/** The table that leads to the node's Pods: the first of ours, as the first NIC needs none. */
export function podTableOf({ firstTable }: Pick<KernelNumbers, 'firstTable'>): number {
  return firstTable;
}

/** The table that leads to Pods with a service veth: beyond those of the NICs, of which the mask of marks tells at most 31 apart. */
export function serviceTableOf({ firstTable }: Pick<KernelNumbers, 'firstTable'>): number {
  return firstTable + 64;
}

/**
 * The first NIC is never touched: it is the node's own; neither is one that a Pod has for itself. A further one comes up, gets its own address (as /32: no connected route that would draw
 * the node's own traffic to it) and a table with its subnet and its gateway, which rules for its addresses and for those of the Pods behind it lead to.
 */
export function nicPlan(nic: GrantedNic, link: string, numbers: KernelNumbers): Plan {
  // What stands on a trunk or on the node's own interface needs that to be up, and nothing else of it.
  if (nic.use === 'trunk') return [itself(nic, link)];
  if (!staysOnNode(nic)) return [];
  const table = tableOf(nic, numbers);
  const families: readonly Family[] = [4, 6].filter((family): family is Family => (family === 4 ? nic.cidr4 : nic.cidr6) !== undefined);
  return [
    ...(nic.deviceIndex === 0 ? [] : furtherNic(nic, link, table, numbers)),
    ...families.map((family): KernelObject => replyRule(nic, family, table, numbers)),
    // A reply may leave by another NIC than the route back to its sender: the strict check would drop the request.
    { kind: 'sysctl', where: host, key: `net/ipv4/conf/${link}/rp_filter`, value: '2' },
    ...(nic.nodeAnswers === true ? answeringOn(link, families) : []),
  ];
}

function furtherNic(nic: GrantedNic, link: string, table: number, numbers: KernelNumbers): KernelObject[] {
  const own = [nic.primary4, nic.primary6].filter((ip) => ip !== undefined);
  return [
    ...(nic.cidr6 === undefined ? [] : [servesAtOnce(link)]),
    itself(nic, link),
    ...own.map((address): KernelObject => ({ kind: 'address', where: host, link, address, length: bitsOf(familyOf(address)) })),
    ...wayOut(link, table, numbers.protocol, 4, nic.cidr4, nic.gateway4),
    ...wayOut(link, table, numbers.protocol, 6, nic.cidr6, nic.gateway6),
    ...aggregate([...own.map(hostCidr), ...nic.blocks]).map((from): KernelObject => {
      const { priorityFromPod: priority, protocol } = numbers;
      return { kind: 'rule', where: host, family: cidrFamily(from), priority, from, table, protocol };
    }),
  ];
}

/** So that the first packets of Pods behind a NIC that comes are not lost. Its address follows from the MAC, which the cloud gave once. */
function servesAtOnce(link: string): KernelObject {
  const [key, value] = withoutDad(link);
  return { kind: 'sysctl', where: host, key, value };
}

/** With the MAC that the cloud gave it: with another the cloud drops what it sends. */
function itself({ mtu, mac }: GrantedNic, link: string): KernelObject {
  return { kind: 'link', where: host, name: link, mtu, mac };
}

function wayOut(
  link: string,
  table: number,
  protocol: number,
  family: Family,
  cidr: Cidr | undefined,
  gateway: Ip | undefined,
): KernelObject[] {
  if (cidr === undefined) return [];
  const route = { kind: 'route', where: host, link, table, protocol } as const;
  return [
    { ...route, dst: cidr, scope: 'link' },
    ...(gateway === undefined ? [] : [{ ...route, dst: anywhere[family], via: gateway, scope: 'global' } as const]),
  ];
}

/** Connections that came in by this NIC for the node itself (NodePort), and those that SNAT gave this NIC's address, go back through it. */
function replyRule(nic: GrantedNic, family: Family, table: number, numbers: KernelNumbers): KernelObject {
  const mark = { value: markOf(nic.deviceIndex, numbers.markMask), mask: numbers.markMask };
  return { kind: 'rule', where: host, family, priority: numbers.priorityMark, mark, table, protocol: numbers.protocol };
}
