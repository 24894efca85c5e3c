/**
 * The Pods that the scheduler placed on one node, and what their namespaces say: all an agent has to know to choose their subnets.
 * Only the node's own Pods are watched.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import type { RememberedNamespaces } from '../remembered-namespaces.ts';
import { type ClusterNamespace, type ClusterPod, readPod } from './core-objects.ts';
import { NodeNamespaces } from './node-namespaces.ts';
import { resources } from './resources.ts';

/** The kubelet hears of a Pod by a watch of its own, and may be faster. */
const POLL_ms = 20;
/** For so long from the start the first list is waited for; then the API server is taken to be away, and nobody waits for it. */
const FIRST_LIST_ms = 10_000;

/** A Pod and its namespace; the namespace is undefined when it could never be read. */
export interface PodFacts {
  readonly pod: ClusterPod;
  readonly namespace: ClusterNamespace | undefined;
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

/** Starts following the Pods of that node; `changed` is called after each change. `remembered`: what outlives the process; nothing when absent. */
export function nodePods(api: KubeApi, node: string, log: Log, changed: () => void, remembered?: RememberedNamespaces): NodePods {
  const hasPods = (name: string): boolean => cache.list().some(({ namespace }) => namespace === name);
  const namespaces = new NodeNamespaces({ api, log, remembered, hasPods, changed });
  const cache = watchObjects(
    api,
    { at: resources.pods, fieldSelector: `spec.nodeName=${node}`, parse: readPod, oldIsFine: true },
    {
      log,
      changed: (change) => {
        // A Pod's status changes often, its namespace seldom.
        const isNew = change.kind === 'set' && change.before === undefined;
        if (isNew) void namespaces.refresh(change.object.namespace).then(changed);
        else changed();
      },
    },
  );
  const firstListBy_ms = performance.now() + FIRST_LIST_ms;
  const factsOf = (pod: ClusterPod): PodFacts => ({ pod, namespace: namespaces.get(pod.namespace) });
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
      return factsOf(pod);
    },
    namespace: (name) => namespaces.get(name),
    stop() {
      cache.stop();
      namespaces.stop();
    },
  };
}
