/**
 * Creates NodeNetworks of Nodes that have none.
 *
 * Invariants
 * - a few at a time: a controller that begins in a cluster of thousands of nodes must not have its Lease wait behind them
 * - what could not be created is tried again after a pause, for as long as it is wanted
 */
import { asFailure, isFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { resources } from './resources.ts';

const AT_ONCE = 8;
const AGAIN_ms = 5000;

/** See the head of this file. */
export interface Creations {
  /** The Node has none. */
  want(node: string): void;
  /** Creates no more. */
  stop(): void;
}

/** `isWanted`: whether the Node is there and has none still. */
export function creations(api: Pick<KubeApi, 'create'>, log: Log, isWanted: (node: string) => boolean): Creations {
  const line = new Set<string>();
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;
  let busy = 0;

  async function create(name: string): Promise<void> {
    const body = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'NodeNetwork', metadata: { name } };
    try {
      await api.create(resources.nodeNetworks, body, () => undefined);
      log.info(`created NodeNetwork ${name}`, { node: name });
    } catch (error) {
      if (isFailure(error, 'kubeAlreadyExists')) return;
      log.warn(`NodeNetwork ${name} could not be created: ${sentence(asFailure(error))}`, { node: name });
      later(name);
    }
  }
  function later(name: string): void {
    if (stopped) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      want(name);
    }, AGAIN_ms).unref();
    timers.add(timer);
  }
  async function work(): Promise<void> {
    busy++;
    for (const name of line) {
      line.delete(name);
      if (!stopped && isWanted(name)) await create(name);
    }
    busy--;
  }
  function want(name: string): void {
    if (stopped) return;
    line.add(name);
    if (busy < AT_ONCE) void work();
  }
  return {
    want,
    stop() {
      stopped = true;
      timers.forEach(clearTimeout);
    },
  };
}
