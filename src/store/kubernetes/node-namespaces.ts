/** What the namespaces of a node's Pods say, read one by one when a Pod of theirs appears: an agent watches no namespaces. */
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { AUTO, subnetsNamed } from '../subnet-order.ts';
import { type ClusterNamespace, readNamespace } from './core-objects.ts';
import { resources } from './resources.ts';

/** A namespace is read again when it is older than this and a Pod of it appears. */
const OLD_ms = 10_000;
/** One that waits for the controller to choose its PodSubnet is read again after this, as long as it has Pods here. */
const CHOSEN_WITHIN_ms = 1000;
/** Namespaces kept in memory. */
const LIMIT = 10_000;

/** What it takes. */
export interface NodeNamespacesOptions {
  readonly api: KubeApi;
  readonly log: Log;
  /** Whether a Pod of that namespace is on the node. */
  readonly hasPods: (namespace: string) => boolean;
  /** The controller has chosen for one that waited. */
  readonly chosen: () => void;
}

/** See the head of this file. */
export class NodeNamespaces {
  readonly #options: NodeNamespacesOptions;
  readonly #known = new Map<string, { readonly read: ClusterNamespace; readonly at_ms: number }>();
  readonly #reading = new Map<string, Promise<void>>();
  readonly #again = new Map<string, NodeJS.Timeout>();

  constructor(options: NodeNamespacesOptions) {
    this.#options = options;
  }

  /** As it was last read; undefined when it could not be. */
  get(name: string): ClusterNamespace | undefined {
    return this.#known.get(name)?.read;
  }

  /** Its annotation says `auto` still: the controller is about to choose. */
  isUndecided(name: string): boolean {
    return subnetsNamed(this.get(name)?.annotations)?.includes(AUTO) === true;
  }

  /** Reads it unless it was read a moment ago. Rejects never: what fails is in the log. */
  refresh(name: string): Promise<void> {
    const known = this.#known.get(name);
    if (known !== undefined && performance.now() - known.at_ms < OLD_ms) return Promise.resolve();
    const running = this.#reading.get(name) ?? this.read(name).finally(() => this.#reading.delete(name));
    this.#reading.set(name, running);
    return running;
  }

  /** Reads it. Rejects never. */
  async read(name: string): Promise<void> {
    const { api, log } = this.#options;
    const at_ms = performance.now();
    try {
      const read = await api.get({ ...resources.namespaces, name }, readNamespace, { deadline_ms: 2000 });
      if (this.#known.size >= LIMIT) this.#known.clear();
      this.#known.set(name, { read, at_ms });
      if (this.isUndecided(name)) this.#lookAgain(name);
    } catch (error) {
      log.warn(`namespace ${name} could not be read: ${sentence(asFailure(error))}`, { namespace: name });
    }
  }

  /** Reads nothing by itself any more. */
  stop(): void {
    this.#again.forEach((timer) => clearTimeout(timer));
  }

  #lookAgain(name: string): void {
    clearTimeout(this.#again.get(name));
    const timer = setTimeout(() => {
      this.#again.delete(name);
      if (!this.#options.hasPods(name)) return;
      void this.read(name).then(() => {
        if (!this.isUndecided(name)) this.#options.chosen();
      });
    }, CHOSEN_WITHIN_ms);
    this.#again.set(name, timer.unref());
  }
}
