/**
 * All NodeNetworks of a cluster, for the controller that leads it: reads from memory, writes to the API.
 *
 * Invariants
 * - there is one object for each Node; it outlives its Node, since the instance may live on with addresses in use
 * - the instance a NodeNetwork is about is what its Node says, never what the agent says; a status about another instance counts as none
 * - a status is written only over one of an earlier or the same term: a leader that was overtaken cannot write
 * - what was written is read from then on, however late the watch is
 */
import type { InstanceId } from '../../cloud/cloud.ts';
import { asFailure, failure, isFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import type { NodeNetwork, NodeNetworkStatus, NodeNetworks } from '../node-network.ts';
import { type ClusterNode, readNode } from './core-objects.ts';
import { instanceOf } from './provider-id.ts';
import { resources } from './resources.ts';
import { readNodeNetwork, type StoredNodeNetwork } from './stored-node-network.ts';

const nothing: NodeNetworkStatus = { vpcCidrs: [], nics: [], growth: [] };
const AGAIN_ms = 5000;

/** NodeNetworks, and the Nodes they are for. */
export interface ClusterNodeNetworks extends NodeNetworks {
  /** The Node of that name. */
  node(name: string): ClusterNode | undefined;
  /** Resolves when all objects there are have been read. */
  readonly synced: Promise<void>;
  /** Follows nothing any more. */
  stop(): void;
}

/** Starts following. `term`: that of this leader, see kube/election.ts. */
export function clusterNodeNetworks(api: KubeApi, term: number, log: Log): ClusterNodeNetworks {
  const listeners = new Set<(node: NodeNetwork) => void>();
  /** Our last writes that the watch has not shown yet. */
  const written = new Map<string, StoredNodeNetwork>();
  const timers = new Set<NodeJS.Timeout>();
  const stored = watchObjects(
    api,
    { at: resources.nodeNetworks, parse: readNodeNetwork },
    {
      log,
      changed: (change) => {
        if (change.kind === 'gone') ensure(change.key);
        tell(change.key);
      },
    },
  );
  const nodes = watchObjects(
    api,
    { at: resources.nodes, parse: readNode },
    {
      log,
      changed: (change) => {
        if (change.kind === 'set' && change.before !== undefined && sameNode(change.before, change.object)) return;
        ensure(change.key);
        tell(change.key);
      },
    },
  );
  const synced = Promise.all([stored.synced, nodes.synced]).then(() => nodes.list().forEach(({ name }) => ensure(name)));

  function current(name: string): StoredNodeNetwork | undefined {
    const [ours, watched] = [written.get(name), stored.get(name)];
    if (ours === undefined) return watched;
    // Resource versions of one resource may be compared as numbers (KEP-5504).
    if (watched?.uid === ours.uid && BigInt(watched.resourceVersion) < BigInt(ours.resourceVersion)) return ours;
    written.delete(name);
    return watched;
  }

  function get(name: string): NodeNetwork | undefined {
    const [found, node] = [current(name), nodes.get(name)];
    const instance = node === undefined ? undefined : instanceOf(node.providerId);
    // Before the agent has spoken nobody knows what it remembers of the node's addresses.
    if (found?.spec === undefined || instance === undefined) return undefined;
    return composed(found, instance);
  }

  function tell(name: string): void {
    const node = get(name);
    if (node !== undefined) for (const listener of listeners) listener(node);
  }

  /** Creates the object of a Node that has none. */
  function ensure(name: string): void {
    const node = nodes.get(name);
    if (node === undefined || stored.get(name) !== undefined) return;
    if (instanceOf(node.providerId) === undefined) {
      log.warn(`node ${name} gets no addresses: its spec.providerID is ${node.providerId ?? 'not set'}`, { node: name });
      return;
    }
    create(name).catch((error: unknown) => {
      log.warn(`NodeNetwork ${name} could not be created: ${sentence(asFailure(error))}`, { node: name });
      const timer = setTimeout(() => {
        timers.delete(timer);
        ensure(name);
      }, AGAIN_ms).unref();
      timers.add(timer);
    });
  }

  async function create(name: string): Promise<void> {
    const body = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'NodeNetwork', metadata: { name } };
    try {
      await api.create(resources.nodeNetworks, body, readNodeNetwork);
      log.info(`created NodeNetwork ${name}`, { node: name });
    } catch (error) {
      if (!isFailure(error, 'kubeAlreadyExists')) throw error;
    }
  }

  return {
    get: (name) => Promise.resolve(get(name)),
    list: () => Promise.resolve(stored.list().flatMap(({ name }) => everyOne(current(name)) ?? [])),
    writeSpec: (name) =>
      Promise.reject(failure('nodeUnknown', { name, path: 'the Kubernetes API, which takes its spec from the agent alone' })),
    async writeStatus(name, status) {
      const [found, node] = [current(name), nodes.get(name)];
      const instance = node === undefined ? undefined : instanceOf(node.providerId);
      if (found === undefined || instance === undefined) throw failure('nodeUnknown', { name, path: 'the Kubernetes API' });
      if (found.term !== undefined && found.term > term)
        throw failure('overtaken', { object: `NodeNetwork ${name}`, term: found.term, own: term });
      const body = [
        { op: 'test', path: '/metadata/uid', value: found.uid },
        found.term === undefined
          ? { op: 'test', path: '/metadata/resourceVersion', value: found.resourceVersion }
          : { op: 'test', path: '/status/term', value: found.term },
        { op: 'add', path: '/status', value: { ...status, instance, term } },
      ];
      const at = { ...resources.nodeNetworks, name, subresource: 'status' };
      written.set(name, await api.patch(at, { kind: 'json', body }, readNodeNetwork));
    },
    watch(changed) {
      listeners.add(changed);
      return () => void listeners.delete(changed);
    },
    node: (name) => nodes.get(name),
    synced,
    stop() {
      stored.stop();
      nodes.stop();
      timers.forEach(clearTimeout);
    },
  };
}

function composed({ name, spec, status, instance: about }: StoredNodeNetwork, instance: InstanceId): NodeNetwork {
  const said = spec ?? { demand: [], returned: [] };
  return { name, spec: { ...said, instance }, status: status === undefined || about !== instance ? nothing : status };
}

/** Also one whose Node is gone: what it was granted has an owner still. */
function everyOne(found: StoredNodeNetwork | undefined): NodeNetwork | undefined {
  // The instance was the Node's when this status was written.
  return found === undefined ? undefined : composed(found, (found.instance ?? '') as InstanceId);
}

function sameNode(before: ClusterNode, after: ClusterNode): boolean {
  return (
    before.uid === after.uid &&
    before.isReady === after.isReady &&
    before.providerId === after.providerId &&
    JSON.stringify(before.labels) === JSON.stringify(after.labels)
  );
}
