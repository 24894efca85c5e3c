/** What the kernel should hold for the node as a whole: forwarding, each NIC's share, and the nftables table. */
import { host, type KernelObject, type Plan } from '../kernel/state.ts';
import type { Cidr } from '../net/cidr.ts';
import type { NodeConfig } from '../store/node-config.ts';
import { hostTable, type NamedNic } from './host-table.ts';
import { nicPlan } from './nic.ts';

/** The plan of a node with these NICs in a VPC with these blocks. */
export function nodePlan(config: NodeConfig['spec'], nics: readonly NamedNic[], vpcCidrs: readonly Cidr[]): Plan {
  const forwarding = (key: string): KernelObject => ({ kind: 'sysctl', where: host, key, value: '1' });
  return [
    forwarding('net/ipv4/ip_forward'),
    ...(nics.some(({ nic }) => nic.cidr6 !== undefined) ? [forwarding('net/ipv6/conf/all/forwarding')] : []),
    ...nics.flatMap(({ nic, link }) => nicPlan(nic, link, config.numbers)),
    hostTable(config, nics, vpcCidrs),
  ];
}
