/** What is on its way already and need not be asked for again. */
import type { CloudNic } from '../cloud/cloud.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import type { Action } from './action.ts';
import { mayBeMade, openIntents, oursFor } from './new-nics.ts';
import type { SubnetPool } from './pools.ts';
import { isComingTo, mayShare, willShare } from './shared-nics.ts';
import type { Situation } from './situation.ts';
import { intentOf, isOurs, subnetOf } from './tags.ts';

/** Whether an interface for the PodSubnet, or one that it may share, is being plugged in. */
export function isOneComing(config: PodSubnet, situation: Situation): boolean {
  const isOwn = oursFor(situation, config).some(({ attachment }) => attachment?.state === 'attaching');
  return isOwn || situation.nics.some((nic) => isComingTo(nic, config, situation));
}

/** Interfaces of ours that are attached to nothing: those made for the PodSubnet first, then those of others that it may share. */
export function toPlugIn(config: PodSubnet, situation: Situation): CloudNic[] {
  const { nics, cluster, node } = situation;
  const others = nics.filter(
    (nic) => isOurs(nic, cluster, node) && subnetOf(nic) !== config.metadata.name && mayShare(nic, config, subnetOf(nic), situation),
  );
  return [...oursFor(situation, config), ...others].filter(({ attachment, branch }) => attachment === undefined && branch === undefined);
}

/**
 * Whether an interface of another PodSubnet that this one may share is about to be made: what room it has is seen then. Who has begun to make one does not
 * wait for others. `earlier`: what this plan does for others.
 */
export function awaitsAnother(pool: SubnetPool, config: PodSubnet, situation: Situation, earlier: readonly Action[]): boolean {
  if (openIntents(pool, situation).some((intent) => mayBeMade(intent, situation))) return false;
  const made = earlier.flatMap((action) => (action.do === 'create' ? [action.intent] : []));
  const called = situation.intents.filter(
    (intent) =>
      intent.called_ms !== undefined && mayBeMade(intent, situation) && !situation.nics.some((nic) => intentOf(nic) === intent.token),
  );
  return [...made, ...called].some((intent) => willShare(intent, config, situation));
}
