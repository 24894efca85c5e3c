/**
 * Addresses that belong to workloads (IPClaims): granted like any others, but for the Pods they are for.
 *
 * Invariants
 * - no ordinary Pod gets one, and no pool counts one
 * - one that is asked back is given to nobody any more, and is said to be returned while no attachment has it
 * - what was said to be returned stays so until it is granted no more, whatever is said meanwhile: the controller may be taking it away
 */
import type { Ip } from '../net/address.ts';
import { type Cidr, firstOf } from '../net/cidr.ts';
import type { Taken } from '../ipam/pool.ts';
import { asksForAddresses, CLAIM } from '../store/claim-annotations.ts';
import type { ClaimAsked, ClaimGranted, NodeNetworkStatus } from '../store/node-network.ts';
import { lacksServiceAccount, type NodePods, type PodFacts } from '../store/kubernetes/node-pods.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { candidatesOf } from './subnet-choice.ts';

/** Whether the Pod is to have an address of its own. */
export function asksForClaim({ pod: { annotations } }: PodFacts): boolean {
  return asksForAddresses(annotations);
}

/** What the controller is to hear of the node's Pods that ask, in the order of their uids. What an annotation says is the controller's to judge. */
export function claimsAsked(pods: NodePods, subnets: readonly PodSubnet[]): ClaimAsked[] {
  const asking = pods.list().filter((facts) => asksForClaim(facts) && !lacksServiceAccount(subnets, facts));
  return asking
    .map((facts): ClaimAsked => {
      const { namespace, name, uid, annotations } = facts.pod;
      const claim = annotations[CLAIM];
      const names = candidatesOf(subnets, facts).map(({ metadata }) => metadata.name);
      return { namespace, pod: name, uid, subnets: names, ...(claim !== undefined && { claim }) };
    })
    .toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
}

/** The answer to that Pod; undefined: none yet. */
export function answerTo(status: NodeNetworkStatus | undefined, uid: string): ClaimGranted | undefined {
  return status?.claims?.find((one) => one.uid === uid);
}

/** The addresses of an answer when they can be used: all on one NIC, none asked back. */
export function takenBy(status: NodeNetworkStatus, { addresses }: ClaimGranted): Taken | undefined {
  if (addresses.length === 0) return undefined;
  const nic = status.nics.find(({ claimed = [], reclaiming }) => {
    const usable = claimed.filter((block) => !reclaiming.includes(block)).map(firstOf);
    return addresses.every((ip) => usable.includes(ip));
  });
  return nic === undefined ? undefined : { nic: nic.id, addresses };
}

/** The status, with what was given back still a claim's and still asked back for as long as it is granted. */
export function withLetGo(status: NodeNetworkStatus, letGo: ReadonlySet<Cidr>): NodeNetworkStatus {
  const nics = status.nics.map((nic) => {
    const gone = nic.blocks.filter((block) => letGo.has(block));
    if (gone.length === 0) return nic;
    return { ...nic, claimed: [...new Set([...(nic.claimed ?? []), ...gone])], reclaiming: [...new Set([...nic.reclaiming, ...gone])] };
  });
  return { ...status, nics };
}

/** Claimed addresses that are asked back and that nobody uses. */
export function claimedReturned(status: NodeNetworkStatus | undefined, inUse: ReadonlySet<Ip>): Cidr[] {
  return (status?.nics ?? []).flatMap(({ claimed = [], reclaiming }) =>
    claimed.filter((block) => reclaiming.includes(block) && !inUse.has(firstOf(block))),
  );
}
