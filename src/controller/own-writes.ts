/**
 * Our own changes, laid over what the cloud says: for a while after a write its answer is truer than the next read, which may be older than the write.
 * (EC2, Neutron and others read from replicas that lag by seconds.)
 */
import type { CloudNic, InstanceId, NicId } from '../cloud/cloud.ts';
import type { Cidr } from '../net/cidr.ts';

/** A change the cloud has confirmed. */
export type OwnWrite =
  | { readonly did: 'create'; readonly nic: NicId; readonly made: CloudNic; readonly at_ms: number }
  | { readonly did: 'attach'; readonly nic: NicId; readonly instance: InstanceId; readonly deviceIndex: number; readonly at_ms: number }
  | { readonly did: 'attachBranch'; readonly nic: NicId; readonly trunk: NicId; readonly vlan: number; readonly at_ms: number }
  | { readonly did: 'detach'; readonly nic: NicId; readonly at_ms: number }
  | { readonly did: 'delete'; readonly nic: NicId; readonly at_ms: number }
  | { readonly did: 'assign' | 'unassign'; readonly nic: NicId; readonly blocks: readonly Cidr[]; readonly at_ms: number };

/** The writes with one more; those it makes void are dropped. */
export function withWrite(writes: readonly OwnWrite[], write: OwnWrite): OwnWrite[] {
  return [...writes.filter((earlier) => earlier.nic !== write.nic || !voids(write, earlier)), write];
}

function voids(later: OwnWrite, earlier: OwnWrite): boolean {
  if (later.did === 'delete') return true;
  const moves: readonly OwnWrite['did'][] = ['attach', 'attachBranch', 'detach'];
  return moves.includes(later.did) && moves.includes(earlier.did);
}

/** What the cloud said, as it must be by now. */
export function withOwnWrites(read: readonly CloudNic[], writes: readonly OwnWrite[]): CloudNic[] {
  const nics = new Map(read.map((nic) => [nic.id, nic]));
  for (const write of writes) {
    const nic = nics.get(write.nic);
    if (write.did === 'create') {
      if (nic === undefined) nics.set(write.nic, write.made);
    } else if (write.did === 'delete') nics.delete(write.nic);
    else if (nic !== undefined) nics.set(write.nic, after(nic, write));
  }
  return [...nics.values()];
}

function after(nic: CloudNic, write: Exclude<OwnWrite, { did: 'create' | 'delete' }>): CloudNic {
  switch (write.did) {
    case 'attach': {
      if (nic.attachment?.instance === write.instance && nic.attachment.state !== 'detaching') return nic;
      return { ...nic, attachment: { instance: write.instance, deviceIndex: write.deviceIndex, state: 'attaching' } };
    }
    case 'attachBranch':
      return { ...nic, branch: { trunk: write.trunk, vlan: write.vlan } };
    case 'detach':
      if (nic.branch !== undefined) {
        const { branch: _left, ...free } = nic;
        return free;
      }
      return nic.attachment === undefined ? nic : { ...nic, attachment: { ...nic.attachment, state: 'detaching' } };
    case 'assign':
      return { ...nic, blocks: [...new Set([...nic.blocks, ...write.blocks])] };
    case 'unassign':
      return { ...nic, blocks: nic.blocks.filter((block) => !write.blocks.includes(block)) };
    default:
      return write satisfies never;
  }
}
