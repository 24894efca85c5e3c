/** What Flatpod reads of Services and EndpointSlices: a few fields each, checked; the rest is dropped at this edge. */
import * as z from 'zod';
import { conditions as conditionList, type Condition } from '../schema-parts.ts';

const texts = z.record(z.string(), z.string()).default({});
const transport = z.enum(['TCP', 'UDP', 'SCTP']).default('TCP');

/** One port of a Service. */
export interface ServicePort {
  /** Empty for the only one. */
  readonly name: string;
  readonly transport: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
}

/** A Service, as far as a load balancer depends on it. */
export interface ClusterService {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  /** It was deleted, and waits for its finalizers. */
  readonly leaving: boolean;
  readonly isLoadBalancer: boolean;
  /** spec.loadBalancerClass. */
  readonly class: string | undefined;
  readonly ports: readonly ServicePort[];
  readonly families: readonly (4 | 6)[];
  /** sessionAffinity ClientIP, and for how long. */
  readonly affinity_s: number | undefined;
  /** spec.loadBalancerSourceRanges and spec.loadBalancerIP, as they were written. */
  readonly sourceRanges: readonly string[];
  readonly address: string | undefined;
  /** What users were told. */
  readonly ingress: readonly { readonly ip?: string | undefined; readonly hostname?: string | undefined }[];
  readonly conditions: readonly Condition[];
}

const service = z
  .object({
    metadata: z.object({
      namespace: z.string(),
      name: z.string(),
      uid: z.string(),
      resourceVersion: z.string(),
      annotations: texts,
      finalizers: z.array(z.string()).default([]),
      deletionTimestamp: z.string().optional(),
    }),
    spec: z.object({
      type: z.string().default('ClusterIP'),
      loadBalancerClass: z.string().optional(),
      ports: z.array(z.object({ name: z.string().default(''), protocol: transport, port: z.int().min(1).max(65_535) })).default([]),
      ipFamilies: z.array(z.enum(['IPv4', 'IPv6'])).default([]),
      sessionAffinity: z.string().default('None'),
      sessionAffinityConfig: z.object({ clientIP: z.object({ timeoutSeconds: z.int().optional() }).optional() }).optional(),
      loadBalancerSourceRanges: z.array(z.string()).default([]),
      loadBalancerIP: z.string().optional(),
    }),
    status: z
      .object({
        loadBalancer: z
          .object({ ingress: z.array(z.object({ ip: z.string().optional(), hostname: z.string().optional() })).default([]) })
          .prefault({}),
        conditions: conditionList.default([]),
      })
      .prefault({}),
  })
  .transform(({ metadata, spec, status }): ClusterService => {
    const { deletionTimestamp, ...rest } = metadata;
    const affinity = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
    return {
      ...rest,
      leaving: deletionTimestamp !== undefined,
      isLoadBalancer: spec.type === 'LoadBalancer',
      class: spec.loadBalancerClass,
      ports: spec.ports.map(({ name, protocol, port }) => ({ name, transport: protocol, port })),
      families: spec.ipFamilies.map((family) => (family === 'IPv4' ? 4 : 6)),
      // Three hours are what the API server fills in.
      affinity_s: spec.sessionAffinity === 'ClientIP' ? (affinity ?? 10_800) : undefined,
      sourceRanges: spec.loadBalancerSourceRanges,
      address: spec.loadBalancerIP === '' ? undefined : spec.loadBalancerIP,
      ingress: status.loadBalancer.ingress,
      conditions: status.conditions,
    };
  });

/** @throws ZodError */
export const readService = (value: unknown): ClusterService => service.parse(value);

/** One endpoint of a slice. */
export interface Endpoint {
  readonly addresses: readonly string[];
  readonly ready: boolean;
  /** It answers, also when it is on its way out. */
  readonly serving: boolean;
  readonly leaving: boolean;
}

/** Some of a Service's endpoints (discovery.k8s.io/v1). */
export interface ClusterSlice {
  /** `namespace/name` of the Service; undefined: of none. */
  readonly service: string | undefined;
  readonly endpoints: readonly Endpoint[];
  /** By the name of the Service's port. */
  readonly ports: readonly ServicePort[];
}

/** Label of the Service a slice is of. */
const OF_SERVICE = 'kubernetes.io/service-name';

const slice = z
  .object({
    metadata: z.object({ namespace: z.string(), labels: texts }),
    addressType: z.string(),
    endpoints: z
      .array(
        z.object({
          addresses: z.array(z.string()),
          conditions: z
            .object({ ready: z.boolean().nullish(), serving: z.boolean().nullish(), terminating: z.boolean().nullish() })
            .prefault({}),
        }),
      )
      .nullish(),
    ports: z.array(z.object({ name: z.string().nullish(), protocol: transport.nullish(), port: z.int().nullish() })).nullish(),
  })
  .transform(({ metadata: { namespace, labels }, addressType, endpoints, ports }): ClusterSlice => {
    const of = labels[OF_SERVICE];
    return {
      service: of === undefined ? undefined : `${namespace}/${of}`,
      // Names of hosts are no members.
      endpoints: addressType === 'FQDN' ? [] : (endpoints ?? []).map(endpointOf),
      // null is to be taken as TCP, and as no name.
      ports: (ports ?? []).flatMap(({ name, protocol, port }) =>
        port === null || port === undefined ? [] : [{ name: name ?? '', transport: protocol ?? 'TCP', port }],
      ),
    };
  });

/** Unknown is ready, and what is ready answers: so the API's reference has it. */
function endpointOf({
  addresses,
  conditions: { ready, serving, terminating },
}: {
  readonly addresses: readonly string[];
  readonly conditions: {
    readonly ready?: boolean | null | undefined;
    readonly serving?: boolean | null | undefined;
    readonly terminating?: boolean | null | undefined;
  };
}): Endpoint {
  const isReady = ready ?? true;
  return { addresses, ready: isReady, serving: serving ?? isReady, leaving: terminating ?? false };
}

/** @throws ZodError */
export const readSlice = (value: unknown): ClusterSlice => slice.parse(value);
