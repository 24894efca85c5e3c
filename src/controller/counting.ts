/** What one node holds of each PodSubnet, as the cluster's ceilings count it: more than its pools, since nothing that the cloud may still know is left out. */
import type { Wanted } from '../cloud/cloud.ts';
import { heldAddresses } from '../ipam/target.ts';
import { type Cidr, cidrFamily } from '../net/cidr.ts';
import { subnetsOf, viewFor } from '../store/nic-shares.ts';
import type { GrantedNic } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { excludedOf } from '../store/within.ts';
import type { Action } from './action.ts';
import type { NicIntent } from './notes.ts';
import type { Situation } from './situation.ts';
import { partsOf } from './shared-nics.ts';
import { intentOf, isOurs } from './tags.ts';

/** Addresses by PodSubnet: on NICs that are granted or ours, wherever those are; what was granted and what the cloud has. */
export function heldBy(situation: Situation, grants: readonly GrantedNic[]): Map<string, number> {
  const { nics, cluster, node, foreign } = situation;
  const blocks = new Map<string, Cidr[]>();
  const add = (subnet: string, more: readonly Cidr[]): void => {
    blocks.set(subnet, [...(blocks.get(subnet) ?? []), ...more]);
  };
  for (const nic of nics) {
    const grant = grants.find(({ id }) => id === nic.id);
    if (grant === undefined && !isOurs(nic, cluster, node)) continue;
    for (const [subnet, own] of partsOf(nic, grant, situation))
      add(
        subnet,
        own.filter((block) => !foreign.has(block)),
      );
  }
  for (const grant of grants)
    if (!nics.some(({ id }) => id === grant.id)) for (const subnet of subnetsOf(grant)) add(subnet, viewFor(grant, subnet).blocks);
  return new Map([...blocks].map(([subnet, all]) => [subnet, worth(all, configOf(subnet, situation))]));
}

/** The same from a status alone, for a controller that has not looked at the cloud yet. */
export function heldByStatus(
  grants: readonly GrantedNic[],
  intents: readonly NicIntent[],
  subnets: readonly PodSubnet[],
): Map<string, number> {
  const held = new Map<string, number>();
  const find = (name: string): PodSubnet | undefined => subnets.find(({ metadata }) => metadata.name === name);
  for (const grant of grants)
    for (const subnet of subnetsOf(grant)) held.set(subnet, (held.get(subnet) ?? 0) + worth(viewFor(grant, subnet).blocks, find(subnet)));
  for (const intent of intents) held.set(intent.subnet, (held.get(intent.subnet) ?? 0) + worthOfIntent(intent, find(intent.subnet)));
  return held;
}

/** `held`, and what the actions of a plan and the NICs that nobody has seen yet may bring. */
export function withComing(
  held: ReadonlyMap<string, number>,
  situation: Situation,
  plan: { readonly actions: readonly Action[]; readonly intents: readonly NicIntent[] },
): Map<string, number> {
  const all = new Map(held);
  const add = (subnet: string, more: number): void => void all.set(subnet, (all.get(subnet) ?? 0) + more);
  for (const action of plan.actions)
    if (action.do === 'assign') add(action.subnet, worthOf(action.want, configOf(action.subnet, situation)));
  for (const intent of plan.intents)
    if (!situation.nics.some((nic) => intentOf(nic) === intent.token))
      add(intent.subnet, worthOfIntent(intent, configOf(intent.subnet, situation)));
  return all;
}

/** A whole NIC is worth its one address; a trunk nothing. */
function worthOfIntent({ want, use }: Pick<NicIntent, 'want' | 'use'>, config: PodSubnet | undefined): number {
  if (use === 'trunk') return 0;
  return use === undefined ? worthOf(want, config) : 1;
}

/** The most addresses that such an order brings. */
export function worthOf({ addresses4 = 0, prefixes4 = 0, prefixes6 = 0, these = [] }: Wanted, config: PodSubnet | undefined): number {
  const counted6 = config !== undefined && !config.spec.families.includes(4);
  const byValue = these.filter((block) => cidrFamily(block) === (counted6 ? 6 : 4)).length;
  return byValue + (counted6 ? prefixes6 * config.spec.perNode.maximum : addresses4 + 16 * prefixes4);
}

function worth(blocks: readonly Cidr[], config: PodSubnet | undefined): number {
  const counted = config === undefined || config.spec.families.includes(4) ? 4 : 6;
  return heldAddresses(blocks, counted, config === undefined ? [] : excludedOf(config.spec), config?.spec.perNode.maximum ?? 0);
}

function configOf(name: string, { subnets }: Situation): PodSubnet | undefined {
  return subnets.find(({ metadata }) => metadata.name === name);
}
