/** The reads that the commands have in common. What a user may not see, or what is not there, is left out where the rest makes sense without it. */
import { isFailure } from '../../errors/failure.ts';
import { leases } from '../../kube/lease.ts';
import { type ClusterServiceAccount, readServiceAccount } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { readClaim, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import { type LeaseView, type PodView, readLeaseView, readPodView } from './core.ts';
import type { Found, Kubectl } from './kubectl.ts';
import { readSubnetView, type SubnetView } from './objects.ts';
import { type StoredNodeNetwork, readNodeNetwork } from '../../store/kubernetes/stored-node-network.ts';

/** As the chart labels it (deploy/chart/flatpod/templates/agent.yaml). */
const AGENT = 'app.kubernetes.io/name=flatpod,app.kubernetes.io/component=agent';
const LEASE = 'flatpod-controller';

/** All PodSubnets. @throws Failure as Kubectl.list() */
export function readSubnets(kubectl: Kubectl): Promise<Found<SubnetView>> {
  return kubectl.list(resources.podSubnets, readSubnetView);
}

/** All NodeNetworks. @throws Failure as Kubectl.list() */
export function readNetworks(kubectl: Kubectl): Promise<Found<StoredNodeNetwork>> {
  return kubectl.list(resources.nodeNetworks, readNodeNetwork);
}

/** IPClaims, of one namespace or all; none for who may not see them. @throws Failure kubectlMissing */
export async function readClaims(kubectl: Kubectl, namespace?: string): Promise<Found<StoredClaim>> {
  return await unlessForbidden(kubectl.list({ ...resources.ipClaims, ...(namespace !== undefined && { namespace }) }, readClaim));
}

/** The Lease of the controllers, in whatever namespace; undefined: nobody ever led, or the user may not see it. @throws Failure kubectlMissing */
export async function readLease(kubectl: Kubectl): Promise<LeaseView | undefined> {
  const { items } = await unlessForbidden(kubectl.list(leases, readLeaseView, { fieldSelector: `metadata.name=${LEASE}` }));
  return items.toSorted((a, b) => (b.renewed_ms ?? 0) - (a.renewed_ms ?? 0))[0];
}

/** The Pods of the agents, of one node or all; undefined: the user may not see them. @throws Failure kubectlMissing */
export async function readAgents(kubectl: Kubectl, node?: string): Promise<readonly PodView[] | undefined> {
  const selection = { labelSelector: AGENT, ...(node !== undefined && { fieldSelector: `spec.nodeName=${node}` }) };
  const { items, unreadable } = await unlessForbidden(kubectl.list(resources.pods, readPodView, selection));
  return items.length === 0 && unreadable.length > 0 ? undefined : items;
}

/** The service account that the Pod runs as; undefined: none, it is not there, or the user may not see it. @throws Failure kubectlMissing */
export async function readServiceAccountOf(kubectl: Kubectl, pod: PodView): Promise<ClusterServiceAccount | undefined> {
  const { namespace, serviceAccount } = pod;
  if (serviceAccount === undefined) return undefined;
  try {
    return await kubectl.get({ ...resources.serviceAccounts, namespace, name: serviceAccount }, readServiceAccount);
  } catch (error) {
    if (!isFailure(error, 'kubectlRefused')) throw error;
    return undefined;
  }
}

async function unlessForbidden<T>(found: Promise<Found<T>>): Promise<Found<T>> {
  try {
    return await found;
  } catch (error) {
    if (!isFailure(error) || error.kind === 'kubectlMissing') throw error;
    return { items: [], unreadable: [`${error.message}: ${error.details}`] };
  }
}
