/** What the question "why has this Pod no address" is answered from, and the shape of an answer. */
import type { ClusterNamespace, ClusterServiceAccount } from '../../store/kubernetes/core-objects.ts';
import { instanceOf } from '../../store/kubernetes/provider-id.ts';
import type { StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import { servesNode } from '../../store/kubernetes/cluster-subnets.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';
import { candidatesFor, type PodAsking } from '../../store/subnet-order.ts';
import type { EventView, LeaseView, NodeView, PodView } from './core.ts';
import type { SubnetView } from './objects.ts';
import type { StoredNodeNetwork } from '../../store/kubernetes/stored-node-network.ts';
import { type Usage, usageOf } from './usage.ts';

/** All that was read; what is undefined does not exist, or may not be read. */
export interface WhyFacts {
  readonly pod: PodView;
  readonly namespace: ClusterNamespace | undefined;
  /** Which the Pod runs as. */
  readonly serviceAccount: ClusterServiceAccount | undefined;
  /** The Pod's. */
  readonly node: NodeView | undefined;
  /** Of all nodes: for a Pod that is on none. */
  readonly networks: readonly StoredNodeNetwork[];
  readonly subnets: readonly SubnetView[];
  /** Of the Pod's namespace. */
  readonly claims: readonly StoredClaim[];
  /** About the Pod. */
  readonly events: readonly EventView[];
  readonly lease: LeaseView | undefined;
  /** The agent's Pod on the Pod's node. */
  readonly agent: PodView | undefined;
  readonly now_ms: number;
}

/** Which answer it is, in a word for programs. */
export type WhyKind =
  | 'has-address'
  | 'foreign-address'
  | 'host-network'
  | 'ended'
  | 'leaving'
  | 'gated'
  | 'no-node-has-room'
  | 'unschedulable'
  | 'not-scheduled'
  | 'node-gone'
  | 'no-instance'
  | 'no-node-network'
  | 'agent-silent'
  | 'controller-silent'
  | 'instance-replaced'
  | 'draining'
  | 'claim'
  | 'no-subnet'
  | 'subnet-elsewhere'
  | 'refused'
  | 'exhausted'
  | 'growing'
  | 'not-ours'
  | 'agent-not-ready'
  | 'node-not-ready'
  | 'on-its-way';

/** One answer. */
export interface Finding {
  readonly kind: WhyKind;
  /** The reason, in one sentence. */
  readonly sentence: string;
  /** What to do; empty when there is nothing to do. */
  readonly remedy: string;
}

/** `namespace/name`. */
export function nameOfPod({ namespace, name }: PodView): string {
  return `${namespace}/${name}`;
}

/** The NodeNetwork of the Pod's node. */
export function networkOf({ pod, networks }: WhyFacts): StoredNodeNetwork | undefined {
  return networks.find(({ name }) => name === pod.node);
}

/** What is known of the Pod for the choice of a subnet. */
export function askingOf({ pod, namespace, serviceAccount }: Pick<WhyFacts, 'pod' | 'namespace' | 'serviceAccount'>): PodAsking {
  return {
    namespace: pod.namespace,
    subnet: undefined,
    podLabels: pod.labels,
    ...(serviceAccount !== undefined && { serviceAccountLabels: serviceAccount.labels }),
    ...(namespace !== undefined && { namespaceLabels: namespace.labels, namespaceAnnotations: namespace.annotations }),
  };
}

/** The PodSubnets the Pod's node may use: as it was told, else by what they select nodes by. */
export function subnetsOfNode(facts: Pick<WhyFacts, 'node' | 'subnets' | 'pod' | 'networks'>): readonly PodSubnet[] {
  const told = facts.networks.find(({ name }) => name === facts.pod.node)?.status?.subnets;
  if (told !== undefined) {
    return told.map(({ name, spec }) => ({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec }));
  }
  const node = facts.node ?? { labels: {}, annotations: {} };
  return facts.subnets.filter((subnet) => servesNode(subnet, node));
}

/** Those of them that may serve the Pod, the first to be tried first, and what the node has of each. */
export function candidatesOnNode(facts: WhyFacts): readonly { readonly subnet: PodSubnet; readonly usage: Usage | undefined }[] {
  const network = networkOf(facts);
  const usage = network === undefined ? [] : usageOf(network, facts.subnets);
  return candidatesFor(subnetsOfNode(facts), askingOf(facts)).map((subnet) => ({
    subnet,
    usage: usage.find((one) => one.subnet === subnet.metadata.name),
  }));
}

/** The instance the Node says it is; without a cloud, where only ranges are, it is its own. */
export function instanceOfNode(facts: WhyFacts): string | undefined {
  const { name, providerId } = facts.node ?? {};
  const isBare =
    networkOf(facts)?.instance === name || (facts.subnets.length > 0 && facts.subnets.every(({ spec }) => spec.range !== undefined));
  return isBare ? name : instanceOf(providerId);
}
