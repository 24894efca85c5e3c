/** What is on its way already and need not be asked for again. */
import type { CloudNic } from '../cloud/cloud.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { mayBeMade, openIntents, oursFor } from './new-nics.ts';
import type { NicIntent } from './notes.ts';
import type { SubnetPool } from './pools.ts';
import { mayShare, willShare } from './shared-nics.ts';
import type { Situation } from './situation.ts';
import { intentOf, isOurs, subnetOf } from './tags.ts';

/** Whether an interface of the PodSubnet is being plugged in. */
export function isOneAttaching(config: PodSubnet, situation: Situation): boolean {
  return oursFor(situation, config).some(({ attachment }) => attachment?.state === 'attaching');
}

/**
 * Whether an interface of another PodSubnet that this one may share is about to be made: what room it has is seen then. Who has begun to make one does not
 * wait for others. `made`: those that this plan makes.
 */
export function awaitsAnother(pool: SubnetPool, config: PodSubnet, situation: Situation, made: readonly NicIntent[]): boolean {
  if (openIntents(pool, situation).some((intent) => mayBeMade(intent, situation))) return false;
  const { intents, nics } = situation;
  const isUnseen = ({ token }: NicIntent): boolean => !nics.some((nic) => intentOf(nic) === token);
  const called = intents.filter((intent) => intent.called_ms !== undefined && mayBeMade(intent, situation) && isUnseen(intent));
  return [...made, ...called].some((intent) => willShare(intent, config, situation)) || nics.some((nic) => isMadeFor(nic, config, situation));
}

/** It was made a moment ago, for another PodSubnet, and is not plugged in yet. */
function isMadeFor(nic: CloudNic, config: PodSubnet, situation: Situation): boolean {
  const { intents, cluster, node } = situation;
  const isArriving = nic.attachment === undefined && intents.some(({ token }) => token === intentOf(nic)) && isOurs(nic, cluster, node);
  return isArriving && subnetOf(nic) !== config.metadata.name && mayShare(nic, config, subnetOf(nic), situation);
}
