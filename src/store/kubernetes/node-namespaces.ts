/**
 * What the namespaces of a node's Pods say, read one by one when a Pod of theirs appears: an agent watches no namespaces. What was read is remembered in the
 * node's database, for when the API server is away.
 */
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import type { RememberedNamespaces } from '../remembered-namespaces.ts';
import { AUTO, subnetsNamed } from '../subnet-order.ts';
import { type ClusterNamespace, readNamespace } from './core-objects.ts';
import { resources } from './resources.ts';
import { SingleReads } from './single-reads.ts';

/** A namespace is read again when it is older than this and a Pod of it appears. */
const OLD_ms = 10_000;
/** One that waits for the controller to choose its PodSubnet is read again after this, as long as it has Pods here. */
const CHOSEN_WITHIN_ms = 1000;

/** What it takes. */
export interface NodeNamespacesOptions {
  readonly api: KubeApi;
  readonly log: Log;
  /** Absent: nothing outlives the process. */
  readonly remembered?: RememberedNamespaces | undefined;
  /** Whether a Pod of that namespace is on the node. */
  readonly hasPods: (namespace: string) => boolean;
  /** The controller has chosen for one that waited, or one that could not be read before was. */
  readonly changed: () => void;
}

/** See the head of this file. */
export class NodeNamespaces {
  readonly #options: NodeNamespacesOptions;
  readonly #reads: SingleReads<ClusterNamespace>;

  constructor(options: NodeNamespacesOptions) {
    this.#options = options;
    const { api, log, hasPods, changed } = options;
    this.#reads = new SingleReads({
      log,
      kind: 'namespace',
      ask: (name) => api.get({ ...resources.namespaces, name }, readNamespace, { deadline_ms: 2000 }),
      old_ms: OLD_ms,
      isNeeded: hasPods,
      again_ms: (read) => (isUndecided(read) ? CHOSEN_WITHIN_ms : undefined),
      learnt: (name, read) => this.#remember(name, read),
      changed,
    });
  }

  /** As it was last read, by an earlier process perhaps; undefined when it never could be. */
  get(name: string): ClusterNamespace | undefined {
    return this.#reads.get(name) ?? this.#options.remembered?.get(name);
  }

  /** Whether this process has read it. */
  isRead(name: string): boolean {
    return this.#reads.get(name) !== undefined;
  }

  /** Its annotation says `auto` still: the controller is about to choose. */
  isUndecided(name: string): boolean {
    return isUndecided(this.get(name));
  }

  /** Reads it unless it was read a moment ago. Rejects never: what fails is in the log, and tried again. */
  refresh(name: string): Promise<void> {
    return this.#reads.refresh(name);
  }

  /** Reads it. Rejects never. */
  read(name: string): Promise<void> {
    return this.#reads.read(name);
  }

  /** Reads nothing by itself any more. */
  stop(): void {
    this.#reads.stop();
  }

  /** A database that refuses costs what it is for, and nothing else. */
  #remember(name: string, read: ClusterNamespace | undefined): void {
    const { remembered, log } = this.#options;
    try {
      if (read === undefined) remembered?.forget(name);
      else remembered?.set(read);
    } catch (error) {
      log.warn(`what a namespace said is not remembered: ${sentence(asFailure(error))}`);
    }
  }
}

function isUndecided(namespace: ClusterNamespace | undefined): boolean {
  return subnetsNamed(namespace?.annotations)?.includes(AUTO) === true;
}
