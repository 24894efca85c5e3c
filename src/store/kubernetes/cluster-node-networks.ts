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
import { failure, isFailure } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { type Change, type ObjectCache, watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import type { NodeNetwork, NodeNetworkStatus, NodeNetworks } from '../node-network.ts';
import { type ClusterNode, readNode } from './core-objects.ts';
import { creations, type Creations } from './creations.ts';
import { isBehind } from './own-write.ts';
import { instanceOf } from './provider-id.ts';
import { resources } from './resources.ts';
import { readNodeNetwork, type StoredNodeNetwork } from './stored-node-network.ts';

const nothing: NodeNetworkStatus = { vpcCidrs: [], nics: [], growth: [] };

/** See the head of this file. */
export class ClusterNodeNetworks implements NodeNetworks {
  /** Resolves when all objects there are have been read. */
  readonly synced: Promise<void>;
  readonly #api: KubeApi;
  readonly #term: number;
  readonly #log: Log;
  readonly #instanceFor: (node: ClusterNode) => InstanceId | undefined;
  readonly #listeners = new Set<(node: NodeNetwork) => void>();
  readonly #stored: ObjectCache<StoredNodeNetwork>;
  readonly #nodes: ObjectCache<ClusterNode>;
  /** Our last writes that the watch has not shown yet. */
  readonly #written = new Map<string, StoredNodeNetwork>();
  readonly #creations: Creations;
  /** Before that nobody knows which Node has no object. */
  #isSynced = false;

  /** Starts following. `term`: that of this leader, see kube/election.ts. `instanceFor`: which instance a Node is; by its providerID when absent. */
  constructor(api: KubeApi, term: number, log: Log, instanceFor: (node: ClusterNode) => InstanceId | undefined = byProviderId) {
    this.#api = api;
    this.#instanceFor = instanceFor;
    this.#term = term;
    this.#creations = creations(api, log, (name) => this.#nodes.get(name) !== undefined && this.#stored.get(name) === undefined);
    this.#log = log;
    const stored = { at: resources.nodeNetworks, parse: readNodeNetwork };
    this.#stored = watchObjects(api, stored, { log, changed: ({ kind, key }) => this.#changed(key, kind === 'gone') });
    const nodes = { at: resources.nodes, parse: readNode };
    this.#nodes = watchObjects(api, nodes, { log, changed: (change) => this.#nodeChanged(change) });
    this.synced = Promise.all([this.#stored.synced, this.#nodes.synced]).then(() => {
      this.#isSynced = true;
      this.#nodes.list().forEach(({ name }) => this.#ensure(name));
    });
  }

  get(name: string): Promise<NodeNetwork | undefined> {
    return Promise.resolve(this.#get(name));
  }

  list(): Promise<NodeNetwork[]> {
    return Promise.resolve(this.#stored.list().flatMap(({ name }) => everyOne(this.#current(name)) ?? []));
  }

  writeSpec(name: string): Promise<void> {
    const path = 'the Kubernetes API, which takes its spec from the agent alone';
    return Promise.reject(failure('nodeUnknown', { name, path }));
  }

  async writeStatus(name: string, status: NodeNetworkStatus): Promise<void> {
    const [found, instance, own] = [this.#current(name), this.#instanceOf(name), this.#term];
    if (found === undefined || instance === undefined) throw failure('nodeUnknown', { name, path: 'the Kubernetes API' });
    const { term, uid, resourceVersion } = found;
    if (term !== undefined && term > own) throw failure('overtaken', { object: `NodeNetwork ${name}`, term, own });
    const unchanged =
      term === undefined
        ? { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }
        : { op: 'test', path: '/status/term', value: term };
    const value = { ...status, instance, term: own };
    const body = [{ op: 'test', path: '/metadata/uid', value: uid }, unchanged, { op: 'add', path: '/status', value }];
    const at = { ...resources.nodeNetworks, name, subresource: 'status' };
    try {
      this.#written.set(name, await this.#api.patch(at, { kind: 'json', body }, readNodeNetwork));
    } catch (error) {
      // A test that does not hold is called invalid: who wrote it meanwhile?
      if (isFailure(error, 'kubeInvalid')) await this.#refuseLaterTerm(name);
      throw error;
    }
  }

  watch(changed: (node: NodeNetwork) => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  /** The Node of that name. */
  node(name: string): ClusterNode | undefined {
    return this.#nodes.get(name);
  }

  /** Of one whose Node is gone; whoever else writes it meanwhile goes first. @throws Failure kubeConflict and the like */
  async writeConditions(name: string, conditions: NonNullable<NodeNetworkStatus['conditions']>): Promise<void> {
    const found = this.#current(name);
    if (found === undefined) return;
    const { uid, resourceVersion } = found;
    const body = { metadata: { uid, resourceVersion }, status: { conditions } };
    const at = { ...resources.nodeNetworks, name, subresource: 'status' };
    this.#written.set(name, await this.#api.patch(at, { kind: 'merge', body }, readNodeNetwork));
  }

  /** Deletes the object, as it is known: whoever has changed it meanwhile goes first. @throws Failure kube*, kubeConflict */
  async remove(name: string): Promise<void> {
    const found = this.#current(name);
    if (found === undefined) return;
    const { uid, resourceVersion } = found;
    await this.#api.delete({ ...resources.nodeNetworks, name }, { uid, resourceVersion });
    this.#written.delete(name);
  }

  /** The latest term in which any was written; undefined: none was. */
  latestTerm(): number | undefined {
    const terms = this.#stored.list().flatMap(({ term }) => term ?? []);
    return terms.length === 0 ? undefined : terms.reduce((a, b) => Math.max(a, b));
  }

  /** All Nodes. */
  nodes(): ClusterNode[] {
    return this.#nodes.list();
  }

  /** Follows nothing any more. */
  stop(): void {
    this.#stored.stop();
    this.#nodes.stop();
    this.#creations.stop();
  }

  #current(name: string): StoredNodeNetwork | undefined {
    const [ours, watched] = [this.#written.get(name), this.#stored.get(name)];
    if (ours === undefined) return watched;
    if (watched !== undefined && isBehind(watched, ours)) return ours;
    this.#written.delete(name);
    return watched;
  }

  async #refuseLaterTerm(name: string): Promise<void> {
    const own = this.#term;
    const now = await this.#api.find({ ...resources.nodeNetworks, name }, readNodeNetwork);
    if (now === undefined) return;
    this.#written.set(name, now);
    if (now.term !== undefined && now.term > own) throw failure('overtaken', { object: `NodeNetwork ${name}`, term: now.term, own });
  }

  #instanceOf(name: string): InstanceId | undefined {
    const node = this.#nodes.get(name);
    return node === undefined ? undefined : this.#instanceFor(node);
  }

  #get(name: string): NodeNetwork | undefined {
    const [found, instance] = [this.#current(name), this.#instanceOf(name)];
    // Before the agent has spoken nobody knows what it remembers of the node's addresses.
    return found?.spec === undefined || instance === undefined ? undefined : composed(found, instance);
  }

  #changed(name: string, isGone: boolean): void {
    if (isGone) this.#ensure(name);
    const node = this.#get(name);
    if (node !== undefined) for (const listener of this.#listeners) listener(node);
  }

  #nodeChanged(change: Change<ClusterNode>): void {
    if (change.kind === 'set' && change.before !== undefined && sameNode(change.before, change.object)) return;
    this.#changed(change.key, true);
  }

  /** Creates the object of a Node that has none. */
  #ensure(name: string): void {
    const node = this.#nodes.get(name);
    if (!this.#isSynced || node === undefined || this.#stored.get(name) !== undefined) return;
    if (this.#instanceFor(node) === undefined) {
      this.#log.warn(`node ${name} gets no addresses: its spec.providerID is ${node.providerId ?? 'not set'}`, { node: name });
      return;
    }
    this.#creations.want(name);
  }
}

function byProviderId({ providerId }: ClusterNode): InstanceId | undefined {
  return instanceOf(providerId);
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
    JSON.stringify([before.labels, before.annotations]) === JSON.stringify([after.labels, after.annotations])
  );
}
