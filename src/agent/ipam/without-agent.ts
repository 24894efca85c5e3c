/** Addresses of PodSubnets where no agent answers: none is given, and none is taken that the agent would still believe in. */
import type { DatabaseSync } from 'node:sqlite';
import type { IpamConfig } from '../../cni/ipam/config.ts';
import { failure } from '../../errors/failure.ts';
import { hasAgentsLease, isInCluster } from '../../store/agents-part.ts';
import type { PodSubnetLeases } from './subnet-leases.ts';

/** What a process that answers once knows of them. */
export function podSubnetsWithoutAgent(database: DatabaseSync): PodSubnetLeases {
  const refuse = (what: string): Error => failure('ipamNeedsAgent', { what });
  const wanted = ({ subnet, sets }: IpamConfig): string =>
    subnet === undefined ? sets.map(({ name }) => name).join(', ') : `PodSubnet ${subnet}`;
  return {
    serves: ({ clusterWide, subnet, sets }) => clusterWide && (subnet !== undefined || (sets.length > 0 && isInCluster(database))),
    ready(config) {
      throw refuse(wanted(config));
    },
    add: (_asked, config) => Promise.reject(refuse(wanted(config))),
    answered: () => undefined,
    check() {
      throw refuse('a PodSubnet');
    },
    release: (of) => (hasAgentsLease(database, of) ? Promise.reject(refuse('a PodSubnet')) : Promise.resolve()),
    // What it does not collect the agent's own sweep does.
    collect: () => Promise.resolve(),
  };
}
