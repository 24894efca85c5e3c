/**
 * The Pods that the scheduler placed on one node, and what their namespaces and service accounts say: all an agent has to know to choose their subnets.
 * Only the node's own Pods are watched.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import type { PodSubnet } from '../pod-subnet.ts';
import type { RememberedNamespaces } from '../remembered-namespaces.ts';
import { hangsOnServiceAccount, type PodAsking } from '../subnet-order.ts';
import { type ClusterNamespace, type ClusterPod, type ClusterServiceAccount, readPod } from './core-objects.ts';
import { NodeNamespaces } from './node-namespaces.ts';
import { NodeServiceAccounts } from './node-service-accounts.ts';
import { resources } from './resources.ts';

/** The kubelet hears of a Pod by a watch of its own, and may be faster. */
const POLL_ms = 20;
/** For so long from the start the first list is waited for; then the API server is taken to be away, and nobody waits for it. */
const FIRST_LIST_ms = 10_000;

/** A Pod, its namespace and its service account. */
export interface PodFacts {
  readonly pod: ClusterPod;
  /** undefined: it could never be read. */
  readonly namespace: ClusterNamespace | undefined;
  /** undefined: it could never be read, or no PodSubnet that may be for the Pod selects by it; such a Pod's is not read. */
  readonly serviceAccount: ClusterServiceAccount | undefined;
}

/** What of them decides which PodSubnets serve the Pod. */
export function askingOf({ pod, namespace, serviceAccount }: Partial<PodFacts>): Omit<PodAsking, 'namespace' | 'subnet'> {
  return {
    ...(pod !== undefined && { podLabels: pod.labels }),
    ...(serviceAccount !== undefined && { serviceAccountLabels: serviceAccount.labels }),
    ...(namespace !== undefined && { namespaceLabels: namespace.labels, namespaceAnnotations: namespace.annotations }),
  };
}

/** Which of the PodSubnets serve the Pod hangs on its service account, which could not be read. */
export function lacksServiceAccount(subnets: readonly PodSubnet[], facts: PodFacts): boolean {
  const { namespace, serviceAccount } = facts.pod;
  return serviceAccount !== undefined && hangsOnServiceAccount(subnets, { namespace, subnet: undefined, ...askingOf(facts) });
}

/** See the head of this file. */
export interface NodePods {
  /** Pods that are to have an address, those on their way out among them. */
  list(): PodFacts[];
  /**
   * What is known of the Pod, waiting up to `patience_ms` for one that is not known yet; longer, unless that is 0, for the first list of all, which an agent
   * that has just been started is about to get. undefined: still unknown.
   */
  find(namespace: string, name: string, uid: string | undefined, patience_ms: number): Promise<PodFacts | undefined>;
  /** What is known of a namespace without asking anybody, from before a restart too; undefined: nothing. */
  namespace(name: string): ClusterNamespace | undefined;
  /** Follows nothing any more. */
  stop(): void;
}

/** What more it may be given. */
export interface NodePodsOptions {
  /** What outlives the process; nothing when absent. */
  readonly remembered?: RememberedNamespaces;
  /** Those that the node may use now; none when absent. */
  readonly subnets?: () => readonly PodSubnet[];
}

/** Starts following the Pods of that node; `changed` is called after each change. */
export function nodePods(
  api: KubeApi,
  node: string,
  log: Log,
  changed: () => void,
  { remembered, subnets = () => [] }: NodePodsOptions = {},
): NodePods {
  const hasPods = (name: string): boolean => cache.list().some(({ namespace }) => namespace === name);
  const namespaces = new NodeNamespaces({ api, log, remembered, hasPods, changed });
  const accounts = new NodeServiceAccounts({ api, log, pods: () => cache.list(), changed });
  /** Reads of Pods that have just appeared. */
  const learning = new Map<string, Promise<void>>();
  const learn = async (pod: ClusterPod): Promise<void> => {
    await namespaces.refresh(pod.namespace);
    if (isSelectedByAccount(pod)) await accounts.refresh(pod);
    learning.delete(pod.uid);
    changed();
  };
  const cache = watchObjects(
    api,
    { at: resources.pods, fieldSelector: `spec.nodeName=${node}`, parse: readPod, oldIsFine: true },
    {
      log,
      changed: (change) => {
        // A Pod's status changes often, its namespace seldom.
        const isNew = change.kind === 'set' && change.before === undefined;
        if (isNew) learning.set(change.object.uid, learn(change.object));
        else changed();
      },
    },
  );
  const firstListBy_ms = performance.now() + FIRST_LIST_ms;
  const withoutAccount = (pod: ClusterPod): PodFacts => ({ pod, namespace: namespaces.get(pod.namespace), serviceAccount: undefined });
  const isSelectedByAccount = (pod: ClusterPod): boolean => pod.needsAddress && lacksServiceAccount(subnets(), withoutAccount(pod));
  const factsOf = (pod: ClusterPod): PodFacts => ({
    ...withoutAccount(pod),
    serviceAccount: isSelectedByAccount(pod) ? accounts.get(pod) : undefined,
  });
  const known = (namespace: string, name: string, uid: string | undefined): ClusterPod | undefined => {
    const pod = cache.get(`${namespace}/${name}`);
    // A static Pod has another uid in the API (its mirror's) than the runtime tells of.
    return pod === undefined || uid === undefined || pod.uid === uid || 'kubernetes.io/config.mirror' in pod.annotations ? pod : undefined;
  };
  return {
    list: () => cache.list().flatMap((pod) => (pod.needsAddress ? [factsOf(pod)] : [])),
    async find(namespace, name, uid, patience_ms) {
      const end = performance.now() + patience_ms;
      // Before the first list every Pod would be taken for one without wishes. Later, without a watch, nobody will tell of anything.
      const until = (stale_ms: number | undefined): number => (stale_ms === 0 ? end : stale_ms === undefined ? firstListBy_ms : 0);
      const mayHear = (): boolean => patience_ms > 0 && performance.now() < until(cache.stale_ms());
      let pod = known(namespace, name, uid);
      while (pod === undefined && mayHear()) {
        await sleep(POLL_ms);
        pod = known(namespace, name, uid);
      }
      if (pod === undefined) return undefined;
      if (!namespaces.isRead(namespace) && cache.stale_ms() === 0) await namespaces.refresh(namespace);
      while (namespaces.isUndecided(namespace) && mayHear()) {
        await sleep(10 * POLL_ms);
        await namespaces.read(namespace);
      }
      if (isSelectedByAccount(pod) && cache.stale_ms() === 0)
        await (learning.get(pod.uid) ?? (accounts.get(pod) === undefined ? accounts.refresh(pod) : undefined));
      return factsOf(pod);
    },
    namespace: (name) => namespaces.get(name),
    stop() {
      cache.stop();
      namespaces.stop();
      accounts.stop();
    },
  };
}
