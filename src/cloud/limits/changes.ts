/** The two switches: one stops every changing call, the other those that give back. */
import { failure } from '../../errors/failure.ts';
import type { Cloud } from '../cloud.ts';

/** The same cloud for reading; every changing call rejects with cloudChangesStopped and is not made. */
export function withoutChanges(cloud: Cloud): Cloud {
  const stopped = (call: string) => (): Promise<never> => Promise.reject(failure('cloudChangesStopped', { cloud: cloud.name, call }));
  return {
    name: cloud.name,
    network: () => cloud.network(),
    instance: (id) => cloud.instance(id),
    instances: (ids) => cloud.instances(ids),
    subnets: (named) => cloud.subnets(named),
    nics: (filter) => cloud.nics(filter),
    createNic: stopped('createNic'),
    attachNic: stopped('attachNic'),
    attachBranch: stopped('attachBranch'),
    detachNic: stopped('detachNic'),
    deleteNic: stopped('deleteNic'),
    assign: stopped('assign'),
    unassign: stopped('unassign'),
  };
}

/** The same cloud, of which nothing is given back: what would take an address or an interface away rejects with cloudReleasesStopped and is not made. */
export function withoutReleases(cloud: Cloud): Cloud {
  const stopped = (call: string) => (): Promise<never> => Promise.reject(failure('cloudReleasesStopped', { cloud: cloud.name, call }));
  return { ...cloud, detachNic: stopped('detachNic'), deleteNic: stopped('deleteNic'), unassign: stopped('unassign') };
}
