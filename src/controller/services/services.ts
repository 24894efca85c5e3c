/**
 * Services of type LoadBalancer: each has a load balancer of the cloud, whose members are its Pods.
 *
 * Invariants
 * - one pass at a time for a Service, few at once in all
 * - a burst of changes of endpoints is one pass, so one request for a port
 */
import type { Clock } from '../../cloud/clock.ts';
import type { LoadBalancers } from '../../cloud/load-balancers.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import { type ClusterService, readService, readSlice } from '../../store/kubernetes/service-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import type { Events } from '../cluster/events.ts';
import { turns } from '../turns.ts';
import { noMemory, passOver, type ServiceMemory } from './pass.ts';
import { sliceIndex } from './slice-index.ts';
import { type LeftSightings, sweepLoadBalancers } from './sweep.ts';
import { FINALIZER, type Rules } from './wanted.ts';
import type { ServiceWorld } from './world.ts';

/** With what to work. */
export interface ServicesOptions {
  readonly api: Pick<KubeApi, 'list' | 'watch' | 'patch'>;
  readonly balancers: LoadBalancers;
  readonly rules: Rules;
  /** Whether anything is given back; otherwise the sweep only tells. */
  readonly releases: boolean;
  readonly events: Pick<Events, 'say'>;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1); Math.random when absent. */
  readonly random?: () => number;
}

/** A load balancer takes its time: more at once would only wait for the account's turn. */
const AT_ONCE = 4;
const SERVICE_ms = 50;
/** Pods of a rollout come and go together. */
const ENDPOINTS_ms = 300;
const SWEEP_ms = 300_000;
/** Headless Services have no load balancers, and most endpoints. */
const NOT_HEADLESS = '!service.kubernetes.io/headless';

/** What serves them. */
export interface LoadBalancedServices {
  /** What `rules.subnetOf` answers may be another by now. */
  placesChanged(): void;
  /** Resolves when no pass runs any more. */
  stop(): Promise<void>;
}

/** Starts serving them. */
export function loadBalancedServices(options: ServicesOptions): LoadBalancedServices {
  const { api, clock, log, random = Math.random } = options;
  const memories = new Map<string, ServiceMemory>();
  const slices = sliceIndex();
  let isReady = false;
  const services = watchObjects<ClusterService>(
    api,
    { at: resources.services, parse: readService },
    {
      log,
      changed(change) {
        const { kind, key } = change;
        if (kind === 'gone') memories.delete(key);
        if (kind === 'gone' || !asksOtherwise(change.before, change.object)) return;
        // Somebody may have put right what was refused.
        memoryOf(key).notBefore_ms = 0;
        if (isReady) queue.wake(key, SERVICE_ms);
      },
    },
  );
  const endpoints = watchObjects(
    api,
    { at: resources.endpointSlices, parse: readSlice, labelSelector: NOT_HEADLESS },
    {
      log,
      changed(change) {
        for (const key of slices.heed(change)) if (isReady) queue.wake(key, ENDPOINTS_ms);
      },
    },
  );
  const world: ServiceWorld = { ...options, random, service: (key) => services.get(key), slices: slices.of };
  const memoryOf = (key: string): ServiceMemory => {
    const known = memories.get(key) ?? noMemory();
    memories.set(key, known);
    return known;
  };
  const queue = turns(clock, AT_ONCE, {
    // Nothing is kept of one that is gone, whose endpoints go after it, nor of those that have endpoints and no Service.
    run: async (key) => (services.get(key) === undefined ? undefined : await passOver(world, memoryOf(key), key)),
    deficit: () => 0,
  });
  // Before all endpoints are known a load balancer would lose its members.
  const wakeAll = (): void => {
    for (const { namespace, name } of services.list()) queue.wake(`${namespace}/${name}`, random() * 1000);
  };
  void Promise.all([services.synced, endpoints.synced]).then(() => {
    isReady = true;
    wakeAll();
  });
  const sweeping = sweepNowAndThen(world);
  return {
    placesChanged() {
      if (isReady) wakeAll();
    },
    async stop() {
      services.stop();
      endpoints.stop();
      await Promise.all([sweeping.stop(), queue.stop()]);
    },
  };
}

/** Not when only what we write ourselves has changed. */
function asksOtherwise(before: ClusterService | undefined, now: ClusterService): boolean {
  const asked = ({ resourceVersion: _, conditions: _conditions, ingress: _ingress, finalizers, ...rest }: ClusterService): string =>
    JSON.stringify({ ...rest, isHeld: finalizers.includes(FINALIZER) || before?.finalizers.includes(FINALIZER) !== true });
  return before === undefined || asked(before) !== asked(now);
}

/** With a jittered pause between. */
function sweepNowAndThen(world: ServiceWorld): { stop(): Promise<void> } {
  const { clock, random, log } = world;
  const sightings: LeftSightings = { seen_ms: new Map(), told: new Set() };
  let running: Promise<unknown> = Promise.resolve();
  let cancel = (): void => {};
  let stopped = false;
  const arm = (): void => {
    if (stopped) return;
    cancel = clock.after(SWEEP_ms * (0.75 + random() / 2), () => {
      running = sweepLoadBalancers(world, sightings)
        .catch((error: unknown) => log.warn(`load balancers that nobody needs were not looked for: ${sentence(asFailure(error))}`))
        .then(arm);
    });
  };
  arm();
  return {
    async stop() {
      stopped = true;
      cancel();
      await running;
    },
  };
}
