/**
 * Which of several processes leads: by a Lease (coordination.k8s.io/v1), as k8s.io/client-go/tools/leaderelection does it.
 *
 * Invariants
 * - never two with `holdsFor_ms() > 0` at once, however slow, stopped or cut off they are; except when somebody edits or deletes the Lease by hand
 * - a Lease has run out only when it was seen unchanged for its whole duration by one's own clock: times written in it are for people
 * - how long we hold it counts from before the request that renewed it was sent
 */
import type { Log } from '../log.ts';
import type { KubeApi } from './api.ts';
import type { ElapsedClock } from './clock.ts';

/** How quickly leaders change. The defaults are client-go's. */
export interface ElectionTimings {
  /** A leader that was not heard of for so long leads no more; 15 s. */
  readonly lease_ms: number;
  /** One that could not renew for so long steps down; 10 s. */
  readonly renew_ms: number;
  /** Between two tries; 2 s. */
  readonly retry_ms: number;
}

/** Who stands for what. */
export interface ElectionOptions {
  readonly namespace: string;
  /** Name of the Lease. */
  readonly lease: string;
  /** Unique to this process, not only to its host: one that was restarted is another. */
  readonly identity: string;
  readonly log: Log;
  /** We lead from now on. On a later turn than `stand`. */
  readonly began: (term: number) => void;
  /** We lead no more: another may from now on, or soon. Stop at once; `holdsFor_ms` is 0 already. It goes on standing. */
  readonly ended: (why: string) => void;
  readonly timings?: Partial<ElectionTimings>;
  readonly clock?: ElapsedClock;
  /** In [0, 1); Math.random when absent. */
  readonly random?: () => number;
}

/** A standing candidate. */
export interface Election {
  /** The Lease's leaseTransitions at our acquisition, which grows from leader to leader; undefined when we do not lead. */
  readonly term: number | undefined;
  /** Identity of whoever was last seen leading, for status. */
  readonly leader: string | undefined;
  /** For how long from now nobody else can lead; 0 when we do not lead. Ask before each write, and give that write no longer. */
  holdsFor_ms(): number;
  /** Steps down and gives the Lease back, so that another leads at once: end your own work first. Resolves also when that failed, within 5 s. */
  stop(): Promise<void>;
}

/** Begins to stand. Never gives up by itself. */
export function stand(api: Pick<KubeApi, 'find' | 'create' | 'replace'>, options: ElectionOptions): Election {
  throw new Error(`not yet: ${typeof api} ${options.identity}`);
}
