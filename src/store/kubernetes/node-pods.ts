/**
 * The Pods that the scheduler placed on one node, and what their namespaces say: all an agent has to know to choose their subnets.
 * Only the node's own Pods are watched; a namespace is read when a Pod of it appears.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import { AUTO, subnetsNamed } from '../subnet-order.ts';
import { type ClusterNamespace, type ClusterPod, readNamespace, readPod } from './core-objects.ts';
import { resources } from './resources.ts';

/** A namespace is read again when it is older than this and a Pod of it appears. */
const NAMESPACE_AGE_ms = 10_000;
/** One that waits for the controller to choose its PodSubnet is read again after this, as long as it has Pods here. */
const CHOSEN_WITHIN_ms = 1000;
/** Namespaces kept in memory. */
const NAMESPACES = 10_000;
/** The kubelet hears of a Pod by a watch of its own, and may be faster. */
const POLL_ms = 20;

/** A Pod and its namespace; the namespace is undefined while it cannot be read. */
export interface PodFacts {
  readonly pod: ClusterPod;
  readonly namespace: ClusterNamespace | undefined;
}

/** See the head of this file. */
export interface NodePods {
  /** Pods that are to have an address, those on their way out among them. */
  list(): PodFacts[];
  /** What is known of the Pod, waiting up to `patience_ms` for one that is not known yet. undefined: still unknown. */
  find(namespace: string, name: string, uid: string | undefined, patience_ms: number): Promise<PodFacts | undefined>;
  /** Follows nothing any more. */
  stop(): void;
}

/** Starts following the Pods of that node; `changed` is called after each change. */
export function nodePods(api: KubeApi, node: string, log: Log, changed: () => void): NodePods {
  const namespaces = new Map<string, { readonly read: ClusterNamespace; readonly at_ms: number }>();
  const reading = new Map<string, Promise<void>>();
  const cache = watchObjects(
    api,
    { at: resources.pods, fieldSelector: `spec.nodeName=${node}`, parse: readPod, oldIsFine: true },
    {
      log,
      changed: (change) => {
        // A Pod's status changes often, its namespace seldom.
        const isNew = change.kind === 'set' && change.before === undefined;
        if (isNew) void readNamespaceOf(change.object).then(changed);
        else changed();
      },
    },
  );

  function readNamespaceOf({ namespace }: ClusterPod): Promise<void> {
    const known = namespaces.get(namespace);
    if (known !== undefined && performance.now() - known.at_ms < NAMESPACE_AGE_ms) return Promise.resolve();
    const running = reading.get(namespace) ?? readAnew(namespace).finally(() => reading.delete(namespace));
    reading.set(namespace, running);
    return running;
  }

  async function readAnew(name: string): Promise<void> {
    const at_ms = performance.now();
    try {
      const read = await api.get({ ...resources.namespaces, name }, readNamespace, { deadline_ms: 2000 });
      if (namespaces.size >= NAMESPACES) namespaces.clear();
      namespaces.set(name, { read, at_ms });
      if (isUndecided(read)) lookAgain(name);
    } catch (error) {
      log.warn(`namespace ${name} could not be read: ${sentence(asFailure(error))}`, { namespace: name });
    }
  }

  const again = new Map<string, NodeJS.Timeout>();
  function lookAgain(name: string): void {
    clearTimeout(again.get(name));
    const timer = setTimeout(() => {
      again.delete(name);
      if (!cache.list().some(({ namespace }) => namespace === name)) return;
      void readAnew(name).then(() => {
        if (!isUndecided(namespaces.get(name)?.read)) changed();
      });
    }, CHOSEN_WITHIN_ms);
    again.set(name, timer.unref());
  }

  const factsOf = (pod: ClusterPod): PodFacts => ({ pod, namespace: namespaces.get(pod.namespace)?.read });
  const known = (namespace: string, name: string, uid: string | undefined): ClusterPod | undefined => {
    const pod = cache.get(`${namespace}/${name}`);
    // A static Pod has another uid in the API (its mirror's) than the runtime tells of.
    return pod === undefined || uid === undefined || pod.uid === uid || 'kubernetes.io/config.mirror' in pod.annotations ? pod : undefined;
  };
  return {
    list: () => cache.list().flatMap((pod) => (pod.hasAddress ? [factsOf(pod)] : [])),
    async find(namespace, name, uid, patience_ms) {
      const end = performance.now() + patience_ms;
      let pod = known(namespace, name, uid);
      // Without a watch nobody will tell of it.
      while (pod === undefined && performance.now() < end && cache.stale_ms() === 0) {
        await sleep(POLL_ms);
        pod = known(namespace, name, uid);
      }
      if (pod === undefined) return undefined;
      if (!namespaces.has(namespace) && cache.stale_ms() === 0) await readNamespaceOf(pod);
      // The controller is about to choose: that takes it a moment.
      while (isUndecided(namespaces.get(namespace)?.read) && performance.now() < end && cache.stale_ms() === 0) {
        await sleep(10 * POLL_ms);
        await readAnew(namespace);
      }
      return factsOf(pod);
    },
    stop() {
      cache.stop();
      for (const timer of again.values()) clearTimeout(timer);
    },
  };
}

/** Its annotation says `auto` still. */
function isUndecided(namespace: ClusterNamespace | undefined): boolean {
  return subnetsNamed(namespace?.annotations)?.includes(AUTO) === true;
}
