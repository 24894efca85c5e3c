/** What the plugin reads of Kubernetes' own objects: more than agent and controller need, for people. */
import * as z from 'zod';
import { providerIdOf } from '../../store/kubernetes/provider-id.ts';
import { type Ip, tryParseIp } from '../../net/address.ts';

const texts = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
/** Seconds since the epoch matter to nobody here: milliseconds, like everywhere. */
const time = z
  .string()
  .nullish()
  .transform((text) => (text === null || text === undefined || Number.isNaN(Date.parse(text)) ? undefined : Date.parse(text)));
const ips = z
  .array(z.object({ ip: z.string() }))
  .nullish()
  .transform((list) => (list ?? []).flatMap(({ ip }) => tryParseIp(ip) ?? []));
const conditions = z
  .array(z.object({ type: z.string(), status: z.string(), reason: z.string().default(''), message: z.string().default('') }))
  .nullish()
  .transform((list) => list ?? []);
const waiting = z.object({ reason: z.string().default(''), message: z.string().default('') });
const containers = z
  .array(
    z.object({
      name: z.string(),
      ready: z.boolean().default(false),
      restartCount: z.int().default(0),
      state: z.object({ waiting: waiting.optional() }).default({}),
    }),
  )
  .nullish()
  .transform((list) => list ?? []);

/** A condition of a Pod or Node. */
export interface CoreCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** A Pod. Times are milliseconds since the epoch. */
export interface PodView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly leaving: boolean;
  readonly hostNetwork: boolean;
  /** The name of the service account it runs as; undefined: none. */
  readonly serviceAccount: string | undefined;
  /** undefined: not scheduled. */
  readonly node: string | undefined;
  readonly phase: string;
  readonly ips: readonly Ip[];
  readonly conditions: readonly CoreCondition[];
  /** Of its containers: whether all are ready, and what the first that waits says. */
  readonly ready: boolean;
  readonly waiting: { readonly reason: string; readonly message: string } | undefined;
  readonly restarts: number;
}

const pod = z
  .object({
    metadata: z.object({
      namespace: z.string(),
      name: z.string(),
      uid: z.string(),
      labels: texts,
      annotations: texts,
      deletionTimestamp: time,
    }),
    spec: z.object({ hostNetwork: z.boolean().default(false), serviceAccountName: z.string().optional(), nodeName: z.string().optional() }),
    status: z
      .object({
        phase: z.string().default('Pending'),
        podIP: z.string().optional(),
        podIPs: ips,
        conditions,
        containerStatuses: containers,
      })
      .prefault({}),
  })
  .transform(({ metadata, spec, status }): PodView => {
    const { namespace, name, uid, labels, annotations, deletionTimestamp } = metadata;
    const own = status.podIP === undefined ? undefined : tryParseIp(status.podIP);
    const states = status.containerStatuses;
    return {
      namespace,
      name,
      uid,
      labels,
      annotations,
      leaving: deletionTimestamp !== undefined,
      hostNetwork: spec.hostNetwork,
      serviceAccount: spec.serviceAccountName || undefined,
      node: spec.nodeName || undefined,
      phase: status.phase,
      conditions: status.conditions,
      ips: status.podIPs.length > 0 ? status.podIPs : own === undefined ? [] : [own],
      ready: states.length > 0 && states.every(({ ready }) => ready),
      waiting: states.find(({ state }) => state.waiting !== undefined)?.state.waiting,
      restarts: states.reduce((sum, { restartCount }) => sum + restartCount, 0),
    };
  });

/** @throws ZodError */
export const readPodView = (value: unknown): PodView => pod.parse(value);

/** A Node. */
export interface NodeView {
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly providerId: string | undefined;
  readonly unschedulable: boolean;
  readonly taints: readonly string[];
  readonly addresses: readonly Ip[];
  readonly conditions: readonly CoreCondition[];
}

const node = z
  .object({
    metadata: z.object({ name: z.string(), uid: z.string(), labels: texts, annotations: texts }),
    spec: z
      .object({
        providerID: z.string().optional(),
        unschedulable: z.boolean().default(false),
        taints: z.array(z.object({ key: z.string(), effect: z.string() })).nullish(),
      })
      .prefault({}),
    status: z.object({ addresses: z.array(z.object({ address: z.string() })).nullish(), conditions }).prefault({}),
  })
  .transform(
    ({ metadata: { name, uid, labels, annotations }, spec, status }): NodeView => ({
      name,
      uid,
      labels,
      annotations,
      providerId: providerIdOf(spec, annotations),
      unschedulable: spec.unschedulable,
      conditions: status.conditions,
      taints: (spec.taints ?? []).map(({ key, effect }) => `${key}:${effect}`),
      addresses: (status.addresses ?? []).flatMap(({ address }) => tryParseIp(address) ?? []),
    }),
  );

/** @throws ZodError */
export const readNodeView = (value: unknown): NodeView => node.parse(value);

/** An Event about an object. */
export interface EventView {
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  /** When it happened last; 0 when it does not say. */
  readonly last_ms: number;
}

const event = z
  .object({
    reason: z.string().nullish(),
    message: z.string().nullish(),
    count: z.int().nullish(),
    lastTimestamp: time,
    eventTime: time,
    series: z.object({ count: z.int(), lastObservedTime: time }).nullish(),
    metadata: z.object({ creationTimestamp: time }),
  })
  .transform(
    ({ reason, message, count, lastTimestamp, eventTime, series, metadata }): EventView => ({
      reason: reason ?? '',
      message: message ?? '',
      count: series?.count ?? count ?? 1,
      last_ms: series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? 0,
    }),
  );

/** @throws ZodError */
export const readEventView = (value: unknown): EventView => event.parse(value);

/** The Lease of the controllers. */
export interface LeaseView {
  readonly namespace: string;
  /** undefined: nobody leads. */
  readonly holder: string | undefined;
  readonly term: number;
  readonly renewed_ms: number | undefined;
  readonly lasts_ms: number;
}

const lease = z
  .object({
    metadata: z.object({ namespace: z.string() }),
    spec: z
      .object({
        holderIdentity: z.string().nullish(),
        leaseTransitions: z.int().nullish(),
        renewTime: time,
        leaseDurationSeconds: z.int().nullish(),
      })
      .prefault({}),
  })
  .transform(
    ({ metadata: { namespace }, spec }): LeaseView => ({
      namespace,
      holder: spec.holderIdentity || undefined,
      term: spec.leaseTransitions ?? 0,
      renewed_ms: spec.renewTime,
      lasts_ms: (spec.leaseDurationSeconds ?? 0) * 1000,
    }),
  );

/** @throws ZodError */
export const readLeaseView = (value: unknown): LeaseView => lease.parse(value);
