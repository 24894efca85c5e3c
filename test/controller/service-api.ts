/** Services and EndpointSlices as an API server keeps them, in memory: versions, watches, merge patches over a version, server-side apply of a status. */
import { failure } from '../../src/errors/failure.ts';
import type { KubeApi } from '../../src/kube/api.ts';
import type { WatchRequest } from '../../src/kube/asked.ts';
import type { Collection } from '../../src/kube/paths.ts';

/** An object as it is stored. */
export interface StoredObject {
  metadata: {
    namespace: string;
    name: string;
    uid: string;
    resourceVersion: string;
    finalizers?: string[];
    deletionTimestamp?: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
  status?: {
    loadBalancer?: { ingress?: { ip: string }[] };
    conditions?: { type: string; status: string; reason: string; message: string }[];
  };
  [field: string]: unknown;
}

type Fields = Record<string, unknown>;

/** See the head of this file. */
export class ServiceApi {
  readonly api: Pick<KubeApi, 'list' | 'watch' | 'patch'>;
  /** `METHOD what NAMESPACE/NAME` of each write that came. */
  readonly writes: string[] = [];
  /** Refuses the next writes, as long as it answers with an error. */
  refuse: () => Error | undefined = () => undefined;
  readonly #objects = new Map<string, StoredObject>();
  readonly #watches = new Set<{ readonly resource: string; readonly event: WatchRequest['event'] }>();
  readonly #history: { readonly resource: string; readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: StoredObject }[] = [];
  #version = 1;

  constructor() {
    this.api = {
      list: async (at, parse) => ({
        items: this.#all(at).map((one) => parse(structuredClone(one))),
        resourceVersion: String(this.#version),
      }),
      watch: async ({ resource }, { resourceVersion, signal, began, event }) => {
        const watch = { resource, event };
        this.#watches.add(watch);
        began();
        for (const one of this.#history)
          if (one.resource === resource && Number(one.object.metadata.resourceVersion) > Number(resourceVersion))
            event({ type: one.type, object: structuredClone(one.object) });
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        this.#watches.delete(watch);
      },
      patch: async ({ resource, namespace = '', name, subresource }, { kind, body }, parse) => {
        this.writes.push(`${kind} ${resource}${subresource === undefined ? '' : `/${subresource}`} ${namespace}/${name}`);
        const refused = this.refuse();
        if (refused !== undefined) throw refused;
        const object = this.#objects.get(`${resource} ${namespace}/${name}`);
        if (object === undefined) throw failure('kubeNotFound', { object: `${resource} ${namespace}/${name}`, text: 'not found' });
        const given = (body as { metadata?: Fields }).metadata ?? {}; // as all our patches are
        for (const field of ['uid', 'resourceVersion'] as const)
          if (given[field] !== undefined && given[field] !== object.metadata[field])
            throw failure('kubeConflict', { object: `${resource} ${name}`, text: `${field} is ${object.metadata[field]}` });
        const changed = structuredClone(object);
        if (subresource === 'status') changed.status = structuredClone((body as { status: NonNullable<StoredObject['status']> }).status);
        else Object.assign(changed.metadata, structuredClone(given), { resourceVersion: object.metadata.resourceVersion });
        return parse(structuredClone(this.#store(resource, changed)));
      },
    };
  }

  /** A Service with one port, or what is given. */
  service(name: string, spec: Fields = {}, annotations: Record<string, string> = {}): StoredObject {
    const before = this.find(name);
    const metadata = before?.metadata ?? { namespace: 'shop', name, uid: crypto.randomUUID(), resourceVersion: '' };
    const usual = {
      type: 'LoadBalancer',
      loadBalancerClass: 'flatpod.dev/octavia',
      ports: [{ name: 'web', protocol: 'TCP', port: 80, targetPort: 8080 }],
      ipFamilies: ['IPv4'],
      sessionAffinity: 'None',
    };
    return this.#store('services', { ...before, metadata: { ...metadata, annotations }, spec: { ...usual, ...spec } });
  }

  /** Its endpoints, in one slice; each ready unless it is said otherwise. */
  endpoints(
    service: string,
    addresses: readonly (string | { address: string; conditions: Fields })[],
    ports: readonly Fields[] = [{ name: 'web', protocol: 'TCP', port: 8080 }],
  ): void {
    const endpoints = addresses.map((one) =>
      typeof one === 'string'
        ? { addresses: [one], conditions: { ready: true } }
        : { addresses: [one.address], conditions: one.conditions },
    );
    const before = this.#objects.get(`endpointslices shop/${service}-1`);
    const metadata = before?.metadata ?? {
      namespace: 'shop',
      name: `${service}-1`,
      uid: crypto.randomUUID(),
      resourceVersion: '',
      labels: { 'kubernetes.io/service-name': service },
    };
    this.#store('endpointslices', { metadata, addressType: 'IPv4', endpoints, ports });
  }

  find(name: string): StoredObject | undefined {
    return this.#objects.get(`services shop/${name}`);
  }

  /** As kubectl delete: it goes when its finalizers have gone. */
  delete(name: string): void {
    const object = this.find(name);
    if (object !== undefined)
      this.#store('services', { ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
  }

  /** As somebody who takes the finalizers off by hand. */
  force(name: string): void {
    const object = this.find(name);
    if (object !== undefined)
      this.#store('services', { ...object, metadata: { ...object.metadata, deletionTimestamp: 'now', finalizers: [] } });
  }

  #all({ resource }: Collection): StoredObject[] {
    return [...this.#objects].flatMap(([key, object]) => (key.startsWith(`${resource} `) ? [object] : []));
  }

  #store(resource: string, object: StoredObject): StoredObject {
    const key = `${resource} ${object.metadata.namespace}/${object.metadata.name}`;
    const isNew = !this.#objects.has(key);
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    const isGone = stored.metadata.deletionTimestamp !== undefined && (stored.metadata.finalizers ?? []).length === 0;
    if (isGone) this.#objects.delete(key);
    else this.#objects.set(key, stored);
    const type = isGone ? 'DELETED' : isNew ? 'ADDED' : 'MODIFIED';
    this.#history.push({ resource, type, object: stored });
    for (const watch of this.#watches) if (watch.resource === resource) watch.event({ type, object: structuredClone(stored) });
    return stored;
  }
}
