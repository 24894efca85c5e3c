/** Tags by which the controller finds what it owns, and only that. */
import { createHash } from 'node:crypto';
import type { CloudNic, Tags } from '../cloud/cloud.ts';
import { tagKeys as keys } from '../cloud/tag-keys.ts';

/** Tags of a new NIC. `intent` is its client token: a read-back finds the NIC by it when the answer was lost. */
export function tagsFor(cluster: string, node: string, subnet: string, intent: string): Tags {
  return { [keys.cluster]: cluster, [keys.node]: node, [keys.subnet]: subnet, [keys.intent]: intent };
}

/** Selects the NICs of one node. */
export function tagsOfNode(cluster: string, node: string): Tags {
  return { [keys.cluster]: cluster, [keys.node]: node };
}

/** Selects the NICs of all nodes. */
export function tagsOfCluster(cluster: string): Tags {
  return { [keys.cluster]: cluster };
}

/** Whether we made the NIC for that node. */
export function isOurs(nic: CloudNic, cluster: string, node: string): boolean {
  return nic.tags[keys.cluster] === cluster && nic.tags[keys.node] === node;
}

/** The node the NIC was made for. */
export function nodeOf(nic: CloudNic): string | undefined {
  return nic.tags[keys.node];
}

/** The PodSubnet the NIC was made for; that object may be gone since. */
export function subnetOf(nic: Pick<CloudNic, 'tags'>): string | undefined {
  return nic.tags[keys.subnet];
}

/** The client token the NIC was made with. */
export function intentOf(nic: CloudNic): string | undefined {
  return nic.tags[keys.intent];
}

/**
 * The client token of a NIC to be made now: at most 64 printable characters, the same for the same cluster, node, PodSubnet, moment and number.
 * It is written down before it is used, so a repeated call repeats the token.
 */
export function newToken(
  who: { readonly cluster: string; readonly node: string; readonly now_ms: number },
  subnet: string,
  number: number,
): string {
  const owner = createHash('sha256')
    .update(JSON.stringify([who.cluster, who.node, subnet]))
    .digest('hex')
    .slice(0, 24);
  return `flatpod-${owner}-${who.now_ms.toString(36)}-${number}`;
}
