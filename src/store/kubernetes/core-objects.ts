/** What Flatpod reads of Kubernetes' own objects: a few fields each, checked; the rest is dropped at this edge. */
import * as z from 'zod';
import { providerIdOf } from './provider-id.ts';

const texts = z.record(z.string(), z.string()).default({});
const metadata = z.object({ name: z.string(), uid: z.string(), labels: texts, annotations: texts });

/** The extended resource of which a Pod with an address needs one. */
export const ADDRESSES = 'flatpod.dev/addresses';

/** A Node: who it is, and which instance of the cloud it runs on. */
export interface ClusterNode {
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Its kubelet was heard of lately. */
  readonly isReady: boolean;
  /** spec.providerID, such as `vpc:///zone-a/i-1`, or what stands for it. */
  readonly providerId: string | undefined;
  /** How many Pods with addresses the scheduler was told it may have. */
  readonly addresses: number | undefined;
}

const nodeStatus = z.object({
  conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
  allocatable: z.record(z.string(), z.string()).default({}),
});
const node = z
  .object({ metadata, spec: z.object({ providerID: z.string().optional() }).prefault({}), status: nodeStatus.prefault({}) })
  .transform(({ metadata: { name, uid, labels, annotations }, spec, status }): ClusterNode => {
    const isReady = status.conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True');
    const addresses = status.allocatable[ADDRESSES];
    const providerId = providerIdOf(spec, annotations);
    return { name, uid, labels, annotations, isReady, providerId, addresses: addresses === undefined ? undefined : Number(addresses) };
  });

/** @throws ZodError */
export const readNode = (value: unknown): ClusterNode => node.parse(value);

/** A Pod, as far as its network depends on it. */
export interface ClusterPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** It is to have an address: it is not on the host's network, and has not ended. */
  readonly needsAddress: boolean;
  /** It was deleted and is on its way out; it may run for a while. */
  readonly leaving: boolean;
  /** The name of the service account it runs as; undefined: none, as a static Pod does. */
  readonly serviceAccount: string | undefined;
}

const pod = z
  .object({
    metadata: metadata.extend({ namespace: z.string(), deletionTimestamp: z.string().optional() }),
    spec: z.object({ hostNetwork: z.boolean().default(false), serviceAccountName: z.string().optional() }),
    status: z.object({ phase: z.string().default('Pending') }).prefault({}),
  })
  .transform(({ metadata: { namespace, name, uid, labels, annotations, deletionTimestamp }, spec, status }): ClusterPod => {
    const ended = status.phase === 'Succeeded' || status.phase === 'Failed';
    return {
      namespace,
      name,
      uid,
      labels,
      annotations,
      needsAddress: !spec.hostNetwork && !ended,
      leaving: deletionTimestamp !== undefined,
      serviceAccount: spec.serviceAccountName || undefined,
    };
  });

/** @throws ZodError */
export const readPod = (value: unknown): ClusterPod => pod.parse(value);

/** A Pod and the node it is on. */
export interface PlacedPod extends ClusterPod {
  readonly node: string | undefined;
}

const placed = z.object({ spec: z.object({ nodeName: z.string().optional() }) });

/** @throws ZodError */
export const readPlacedPod = (value: unknown): PlacedPod => ({ ...pod.parse(value), node: placed.parse(value).spec.nodeName });

/** A Pod as the scheduler sees it. */
export interface PodScheduling {
  readonly node: string | undefined;
  /** It needs an address now, or has one. */
  readonly needsAddress: boolean;
  /** It asks the scheduler for one. */
  readonly asks: boolean;
  /** The scheduler found no node for it, for want of addresses among other things perhaps. */
  readonly lacksAddress: boolean;
}

const scheduling = z.object({
  spec: z.object({
    nodeName: z.string().optional(),
    hostNetwork: z.boolean().default(false),
    containers: z.array(z.object({ resources: z.object({ requests: z.record(z.string(), z.unknown()).optional() }).optional() })),
  }),
  status: z
    .object({
      phase: z.string().default('Pending'),
      conditions: z.array(z.object({ type: z.string(), status: z.string(), message: z.string().optional() })).default([]),
    })
    .prefault({}),
});

/** @throws ZodError */
export function readScheduling(value: unknown): PodScheduling {
  const { spec, status } = scheduling.parse(value);
  const ended = status.phase === 'Succeeded' || status.phase === 'Failed';
  return {
    node: spec.nodeName,
    needsAddress: !spec.hostNetwork && !ended,
    asks: spec.containers.some(({ resources }) => resources?.requests?.[ADDRESSES] !== undefined),
    lacksAddress: status.conditions.some(
      ({ type, status: is, message }) => type === 'PodScheduled' && is === 'False' && message?.includes(ADDRESSES) === true,
    ),
  };
}

/** A Namespace: what it says about its Pods' subnets. */
export interface ClusterNamespace {
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const namespace = z
  .object({ metadata })
  .transform(({ metadata: { name, uid, labels, annotations } }): ClusterNamespace => ({ name, uid, labels, annotations }));

/** @throws ZodError */
export const readNamespace = (value: unknown): ClusterNamespace => namespace.parse(value);

/** A ServiceAccount: only its labels matter, by which PodSubnets select Pods that run as it. */
export interface ClusterServiceAccount {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

const serviceAccount = z
  .object({ metadata: z.object({ namespace: z.string(), name: z.string(), labels: texts }) })
  .transform(({ metadata: { namespace: of, name, labels } }): ClusterServiceAccount => ({ namespace: of, name, labels }));

/** @throws ZodError */
export const readServiceAccount = (value: unknown): ClusterServiceAccount => serviceAccount.parse(value);
