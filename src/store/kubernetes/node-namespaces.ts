/**
 * What the namespaces of a node's Pods say, read one by one when a Pod of theirs appears: an agent watches no namespaces. What was read is remembered in the
 * node's database, for when the API server is away.
 */
import { asFailure, isFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import type { RememberedNamespaces } from '../remembered-namespaces.ts';
import { AUTO, subnetsNamed } from '../subnet-order.ts';
import { type ClusterNamespace, readNamespace } from './core-objects.ts';
import { resources } from './resources.ts';

/** A namespace is read again when it is older than this and a Pod of it appears. */
const OLD_ms = 10_000;
/** One that waits for the controller to choose its PodSubnet is read again after this, as long as it has Pods here. */
const CHOSEN_WITHIN_ms = 1000;
/** One that could not be read is read again after the first pause, which doubles up to the longest, as long as it has Pods here. */
const FIRST_PAUSE_ms = 1000;
const LONGEST_PAUSE_ms = 30_000;
/** Namespaces kept in memory. */
const LIMIT = 10_000;

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
  readonly #known = new Map<string, { readonly read: ClusterNamespace; readonly at_ms: number }>();
  readonly #reading = new Map<string, Promise<void>>();
  readonly #again = new Map<string, NodeJS.Timeout>();
  /** Reads in a row that failed. */
  readonly #failures = new Map<string, number>();
  #stopped = false;

  constructor(options: NodeNamespacesOptions) {
    this.#options = options;
  }

  /** As it was last read, by an earlier process perhaps; undefined when it never could be. */
  get(name: string): ClusterNamespace | undefined {
    return this.#known.get(name)?.read ?? this.#options.remembered?.get(name);
  }

  /** Whether this process has read it. */
  isRead(name: string): boolean {
    return this.#known.has(name);
  }

  /** Its annotation says `auto` still: the controller is about to choose. */
  isUndecided(name: string): boolean {
    return subnetsNamed(this.get(name)?.annotations)?.includes(AUTO) === true;
  }

  /** Reads it unless it was read a moment ago. Rejects never: what fails is in the log, and tried again. */
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
      if (this.#stopped) return;
      if (this.#known.size >= LIMIT) this.#known.clear();
      this.#known.set(name, { read, at_ms });
      this.#failures.delete(name);
      if (this.isUndecided(name)) this.#lookAgain(name, CHOSEN_WITHIN_ms);
      this.#remember(() => this.#options.remembered?.set(read));
    } catch (error) {
      if (this.#stopped) return;
      if (isFailure(error, 'kubeNotFound')) this.#remember(() => this.#options.remembered?.forget(name));
      const failures = this.#failures.get(name) ?? 0;
      // Once per outage, not once per try.
      log[failures === 0 ? 'warn' : 'debug'](`namespace ${name} could not be read: ${sentence(asFailure(error))}`, { namespace: name });
      this.#failures.set(name, failures + 1);
      this.#lookAgain(name, Math.min(LONGEST_PAUSE_ms, FIRST_PAUSE_ms * 2 ** Math.min(failures, 10)));
    }
  }

  /** Reads nothing by itself any more. */
  stop(): void {
    this.#stopped = true;
    this.#again.forEach((timer) => clearTimeout(timer));
  }

  /** A database that refuses costs what it is for, and nothing else. */
  #remember(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#options.log.warn(`what a namespace said is not remembered: ${sentence(asFailure(error))}`);
    }
  }

  #lookAgain(name: string, pause_ms: number): void {
    clearTimeout(this.#again.get(name));
    const timer = setTimeout(() => {
      this.#again.delete(name);
      if (!this.#options.hasPods(name)) {
        this.#failures.delete(name);
        return;
      }
      void this.read(name).then(() => {
        if (!this.#stopped && !this.#failures.has(name) && !this.isUndecided(name)) this.#options.changed();
      });
    }, pause_ms);
    this.#again.set(name, timer.unref());
  }
}
