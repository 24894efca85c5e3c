/**
 * Members of a load balancer that is there, while something else of its Service is refused: a mistake in the Service, an address that another has, a quota.
 * Addresses of Pods that ended go to other Pods, whose traffic it would be otherwise.
 */
import { pauseAfter } from '../../cloud/limits/backoff.ts';
import type { ErrorName } from '../../errors/catalogue.ts';
import { asFailure } from '../../errors/failure.ts';
import type { ClusterService } from '../../store/kubernetes/service-objects.ts';
import { decisionFor } from '../refusal-table.ts';
import { membersFor } from './wanted.ts';
import type { ServiceWorld } from './world.ts';

/** What is kept of it between two passes. */
export interface Mending {
  /** In a row. */
  refusals: number;
  /** How often in a row the cloud was found at work. */
  waits: number;
  /** No call before that. */
  notBefore_ms: number;
  /** There is no load balancer. */
  isIdle: boolean;
}

/** After a step the cloud is at work for a moment. */
const STEP_ms = 500;

/** What is refused for what is asked, and of what is asked the members are no part. Any other refusal would meet them too. */
const aboutTheRest: ReadonlySet<ErrorName> = new Set([
  'serviceUnfit',
  'cloudInvalid',
  'cloudNotFound',
  'cloudAddressTaken',
  'cloudLimit',
  'cloudQuota',
  'cloudDenied',
  'cloudReleasesStopped',
]);

/** undefined: members have to wait as well. */
export function mendingAfter(error: unknown): Mending | undefined {
  return aboutTheRest.has(asFailure(error).kind) ? { refusals: 0, waits: 0, notBefore_ms: 0, isIdle: false } : undefined;
}

/** Takes one step. Answers with when to come again; undefined: when its Pods change. Never rejects. */
export async function mendMembers(world: ServiceWorld, mending: Mending, service: ClusterService): Promise<number | undefined> {
  const { balancers, clock, random, rules, log } = world;
  if (mending.isIdle) return undefined;
  if (clock.now_ms() < mending.notBefore_ms) return mending.notBefore_ms;
  const key = `${service.namespace}/${service.name}`;
  try {
    const { state, next } = await balancers.look(membersFor(service, world.slices(key), rules));
    mending.isIdle = state === 'absent';
    if (next !== undefined) {
      await balancers.perform(next);
      log.info(`Service ${key}: ${next.text}, though something else of it is refused`, { service: key });
    }
    mending.refusals = 0;
    mending.waits = state === 'changing' ? mending.waits + 1 : 0;
    if (state === 'changing') return clock.now_ms() + pauseAfter('short', mending.waits, random);
    return next === undefined ? undefined : clock.now_ms() + STEP_ms;
  } catch (error) {
    const failed = asFailure(error);
    mending.notBefore_ms = clock.now_ms() + pauseAfter(decisionFor(failed).pause, ++mending.refusals, random);
    log.debug(`Service ${key}: its members were not mended: ${failed.message}: ${failed.details}`, { service: key });
    return mending.notBefore_ms;
  }
}
