/** What a PodSubnet is to whoever hands out addresses. */
import type { SubnetId, SubnetsNamed } from '../cloud/cloud.ts';
import { areTags, sayTags } from '../cloud/named.ts';
import { rangeSubnet } from '../cloud/range/ids.ts';
import type { PodSubnet } from './pod-subnet.ts';

/**
 * The cloud's subnets that it names, or the one that stands for its range. The schema checks that a cloud's id is text; what it means only the cloud knows.
 */
export function subnetsNamed(podSubnet: Pick<PodSubnet, 'metadata' | 'spec'>): SubnetsNamed {
  const { cloudSubnets } = podSubnet.spec;
  if (cloudSubnets?.tags !== undefined) return cloudSubnets.tags;
  if (cloudSubnets?.ids !== undefined) return cloudSubnets.ids as SubnetId[];
  return [subnetIdOf(podSubnet)];
}

/** The same for people. */
export function sayCloudSubnets(podSubnet: Pick<PodSubnet, 'metadata' | 'spec'>): string {
  const named = subnetsNamed(podSubnet);
  return areTags(named) ? `those with ${sayTags(named)}` : named.join(', ');
}

/** The cloud's subnet, or the one that stands for its range. The schema checks that a cloud's id is text; what it means only the cloud knows. */
export function subnetIdOf({ metadata, spec: { cloudSubnet } }: Pick<PodSubnet, 'metadata' | 'spec'>): SubnetId {
  return cloudSubnet === undefined ? rangeSubnet(metadata.name) : (cloudSubnet as SubnetId);
}
