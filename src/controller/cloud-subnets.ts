/**
 * The cloud's subnets of a PodSubnet: one, or several of which each new interface takes the one with the most free addresses. An interface and its addresses
 * are of one subnet for good.
 */
import type { CloudNic, CloudSubnet, SubnetId } from '../cloud/cloud.ts';
import { areTags } from '../cloud/named.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { sayCloudSubnets, subnetsNamed } from '../store/subnet-id.ts';
import type { Facts } from './facts.ts';
import type { NicIntent } from './notes.ts';
import type { Situation } from './situation.ts';
import { isOurs, subnetOf } from './tags.ts';

/** The subnets that it names and that the cloud has. */
export function cloudSubnetsOf(config: PodSubnet, { subnets, tagged }: Pick<Facts, 'subnets' | 'tagged'>): CloudSubnet[] {
  const named = subnetsNamed(config);
  const ids = areTags(named) ? (tagged.get(config.metadata.name)?.ids ?? []) : named;
  return ids.flatMap((id) => subnets.get(id) ?? []);
}

/** Whether the interface lies in one of its subnets. One whose subnet has lost its tags stays until nobody needs it. */
export function liesIn(nic: CloudNic, config: PodSubnet, { cluster, node, tagged }: Situation): boolean {
  const named = subnetsNamed(config);
  if (!areTags(named)) return named.includes(nic.subnet);
  const { name } = config.metadata;
  return tagged.get(name)?.ids.includes(nic.subnet) === true || (isOurs(nic, cluster, node) && subnetOf(nic) === name);
}

/** Where an instance is among the subnets. */
type Around = Pick<Situation, 'cloudSubnets' | 'tagged'> & { readonly instance: { readonly zone: string } };

/** Those of its subnets whose interfaces the instance can have, and that have what its Pods need. */
export function nearSubnets(config: PodSubnet, { cloudSubnets, tagged, instance }: Around): CloudSubnet[] {
  const all = cloudSubnetsOf(config, { subnets: cloudSubnets, tagged });
  if (config.spec.cloudSubnets === undefined) return all;
  return all.filter(
    ({ zone = instance.zone, refused, cidr4, cidr6 }) =>
      zone === instance.zone &&
      refused === undefined &&
      config.spec.families.every((family) => (family === 4 ? cidr4 : cidr6) !== undefined),
  );
}

/** Why {@link nearSubnets} are none, in a sentence without a full stop. */
export function whyNoneNear(config: PodSubnet, { cloudSubnets, tagged, instance }: Around): string {
  const all = cloudSubnetsOf(config, { subnets: cloudSubnets, tagged });
  const zones = [...new Set(all.flatMap(({ zone }) => zone ?? []))].toSorted().join(', ');
  return `of ${all.length} subnets that the cloud has of PodSubnet ${config.metadata.name} (${sayCloudSubnets(config)}) none in zone ${instance.zone} has what its Pods need${zones === '' ? '' : `; they are in ${zones}`}`;
}

/** Whether nothing more is asked of that subnet now: it had nothing left a while ago, and there are others. */
export function isKnownFull(subnet: SubnetId, config: PodSubnet, { fullSubnets }: Situation): boolean {
  return config.spec.cloudSubnets !== undefined && fullSubnets.has(subnet);
}

/** Where the next interface is made. `others`: intents of the same plan, which take addresses too. undefined: nowhere, and `obstacle` says why. */
export function nextSubnet(config: PodSubnet, situation: Situation, others: readonly NicIntent[]): CloudSubnet | undefined {
  const open = nearSubnets(config, situation).filter(({ id }) => !isKnownFull(id, config, situation));
  const left = ({ id, free4 }: CloudSubnet): number =>
    others.reduce((free, { cloudSubnet, want }) => (cloudSubnet === id ? free - worthOfNew(want) : free), free4);
  return open.toSorted((a, b) => left(b) - left(a) || (a.id < b.id ? -1 : 1))[0];
}

/** Its own address, and what it is born with. */
function worthOfNew({ addresses4 = 0, prefixes4 = 0 }: NicIntent['want']): number {
  return 1 + addresses4 + 16 * prefixes4;
}
