/** How the fabric's namespaces and links are called. A link's name has at most 15 characters, so it is the tail of the object's id. */
import type { InstanceId, NicId, SubnetId } from '../../cloud/cloud.ts';

const TAIL = 12;

/** Namespace of the router and its bridges. */
export function fabricNetns(vpc: string): string {
  return `${vpc}-fabric`;
}

/** Namespace of the world behind the internet gateway. */
export function internetNetns(vpc: string): string {
  return `${vpc}-internet`;
}

/** Namespace of an instance. */
export function instanceNetns(vpc: string, instance: string): string {
  return `${vpc}-${instance}`;
}

/** The subnet's bridge. */
export function bridgeName(subnet: SubnetId): string {
  return `s${subnet.slice(-TAIL)}`;
}

/** The number of the subnet in the rules: the mark of its packets. */
export function subnetMark(subnet: SubnetId): number {
  return Number.parseInt(subnet.slice(-7), 16) + 1;
}

/** The number in the rules of what holds floating addresses: of those that the same NICs may speak for. */
export function floatingMark(holder: NicId): number {
  return Number.parseInt(holder.slice(-7), 16) + 1;
}

/** The fabric's end of a NIC. */
export function portName(nic: NicId): string {
  return `p${nic.slice(-TAIL)}`;
}

/** The other end of a branch's port, which stands beside it in the fabric: it has no link in the instance. */
export function branchEnd(nic: NicId): string {
  return `t${nic.slice(-TAIL)}`;
}

/** Whether that is such an end. It goes with its port. */
export function isBranchEnd(link: string): boolean {
  return /^t[0-9a-f]{12}$/.test(link);
}

/** The router's end of an internet host's line. */
export function outsidePort(instance: InstanceId): string {
  return `h${instance.slice(-TAIL)}`;
}

/** The line between the VPC and the internet, in both namespaces. */
export const UPLINK = 'uplink';

/** The mark of ownership on links of the VPC and on the loopback of its namespaces. */
export function ownerOf(vpc: string): string {
  return `flatpod-vpc ${vpc}`;
}
