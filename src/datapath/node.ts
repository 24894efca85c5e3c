/** What the kernel should hold for the node as a whole: forwarding, the way to its Pods, each NIC's share, and the nftables table. */
import { host, type KernelObject, type Plan } from '../kernel/state.ts';
import type { Family } from '../net/address.ts';
import type { Cidr } from '../net/cidr.ts';
import type { NodeConfig } from '../store/node-config.ts';
import { hostTable, type NamedNic } from './host-table.ts';
import { serviceTableOf, nicPlan, podTableOf } from './nic.ts';

/** Tables that lead to Pods, by how they are reached. */
export interface PodTables {
  readonly routed: readonly number[];
  readonly underlay: readonly number[];
}

/**
 * The plan of a node with these NICs in a VPC with these blocks. `former`: tables of Pods that were made under other numbers.
 *
 * One rule leads to all Pods (and one to those with a service veth), and the rules of a NIC name blocks, not Pods: the kernel tries rules one after the other for every packet (docs/adr/0011).
 */
export function nodePlan(
  config: NodeConfig['spec'],
  nics: readonly NamedNic[],
  vpcCidrs: readonly Cidr[],
  former: PodTables = { routed: [], underlay: [] },
): Plan {
  const forwarding = (key: string): KernelObject => ({ kind: 'sysctl', where: host, key, value: '1' });
  const families: readonly Family[] = nics.some(({ nic }) => nic.cidr6 !== undefined) ? [4, 6] : [4];
  const { priorityToPod, priorityToServiceVeth, protocol } = config.numbers;
  const ways = [
    ...[...new Set([podTableOf(config.numbers), ...former.routed])].map((table) => ({ priority: priorityToPod, table })),
    ...[...new Set([serviceTableOf(config.numbers), ...former.underlay])].map((table) => ({ priority: priorityToServiceVeth, table })),
  ];
  return [
    forwarding('net/ipv4/ip_forward'),
    ...(families.includes(6) ? [forwarding('net/ipv6/conf/all/forwarding')] : []),
    ...families.flatMap((family) =>
      ways.map(({ priority, table }): KernelObject => ({ kind: 'rule', where: host, family, priority, table, protocol })),
    ),
    ...nics.flatMap(({ nic, link }) => nicPlan(nic, link, config.numbers)),
    hostTable(config, nics, vpcCidrs),
  ];
}
