/** Some instance types under EC2's names, as EC2's documentation has them ("IP addresses per network interface"): others come by the VPC's own API. */
import type { InstanceLimits } from '../../cloud/cloud.ts';
import type { Transaction } from '../model/model.ts';

/** NICs, addresses of each family on each, and branches, which EC2 tells nowhere but in AWS's documentation. */
const types: Readonly<Record<string, readonly [nics: number, slots: number, branches?: number]>> = {
  't3.micro': [2, 2],
  't3.small': [3, 4],
  't3.medium': [3, 6],
  'm5.large': [3, 10, 9],
  'm5.xlarge': [4, 15, 18],
  'm5.4xlarge': [8, 30, 54],
};

/** Adds those that are not there. */
export function addTypes(transaction: Transaction): void {
  for (const [id, [nics, slots, branches]] of Object.entries(types)) {
    const limits: InstanceLimits = { nics, addressSlotsPerNic: slots, ipv6SlotsPerNic: slots, ...(branches !== undefined && { branches }) };
    if (!transaction.state.type.has(id)) transaction.put('type', { id, limits });
  }
}
