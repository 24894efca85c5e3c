/** Interfaces that are not there yet: those intended, and those of ours that can be plugged in. */
import type { CloudNic, Wanted } from '../cloud/cloud.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { subnetIdOf } from '../store/subnet-id.ts';
import { liesIn, nextSubnet } from './cloud-subnets.ts';
import type { NicIntent } from './notes.ts';
import type { SubnetPool } from './pools.ts';
import { groupsFor, groupsOfNode } from './shared-nics.ts';
import type { Situation } from './situation.ts';
import { intentOf, isOurs, newToken, subnetOf } from './tags.ts';
import { needsMultiMac, type NicUse, useFor, useOf } from './uses.ts';

/** Intents nobody has seen a NIC of. One that stays unseen for long is dead (its NIC was made and deleted again): a new one has a new token. */
export function openIntents(pool: SubnetPool, { intents, nics, now_ms, limits }: Situation): NicIntent[] {
  const unseen = intents.filter(
    ({ subnet, token, use }) => subnet === pool.name && use !== 'trunk' && !nics.some((nic) => intentOf(nic) === token),
  );
  return unseen.filter(({ since_ms }) => now_ms - since_ms <= 10 * limits.settle_ms);
}

/** Perhaps its NIC was made and no read shows it yet. */
export function mayBeMade(intent: NicIntent, { read_ms, limits }: Situation): boolean {
  return read_ms - (intent.called_ms ?? intent.since_ms) <= limits.settle_ms;
}

/** A NIC that nobody has asked for before. `others`: intents of the same plan. */
export function newIntent(config: PodSubnet, situation: Situation, want: Wanted, use: NicUse, others: readonly NicIntent[]): NicIntent {
  const subnet = config.metadata.name;
  return {
    token: unusedToken(subnet, situation, others),
    subnet,
    // Without any `obstacle` stops before.
    cloudSubnet: nextSubnet(config, situation, others)?.id ?? subnetIdOf(config),
    securityGroups: use === 'trunk' ? groupsOfNode(situation) : groupsFor(config, situation),
    want,
    ...(use !== 'pods' && { use }),
    ...(use === 'pods' && needsMultiMac(config) && { multiMac: true }),
    since_ms: situation.now_ms,
  };
}

function unusedToken(subnet: string, situation: Situation, others: readonly NicIntent[]): string {
  const used = new Set([...situation.intents, ...others].map(({ token }) => token));
  for (const nic of situation.nics) used.add(intentOf(nic) ?? '');
  let number = 0;
  while (used.has(newToken(situation, subnet, number))) number++;
  return newToken(situation, subnet, number);
}

/** NICs made for this PodSubnet as it is now that are on this instance, on their way to it, or attached to nothing. */
export function oursFor(situation: Situation, config: PodSubnet): CloudNic[] {
  const { nics, cluster, node, spec } = situation;
  return nics.filter(
    (nic) =>
      isOurs(nic, cluster, node) &&
      subnetOf(nic) === config.metadata.name &&
      liesIn(nic, config, situation) &&
      useOf(nic) === useFor(config) &&
      (nic.multiMac === true || !needsMultiMac(config)) &&
      (nic.attachment === undefined || nic.attachment.instance === spec.instance),
  );
}
