/** The node's interfaces as the pool of one PodSubnet sees them. Pure. */
import { subnetsOf, viewFor } from '../store/nic-shares.ts';
import type { GrantedNic, Growth } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { fits } from './way.ts';

/** The PodSubnet's parts of them, without what belongs to claims: no pool knows of that. */
export interface ServedNics {
  /** New Pods may have their addresses. */
  readonly leased: readonly GrantedNic[];
  /** The node misses them, or they are of another datapath than the PodSubnet's is by now. */
  readonly aside: readonly GrantedNic[];
}

/** Those of the granted `nics` that have something for the PodSubnet, or may have. `plugged`: ids of those that are set up. */
export function servedNics(subnet: PodSubnet, nics: readonly GrantedNic[], plugged: ReadonlySet<string>): ServedNics {
  const { name } = subnet.metadata;
  const claimed = new Set(nics.flatMap((nic) => nic.claimed ?? []));
  const its = nics
    .filter((nic) => subnetsOf(nic).includes(name))
    .map((nic) => viewFor(nic, name))
    .map((nic) => ({ ...nic, blocks: nic.blocks.filter((block) => !claimed.has(block)) }));
  const isLeased = (nic: GrantedNic): boolean => plugged.has(nic.id) && fits(subnet, nic);
  return { leased: its.filter(isLeased), aside: its.filter((nic) => !isLeased(nic)) };
}

/** What stops Pods although nothing stops the controller: interfaces that it granted and the node does not have. */
export function withMissing(growth: Growth, nics: readonly GrantedNic[], plugged: ReadonlySet<string>): Growth {
  const missing = nics.filter((nic) => subnetsOf(nic).includes(growth.subnet) && !plugged.has(nic.id));
  if (growth.stoppedBy !== 'none' || missing.length === 0) return growth;
  const names = missing.map(({ id, mac, parent }) => parent ?? `${id} with the MAC ${mac}`);
  return { ...growth, text: `the node has no interface ${names.join(', ')}` };
}
