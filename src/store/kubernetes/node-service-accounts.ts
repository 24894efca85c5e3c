/**
 * The labels of the service accounts that a node's Pods run as, where a PodSubnet selects by them. They are read one by one when a Pod appears, not told by
 * the controller: an account and the first Pod that runs as it are often made at once, and that Pod must not be faster than what is known of its account.
 */
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { type ClusterPod, type ClusterServiceAccount, readServiceAccount } from './core-objects.ts';
import { resources } from './resources.ts';
import { SingleReads } from './single-reads.ts';

/** One is read again when it is older than this and a Pod of it appears: many Pods at once cost one read. */
const OLD_ms = 1000;

/** What it takes. */
export interface NodeServiceAccountsOptions {
  readonly api: KubeApi;
  readonly log: Log;
  /** Pods on the node. */
  readonly pods: () => readonly ClusterPod[];
  /** One that was not known is. */
  readonly changed: () => void;
}

/** See the head of this file. */
export class NodeServiceAccounts {
  readonly #options: NodeServiceAccountsOptions;
  readonly #reads: SingleReads<ClusterServiceAccount>;

  constructor(options: NodeServiceAccountsOptions) {
    this.#options = options;
    const { api, log, pods, changed } = options;
    this.#reads = new SingleReads({
      log,
      kind: 'service account',
      ask: (key) => {
        const [namespace = '', name = ''] = key.split('/');
        return api.get({ ...resources.serviceAccounts, namespace, name }, readServiceAccount, { deadline_ms: 2000 });
      },
      old_ms: OLD_ms,
      isNeeded: (key) => pods().some((pod) => keyOf(pod) === key),
      changed,
    });
  }

  /** The Pod's, as it was last read. One that never was is read by and by, and then `changed` is called. */
  get(pod: ClusterPod): ClusterServiceAccount | undefined {
    const key = keyOf(pod);
    if (key === undefined) return undefined;
    const known = this.#reads.get(key);
    if (known === undefined && !this.#reads.isAwaited(key))
      void this.#reads.refresh(key).then(() => void (this.#reads.get(key) !== undefined && this.#options.changed()));
    return known;
  }

  /** Reads the Pod's, unless it was read a moment ago. Rejects never: what fails is in the log, and tried again. */
  async refresh(pod: ClusterPod): Promise<void> {
    const key = keyOf(pod);
    if (key !== undefined) await this.#reads.refresh(key);
  }

  /** Reads nothing by itself any more. */
  stop(): void {
    this.#reads.stop();
  }
}

/** undefined: the Pod runs as none. */
function keyOf({ namespace, serviceAccount }: ClusterPod): string | undefined {
  return serviceAccount === undefined ? undefined : `${namespace}/${serviceAccount}`;
}
