/**
 * What interfaces are for. Most lend their secondary addresses to many Pods; with the datapaths nic and branch a Pod has an interface for itself, with the
 * addresses that it was born with.
 *
 * To the rest of the controller such an interface is one with a single block of each family, which is its primary address: so it is counted, granted, asked
 * back, missed and limited like any other block. Only how it comes and goes is another way: as a whole.
 */
import type { CloudNic, NicId } from '../cloud/cloud.ts';
import { hostCidr } from '../net/cidr.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';

/** `pods`: for many; `pod`: plugged in for one; `branch`: on a trunk, for one; `trunk`: for branches alone. */
export type NicUse = 'pods' | 'pod' | 'branch' | 'trunk';

const tag = 'flatpod.dev/use';

/** What the interface was made for; also told of those that are none of ours, which are for many. */
export function useOf({ tags }: Pick<CloudNic, 'tags'>): NicUse {
  const use = tags[tag];
  return use === 'pod' || use === 'branch' || use === 'trunk' ? use : 'pods';
}

/** The tag by which {@link useOf} knows it. */
export function tagsForUse(use: NicUse): Readonly<Record<string, string>> {
  return use === 'pods' ? {} : { [tag]: use };
}

/** Whether it is for a Pod alone. */
export function isWhole(nic: Pick<CloudNic, 'tags'>): boolean {
  return isWholeUse(useOf(nic));
}

/** Whether Pods of it have interfaces of their own. */
export function givesWhole(subnet: PodSubnet | undefined): boolean {
  return subnet !== undefined && isWholeUse(useFor(subnet));
}

function isWholeUse(use: NicUse): boolean {
  return use === 'pod' || use === 'branch';
}

/** What interfaces for its Pods are made for. */
export function useFor({ spec: { datapath } }: PodSubnet): NicUse {
  if (datapath === 'nic') return 'pod';
  return datapath === 'branch' ? 'branch' : 'pods';
}

/**
 * Whether its Pods have Ethernet addresses of their own behind the node's interface, on all nodes or on those that fall back to that. A range of no cloud
 * has no port security that we know of.
 */
export function needsMultiMac({ spec: { datapath, fallback, range } }: PodSubnet): boolean {
  return (datapath === 'macvlan' || fallback === 'macvlan') && range === undefined;
}

/** The instance's first interface: not a branch on it. */
export function isFirst({ attachment, branch }: CloudNic): boolean {
  return attachment?.deviceIndex === 0 && branch === undefined;
}

/** See the head of this file; a branch is attached where its trunk is. */
export function asUsed(nics: readonly CloudNic[]): CloudNic[] {
  const byId = new Map<NicId, CloudNic>(nics.map((nic) => [nic.id, nic]));
  return nics.map((nic) => {
    const { primary4, primary6, branch } = nic;
    const at = branch === undefined ? nic.attachment : byId.get(branch.trunk)?.attachment;
    if (!isWhole(nic)) return nic;
    const blocks = [primary4, primary6].flatMap((ip) => (ip === undefined ? [] : [hostCidr(ip)]));
    return { ...nic, blocks, ...(at && { attachment: at }) };
  });
}
