/**
 * A cloud whose calls keep below the account's own limits: one token bucket for each kind of call, shared by all nodes of this controller.
 *
 * Invariants
 * - a call waits at most `longestWait_ms` for its token; one that would wait longer is refused as cloudThrottled and never sent
 * - at most `queue` calls wait at once
 * - when the cloud throttles all the same, every call of that kind pauses, not only the one that was refused
 */
import { failure, isFailure } from '../../errors/failure.ts';
import { type Clock, sleep } from '../clock.ts';
import type { Cloud } from '../cloud.ts';
import { pauseAfter } from './backoff.ts';
import { type Bucket, drained, fullBucket, type Rate, takeToken } from './bucket.ts';

/** Clouds count each of these apart. */
export type CallKind = 'read' | 'create' | 'attach' | 'detach' | 'delete' | 'assign' | 'unassign';

/** How fast calls may follow each other, and how many may wait for how long. */
export interface Pace {
  readonly rates: Readonly<Record<CallKind, Rate>>;
  readonly longestWait_ms: number;
  readonly queue: number;
}

/** Well below what the large clouds allow an account, so that other programs of the account still get through. */
export const usualPace: Pace = {
  rates: {
    read: { perSecond: 10, burst: 50 },
    create: { perSecond: 3, burst: 10 },
    attach: { perSecond: 3, burst: 10 },
    detach: { perSecond: 3, burst: 10 },
    delete: { perSecond: 3, burst: 10 },
    assign: { perSecond: 5, burst: 20 },
    unassign: { perSecond: 5, burst: 20 },
  },
  longestWait_ms: 30_000,
  queue: 1000,
};

/** The usual pace for an account that may make that many times as many calls. */
export function usualPaceTimes(times: number): Pace {
  const faster = ({ perSecond, burst }: Rate): Rate => ({ perSecond: perSecond * times, burst: burst * times });
  const { read, create, attach, detach, delete: deleted, assign, unassign } = usualPace.rates;
  const rates = {
    read: faster(read),
    create: faster(create),
    attach: faster(attach),
    detach: faster(detach),
    delete: faster(deleted),
    assign: faster(assign),
    unassign: faster(unassign),
  };
  return { ...usualPace, rates };
}

/** Wraps a cloud so that its calls are paced. `random` gives numbers in [0, 1). */
export function paced(cloud: Cloud, pace: Pace, clock: Clock, random: () => number): Cloud {
  return pacedBy(cloud, turnstile(cloud.name, pace, clock, random));
}

/** The same with a turnstile that others of the account go through as well. */
export function pacedBy(cloud: Cloud, turn: Turn): Cloud {
  return {
    name: cloud.name,
    network: () => turn('read', 'network', () => cloud.network()),
    instance: (id) => turn('read', 'instance', () => cloud.instance(id)),
    instances: (ids) => turn('read', 'instances', () => cloud.instances(ids)),
    subnets: (named) => turn('read', 'subnets', () => cloud.subnets(named)),
    nics: (filter) => turn('read', 'nics', () => cloud.nics(filter)),
    createNic: (request) => turn('create', 'createNic', () => cloud.createNic(request)),
    attachNic: (nic, instance, index) => turn('attach', 'attachNic', () => cloud.attachNic(nic, instance, index)),
    attachBranch: (nic, trunk, vlan) => turn('attach', 'attachBranch', () => cloud.attachBranch(nic, trunk, vlan)),
    detachNic: (nic) => turn('detach', 'detachNic', () => cloud.detachNic(nic)),
    deleteNic: (nic) => turn('delete', 'deleteNic', () => cloud.deleteNic(nic)),
    assign: (nic, want, whose) => turn('assign', 'assign', () => cloud.assign(nic, want, whose)),
    unassign: (nic, blocks) => turn('unassign', 'unassign', () => cloud.unassign(nic, blocks)),
  };
}

/** Makes the call when its turn has come. @throws Failure cloudThrottled when it would have to wait too long; what the call throws */
export type Turn = <T>(kind: CallKind, call: string, make: () => Promise<T>) => Promise<T>;

/** The buckets of one account. */
export function turnstile(name: string, pace: Pace, clock: Clock, random: () => number): Turn {
  const buckets = new Map<CallKind, Bucket>();
  const refusals = new Map<CallKind, number>();
  let waiting = 0;

  const refuse = (call: string, text: string): never => {
    throw failure('cloudThrottled', { cloud: name, call, text });
  };

  async function waitForToken(kind: CallKind, call: string): Promise<void> {
    const rate = pace.rates[kind];
    const { bucket, wait_ms } = takeToken(buckets.get(kind) ?? fullBucket(rate, clock.now_ms()), rate, clock.now_ms());
    if (wait_ms > pace.longestWait_ms) refuse(call, `not sent: its turn would come in ${Math.ceil(wait_ms / 1000)} s`);
    if (wait_ms > 0 && waiting >= pace.queue) refuse(call, `not sent: ${waiting} calls wait already`);
    buckets.set(kind, bucket);
    if (wait_ms === 0) return;
    waiting++;
    try {
      await sleep(clock, wait_ms);
    } finally {
      waiting--;
    }
  }

  /** One refusal counts for all who would call next. */
  function heed(kind: CallKind): void {
    const attempt = (refusals.get(kind) ?? 0) + 1;
    refusals.set(kind, attempt);
    const [rate, now_ms] = [pace.rates[kind], clock.now_ms()];
    const bucket = buckets.get(kind) ?? fullBucket(rate, now_ms);
    buckets.set(kind, drained(bucket, rate, now_ms, pauseAfter('long', attempt, random)));
  }

  return async (kind, call, make) => {
    await waitForToken(kind, call);
    try {
      const answer = await make();
      refusals.delete(kind);
      return answer;
    } catch (error) {
      if (isFailure(error, 'cloudThrottled')) heed(kind);
      throw error;
    }
  };
}
