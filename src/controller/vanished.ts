/**
 * Grants that a read of the cloud lacks. One read proves nothing: it may be stale, and Pods may be using the addresses. A grant is gone when two full
 * reads, some seconds apart, both lack it.
 */
import type { CloudNic, InstanceId } from '../cloud/cloud.ts';
import type { GrantedNic, NodeNetwork, NodeNetworkSpec } from '../store/node-network.ts';

/** Since when each missing grant is missing, and whether that is sure by now. The keys are {@link nicKey} and {@link blockKey}. */
export type Missing = ReadonlyMap<string, { readonly since_ms: number; readonly sure: boolean }>;

/** Names a granted NIC among what is missing. */
export function nicKey(nic: GrantedNic): string {
  return nic.id;
}

/** Names a granted block of a NIC among what is missing. */
export function blockKey(nic: GrantedNic, block: string): string {
  return `${nic.id} ${block}`;
}

/** Whether the NIC is plugged into that instance, or still on its way in or out. */
export function isPluggedInto(nic: CloudNic | undefined, instance: InstanceId): boolean {
  return nic?.attachment?.instance === instance;
}

/** From when on a full read proves that what was missing since `since_ms` is gone. */
export type ProvenFrom = (since_ms: number) => number;

/** What is missing after a full read made at `read_ms`, given what was missing before. A block the agent gave back is not missed. */
export function missingAfter(
  before: Missing,
  { spec, status }: NodeNetwork,
  nics: readonly CloudNic[],
  read_ms: number,
  provenFrom: ProvenFrom,
): Missing {
  const keys: string[] = [];
  for (const nic of status.nics) {
    const found = nics.find(({ id }) => id === nic.id);
    if (found === undefined || !isPluggedInto(found, spec.instance)) keys.push(nicKey(nic));
    else
      for (const block of nic.blocks) if (!found.blocks.includes(block) && !isReturned(nic, block, spec)) keys.push(blockKey(nic, block));
  }
  return new Map(
    keys.map((key) => {
      const since_ms = before.get(key)?.since_ms ?? read_ms;
      return [key, { since_ms, sure: read_ms >= provenFrom(since_ms) }];
    }),
  );
}

/** Asked back by us and given back by the agent: both have let go of it. */
export function isReturned(nic: GrantedNic, block: GrantedNic['blocks'][number], spec: NodeNetworkSpec): boolean {
  return nic.reclaiming.includes(block) && spec.returned.includes(block);
}
