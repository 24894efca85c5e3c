/** What a pass over a Service is handed. */
import type { Clock } from '../../cloud/clock.ts';
import type { LoadBalancers } from '../../cloud/load-balancers.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import type { ClusterService, ClusterSlice } from '../../store/kubernetes/service-objects.ts';
import type { Events } from '../cluster/events.ts';
import type { Rules } from './wanted.ts';

/** See the head of this file. */
export interface ServiceWorld {
  readonly api: Pick<KubeApi, 'patch' | 'list'>;
  readonly balancers: LoadBalancers;
  readonly rules: Rules;
  /** Whether anything is given back to the cloud. */
  readonly releases: boolean;
  /** By `namespace/name`, as last heard of. */
  readonly service: (key: string) => ClusterService | undefined;
  readonly slices: (key: string) => readonly ClusterSlice[];
  readonly events: Pick<Events, 'say'>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}
