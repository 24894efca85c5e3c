/** Which way a Pod is connected on this node: what its PodSubnet asks for, or what stands in for it where the kernel or the network does not allow that. */
import { asFailure, failure, sentence } from '../errors/failure.ts';
import type { LinkKind } from '../kernel/link-kinds.ts';
import type { GrantedNic } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';

/** A datapath with what it takes. */
export type Way =
  | { readonly datapath: 'routed-veth' }
  | { readonly datapath: 'ipvlan'; readonly mode: 'l2' | 'l3' | 'l3s' }
  | { readonly datapath: 'macvlan'; readonly mode: 'bridge' | 'private' | 'vepa' | 'passthru' }
  | { readonly datapath: 'nic' }
  | { readonly datapath: 'branch'; readonly vlan: number };

/** What each datapath needs of the kernel. */
const needs: Readonly<Partial<Record<PodSubnet['spec']['datapath'], LinkKind>>> = { ipvlan: 'ipvlan', macvlan: 'macvlan', branch: 'vlan' };

/** The datapath that Pods of the subnet get where the kernel has these kinds of links. @throws Failure kindUnsupported when there is none. */
function datapathOn({ spec }: PodSubnet, has: (kind: LinkKind) => boolean): PodSubnet['spec']['datapath'] {
  const [kind, instead] = [needs[spec.datapath], spec.fallback];
  if (kind === undefined || has(kind)) return spec.datapath;
  const other = instead === undefined ? undefined : needs[instead];
  if (instead !== undefined && (other === undefined || has(other))) return instead;
  throw failure('kindUnsupported', { kind, module: kind === 'vlan' ? '8021q' : kind });
}

/** What is to be said when the agent first hears of the subnet; undefined: it gets what it asks for. */
export function sayInstead(subnet: PodSubnet, has: (kind: LinkKind) => boolean): string | undefined {
  const { name } = subnet.metadata;
  try {
    const datapath = datapathOn(subnet, has);
    if (datapath === subnet.spec.datapath) return undefined;
    return `Pods of PodSubnet ${name} get datapath ${datapath} here: the kernel of this node has no ${subnet.spec.datapath}`;
  } catch (error) {
    return `Pods of PodSubnet ${name} cannot be served here: ${sentence(asFailure(error))}`;
  }
}

/**
 * Whether new Pods of the subnet may have addresses of that NIC. When its datapath was changed there are NICs of the former kind still, which Pods have or
 * which go back: whoever took one of those for itself would take it away from all others.
 */
export function fits({ spec: { datapath } }: PodSubnet, { use, trunk }: Pick<GrantedNic, 'use' | 'trunk'>): boolean {
  switch (datapath) {
    case 'nic':
      return use === 'pod' && trunk === undefined;
    case 'branch':
      return trunk !== undefined;
    case 'routed-veth':
    case 'ipvlan':
    case 'macvlan':
      return use === undefined && trunk === undefined;
  }
}

/** The way for Pods with addresses of that NIC. @throws Failure kindUnsupported, macsRefused, parentBusy, notABranch. */
export function wayOf(subnet: PodSubnet, nic: GrantedNic, has: (kind: LinkKind) => boolean): Way {
  const datapath = datapathOn(subnet, has);
  const { mode } = subnet.spec;
  // An ADD that waited while the datapath became another: the next one has an address of a NIC that fits.
  if (datapath !== 'branch' && !fits(subnet, nic)) throw failure('parentBusy', { parent: nic.id, object: `datapath ${datapath}` });
  switch (datapath) {
    case 'routed-veth':
    case 'nic':
      return { datapath };
    case 'ipvlan':
      return { datapath, mode: mode === 'l3' || mode === 'l3s' ? mode : 'l2' };
    case 'macvlan':
      // Of a range the parent is the node's own: no cloud says what gets through there.
      if (nic.multiMac !== true && nic.parent === undefined) throw failure('macsRefused', { nic: nic.id, subnet: subnet.metadata.name });
      // Whoever lets all through to a Pod takes the node's own network away.
      if (mode === 'passthru' && nic.deviceIndex === 0 && nic.parent === undefined)
        throw failure('parentBusy', { parent: `${nic.id}, which is the node's own,`, object: 'macvlan passthru' });
      return { datapath, mode: mode === 'private' || mode === 'vepa' || mode === 'passthru' ? mode : 'bridge' };
    case 'branch':
      if (nic.trunk === undefined) throw failure('notABranch', { nic: nic.id, subnet: subnet.metadata.name });
      return { datapath, vlan: nic.trunk.vlan };
  }
}
