/** A cloud that only its present leader may change. */
import { failure } from '../../errors/failure.ts';
import type { Cloud } from '../cloud.ts';

/**
 * The same cloud for reading; a changing call is made only while nobody else can lead for as long as the call may take, and rejects with cloudFenced
 * otherwise: then it was not sent. Wrap the driver itself: what waits for its turn must be asked when the wait is over.
 * `holdsFor_ms`: for how long from now we are sure to lead; `longest_ms`: the deadline of a call.
 */
export function fenced(cloud: Cloud, holdsFor_ms: () => number, longest_ms: number): Cloud {
  const ask = <T>(call: string, make: () => Promise<T>): Promise<T> => {
    const left_ms = holdsFor_ms();
    if (left_ms < longest_ms) return Promise.reject(failure('cloudFenced', { cloud: cloud.name, call, left_ms: Math.round(left_ms) }));
    return make();
  };
  return {
    name: cloud.name,
    network: () => cloud.network(),
    instance: (id) => cloud.instance(id),
    instances: (ids) => cloud.instances(ids),
    subnets: (named) => cloud.subnets(named),
    nics: (filter) => cloud.nics(filter),
    createNic: (request) => ask('createNic', () => cloud.createNic(request)),
    attachNic: (nic, instance, index) => ask('attachNic', () => cloud.attachNic(nic, instance, index)),
    attachBranch: (nic, trunk, vlan) => ask('attachBranch', () => cloud.attachBranch(nic, trunk, vlan)),
    detachNic: (nic) => ask('detachNic', () => cloud.detachNic(nic)),
    deleteNic: (nic) => ask('deleteNic', () => cloud.deleteNic(nic)),
    assign: (nic, want, whose) => ask('assign', () => cloud.assign(nic, want, whose)),
    unassign: (nic, blocks) => ask('unassign', () => cloud.unassign(nic, blocks)),
  };
}
