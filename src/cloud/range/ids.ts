/** Names of what no cloud has: the subnets and the interfaces of ranges. By them a call for a range is told from one for a cloud. */
import { createHash } from 'node:crypto';
import { type Mac, parseMac } from '../../net/mac.ts';
import type { NicId, SubnetId } from '../cloud.ts';

const PREFIX = 'range:';
/** A NIC's id has at most 128 characters in NodeNetwork; a Node's name may have 253. */
const LONGEST_ID = 128;

/** The subnet that stands for the range of that PodSubnet. */
export function rangeSubnet(podSubnet: string): SubnetId {
  return `${PREFIX}${podSubnet}` as SubnetId; // made here, of a form that no cloud uses
}

/** The PodSubnet whose range it stands for; undefined: it is a cloud's. */
export function podSubnetOf(id: SubnetId): string | undefined {
  return id.startsWith(PREFIX) ? id.slice(PREFIX.length) : undefined;
}

/** Whether no cloud has it: an interface that stands for a node's share of a range. */
export function isRangeNic(id: NicId): boolean {
  return id.startsWith(PREFIX);
}

/** The interface that stands for what a node has of a PodSubnet's range. */
export function rangeNic(podSubnet: string, node: string): NicId {
  const id = `${PREFIX}${podSubnet}/${node}`;
  return (id.length <= LONGEST_ID ? id : `${PREFIX}${podSubnet}/${digest(node).toString('hex')}`) as NicId; // as above
}

/** An Ethernet address for it, which no interface has: locally administered, and always the same. */
export function macOf(nic: NicId): Mac {
  const bytes = [0x02, ...digest(nic).subarray(0, 5)];
  return parseMac(bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, 16);
}
