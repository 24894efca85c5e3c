/** What stands between the controller and all changing calls of a cloud, whatever it does with them. */
import type { Cloud } from '../cloud.ts';

/** May make the call, or reject without having made it. */
export type Gate = <T>(call: string, make: () => Promise<T>) => Promise<T>;

/** The same cloud for reading; every changing call goes through the gate. */
export function changingBy(cloud: Cloud, gate: Gate): Cloud {
  return {
    name: cloud.name,
    network: () => cloud.network(),
    instance: (id) => cloud.instance(id),
    instances: (ids) => cloud.instances(ids),
    subnets: (named) => cloud.subnets(named),
    nics: (filter) => cloud.nics(filter),
    createNic: (request) => gate('createNic', () => cloud.createNic(request)),
    attachNic: (nic, instance, index) => gate('attachNic', () => cloud.attachNic(nic, instance, index)),
    attachBranch: (nic, trunk, vlan) => gate('attachBranch', () => cloud.attachBranch(nic, trunk, vlan)),
    detachNic: (nic) => gate('detachNic', () => cloud.detachNic(nic)),
    deleteNic: (nic) => gate('deleteNic', () => cloud.deleteNic(nic)),
    assign: (nic, want, whose) => gate('assign', () => cloud.assign(nic, want, whose)),
    unassign: (nic, blocks) => gate('unassign', () => cloud.unassign(nic, blocks)),
  };
}
