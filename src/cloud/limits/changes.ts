/** The two switches: one stops every changing call, the other those that give back. */
import { failure } from '../../errors/failure.ts';
import type { Cloud } from '../cloud.ts';
import { changingBy } from './changing.ts';

/** The same cloud for reading; every changing call rejects with cloudChangesStopped and is not made. */
export function withoutChanges(cloud: Cloud): Cloud {
  return changingBy(cloud, (call) => Promise.reject(failure('cloudChangesStopped', { cloud: cloud.name, call })));
}

/** The same cloud, of which nothing is given back: what would take an address or an interface away rejects with cloudReleasesStopped and is not made. */
export function withoutReleases(cloud: Cloud): Cloud {
  const stopped = (call: string) => (): Promise<never> => Promise.reject(failure('cloudReleasesStopped', { cloud: cloud.name, call }));
  return { ...cloud, detachNic: stopped('detachNic'), deleteNic: stopped('deleteNic'), unassign: stopped('unassign') };
}
