/**
 * One pass over a Service: looks how its load balancer stands, takes one step, says when to come again.
 *
 * Invariants
 * - while something else of it is refused, its members are kept up to date: addresses of Pods that ended go to others
 * - the finalizer is there before anything is made, and goes when nothing is left
 * - nothing is remembered but how often it was refused: whoever leads next goes on from what the cloud and the Service say
 */
import { pauseAfter } from '../../cloud/limits/backoff.ts';
import { asFailure, failure, isFailure } from '../../errors/failure.ts';
import { type ClusterService, readService } from '../../store/kubernetes/service-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { decisionFor } from '../refusal-table.ts';
import { type Mending, mendMembers, mendingAfter } from './mending.ts';
import { tellFailure, tellNothing, tellStanding } from './standing.ts';
import { FINALIZER, isOurs, tagsOfService, wantedFor } from './wanted.ts';
import type { ServiceWorld } from './world.ts';

/** What is kept of a Service between two passes. */
export interface ServiceMemory {
  /** In a row. */
  refusals: number;
  /** How often in a row the cloud was found at work. */
  waits: number;
  /** How often the cloud gave up on its load balancers since one worked. */
  broken: number;
  /** Nothing but its members before that: it would be refused again. A change of the Service itself overrules it. */
  notBefore_ms: number;
  /** Of its members, until then; undefined: they wait too, or there are none. */
  mending: Mending | undefined;
}

/** Of a Service that was never looked at. */
export const noMemory = (): ServiceMemory => ({ refusals: 0, waits: 0, broken: 0, notBefore_ms: 0, mending: undefined });

/** After a step the cloud is at work for a moment. */
const STEP_ms = 500;
/** Whether somebody changed it by hand. */
const LOOK_AGAIN_ms = 600_000;
const BROKEN_ms = 60_000;
/** What is over before that many tries is not worth telling. */
const TOLD_AFTER = 3;

/** Answers with when to come again; undefined: never, unless the Service changes. Never rejects. */
export async function passOver(world: ServiceWorld, memory: ServiceMemory, key: string): Promise<number | undefined> {
  const service = world.service(key);
  if (service === undefined) return undefined;
  const now_ms = world.clock.now_ms();
  if (now_ms < memory.notBefore_ms) return await meanwhile(world, memory, service);
  memory.notBefore_ms = 0;
  memory.mending = undefined;
  const isServed = isOurs(service, world.rules);
  try {
    const wait_ms = isServed ? await serve(world, memory, service) : await retire(world, memory, service);
    memory.refusals = 0;
    return wait_ms === undefined ? undefined : world.clock.now_ms() + wait_ms;
  } catch (error) {
    const again_ms = await refused(world, memory, service, error);
    if (isServed) memory.mending = mendingAfter(error);
    return memory.mending === undefined ? again_ms : await meanwhile(world, memory, service);
  }
}

/** What can be done before it is looked at again. Answers as {@link passOver}. */
async function meanwhile(world: ServiceWorld, memory: ServiceMemory, service: ClusterService): Promise<number> {
  const { mending, notBefore_ms } = memory;
  if (mending === undefined || !isOurs(service, world.rules)) return notBefore_ms;
  return Math.min(notBefore_ms, (await mendMembers(world, mending, service)) ?? notBefore_ms);
}

/** @throws Failure cloud*, kube*, serviceUnfit */
async function serve(world: ServiceWorld, memory: ServiceMemory, service: ClusterService): Promise<number> {
  const { balancers, rules, log, random } = world;
  const { namespace, name } = service;
  const key = `${namespace}/${name}`;
  const want = wantedFor(service, world.slices(key), rules);
  if (!service.finalizers.includes(FINALIZER)) await setFinalizers(world, service, [...service.finalizers, FINALIZER]);
  const standing = await balancers.look(want);
  const { state, next, id = '', words = '' } = standing;
  await tellStanding(world, service, standing);
  if (state === 'there') memory.broken = 0;
  if (state === 'broken')
    await tellFailure(world, service, failure('loadBalancerBroken', { cloud: balancers.name, id, service: key, text: words }));
  if (next !== undefined) {
    await balancers.perform(next);
    log.info(`Service ${key}: ${next.text}`, { service: key });
    memory.waits = 0;
    return state === 'broken' ? afterBroken(world, memory) : STEP_ms;
  }
  if (state === 'broken') return BROKEN_ms;
  if (state === 'changing') return pauseAfter('short', ++memory.waits, random);
  memory.waits = 0;
  return LOOK_AGAIN_ms * (0.75 + random() / 2);
}

