/** EndpointSlices by the Service they are of, kept as they change: a pass over one Service never looks at the slices of all. */
import type { Change } from '../../kube/held.ts';
import type { ClusterSlice } from '../../store/kubernetes/service-objects.ts';

/** See the head of this file. */
export interface SliceIndex {
  /** Answers with the Services that it concerns: two when a slice went from one to another. */
  heed(change: Change<ClusterSlice>): ReadonlySet<string>;
  /** By `namespace/name`. */
  readonly of: (service: string) => readonly ClusterSlice[];
}

/** An empty one. */
export function sliceIndex(): SliceIndex {
  const services = new Map<string, Map<string, ClusterSlice>>();
  return {
    heed(change) {
      const concerned = new Set<string>();
      const { key, before } = change;
      if (before?.service !== undefined) {
        concerned.add(before.service);
        const all = services.get(before.service);
        all?.delete(key);
        if (all?.size === 0) services.delete(before.service);
      }
      if (change.kind === 'set' && change.object.service !== undefined) {
        const { service } = change.object;
        concerned.add(service);
        services.set(service, (services.get(service) ?? new Map<string, ClusterSlice>()).set(key, change.object));
      }
      return concerned;
    },
    of: (service) => [...(services.get(service)?.values() ?? [])],
  };
}
