/**
 * Takes load balancers and floating IPs away that we made for Services which are gone: their finalizer was taken off by hand, or their cluster was.
 *
 * Invariants
 * - only what has this cluster's tags and a Service's uid
 * - no Service that is, or was, ours has that uid: in two sweeps at least a minute apart, and once more by a list that is read right before
 */
import type { Tags } from '../../cloud/cloud.ts';
import { tagKeys } from '../../cloud/tag-keys.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import { tagsOfCluster } from '../tags.ts';
import { FINALIZER, isOurs } from './wanted.ts';
import type { ServiceWorld } from './world.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { type ClusterService, readService } from '../../store/kubernetes/service-objects.ts';

/** When what is left of a Service's was first seen, by its uid; and which of them were told in a dry run. */
export interface LeftSightings {
  readonly seen_ms: Map<string, number>;
  readonly told: Set<string>;
}

/** Two sightings closer together than this are one. */
const APART_ms = 60_000;
/** A floating IP, a second load balancer: what one Service may have left, with room. */
const MOST_STEPS = 8;

/** Looks once, and takes away what was seen long enough. Answers with the uids whose last piece is gone or on its way. @throws Failure cloud*, kube* */
export async function sweepLoadBalancers(world: ServiceWorld, { seen_ms, told }: LeftSightings): Promise<string[]> {
  const { balancers, rules, clock, log, releases } = world;
  const found = await balancers.list(tagsOfCluster(rules.cluster));
  const uids = new Map(
    found.flatMap(({ tags }): [string, Tags][] => (tags[tagKeys.service] === undefined ? [] : [[tags[tagKeys.service] ?? '', tags]])),
  );
  const left = uids.size === 0 ? [] : await ownerless(world, [...uids.keys()]);
  for (const uid of seen_ms.keys()) if (!left.includes(uid)) seen_ms.delete(uid);
  for (const uid of told) if (!left.includes(uid)) told.delete(uid);
  const now_ms = clock.now_ms();
  const proven = left.filter((uid) => now_ms - (seen_ms.get(uid) ?? now_ms) >= APART_ms);
  for (const uid of left) if (!seen_ms.has(uid)) seen_ms.set(uid, now_ms);
  if (!releases) {
    for (const uid of proven)
      if (!told.has(uid)) log.info(`the load balancer of Service uid ${uid} is nobody's; it stays, as spec.cloud.releases is false`);
    for (const uid of proven) told.add(uid);
    return [];
  }
  const gone: string[] = [];
  for (const uid of proven)
    try {
      await takeAway(world, uid, uids.get(uid) ?? {});
      gone.push(uid);
    } catch (error) {
      // One that cannot go keeps no other.
      log.warn(`what is left of Service uid ${uid}, which is gone, was not taken away: ${sentence(asFailure(error))}`);
    }
  return gone;
}

async function takeAway({ balancers, log }: ServiceWorld, uid: string, tags: Tags): Promise<void> {
  for (let step = 0; step < MOST_STEPS; step++) {
    const { next } = await balancers.leave(tags);
    if (next === undefined) return;
    await balancers.perform(next);
    log.info(`${next.text}, which was of a Service that is gone (uid ${uid})`);
  }
}

/** Those of the uids that no Service of ours has, by the newest list there is. */
async function ownerless({ api, rules }: ServiceWorld, uids: readonly string[]): Promise<string[]> {
  const { items } = await api.list(resources.services, readService);
  const owners = new Set(items.filter((one) => mayHave(one, rules)).map(({ uid }) => uid));
  return uids.filter((uid) => !owners.has(uid));
}

function mayHave(service: ClusterService, rules: ServiceWorld['rules']): boolean {
  return isOurs(service, rules) || service.finalizers.includes(FINALIZER);
}