/** The next one may end as this did, for ever: ever more seldom, however its Pods churn. */
function afterBroken({ clock, random }: ServiceWorld, memory: ServiceMemory): number {
  const pause_ms = pauseAfter('settled', ++memory.broken, random);
  memory.notBefore_ms = clock.now_ms() + pause_ms;
  return pause_ms;
}

/** Of a Service that is not ours, or not any more. undefined: nothing of ours is left. @throws Failure cloud*, kube* */
async function retire(world: ServiceWorld, memory: ServiceMemory, service: ClusterService): Promise<number | undefined> {
  const { balancers, rules, log, random } = world;
  const key = `${service.namespace}/${service.name}`;
  if (!service.finalizers.includes(FINALIZER)) return undefined;
  const { state, next, id = '', words = '' } = await balancers.leave(tagsOfService(rules.cluster, service.uid));
  if (next !== undefined) {
    // That it was broken before is nothing to tell: it goes anyway.
    if (state === 'broken' && memory.broken > 0)
      await tellFailure(world, service, failure('loadBalancerBroken', { cloud: balancers.name, id, service: key, text: words }));
    await balancers.perform(next);
    log.info(`Service ${key}: ${next.text}`, { service: key });
    memory.waits = 0;
    return state === 'broken' ? afterBroken(world, memory) : STEP_ms;
  }
  if (state !== 'absent') return pauseAfter('short', ++memory.waits, random);
  const now = service.leaving ? service : await tellNothing(world, service);
  const rest = now.finalizers.filter((one) => one !== FINALIZER);
  await setFinalizers(world, now, rest);
  log.info(`Service ${key}: nothing of its load balancer is left`, { service: key });
  return undefined;
}

/** Over the version that was read. @throws Failure kubeConflict, kubeNotFound and the like */
async function setFinalizers({ api }: ServiceWorld, service: ClusterService, finalizers: readonly string[]): Promise<void> {
  const { namespace, name, uid, resourceVersion } = service;
  const body = { metadata: { uid, resourceVersion, finalizers } };
  await api.patch({ ...resources.services, namespace, name }, { kind: 'merge', body }, readService);
}

async function refused(world: ServiceWorld, memory: ServiceMemory, service: ClusterService, error: unknown): Promise<number | undefined> {
  const { clock, random, log } = world;
  // The watch brings what it is now, or that it is gone.
  if (isFailure(error, 'kubeConflict') || isFailure(error, 'kubeNotFound')) return clock.now_ms() + STEP_ms;
  const failed = asFailure(error);
  const { next, pause } = failed.kind === 'serviceUnfit' ? ({ next: 'tell', pause: 'settled' } as const) : decisionFor(failed);
  memory.refusals++;
  memory.notBefore_ms = clock.now_ms() + pauseAfter(pause, memory.refusals, random);
  const key = `${service.namespace}/${service.name}`;
  const isTold = next === 'tell' || memory.refusals >= TOLD_AFTER;
  if (!isTold || failed.kind === 'cloudFenced') {
    log.debug(`Service ${key}: ${failed.message}: ${failed.details}`, { service: key });
    return memory.notBefore_ms;
  }
  log.warn(`Service ${key} is not served: ${failed.message}: ${failed.details}`, { service: key });
  await tellFailure(world, service, failed).catch((why: unknown) =>
    log.warn(`Service ${key} was not told so: ${asFailure(why).message}`, { service: key }),
  );
  return memory.notBefore_ms;
}
