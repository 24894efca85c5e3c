/** What a PodSubnet is to whoever hands out addresses. */
import type { SubnetId } from '../cloud/cloud.ts';
import { rangeSubnet } from '../cloud/range/ids.ts';
import type { PodSubnet } from './pod-subnet.ts';

/** The cloud's subnet, or the one that stands for its range. The schema checks that a cloud's id is text; what it means only the cloud knows. */
export function subnetIdOf({ metadata, spec: { cloudSubnet } }: Pick<PodSubnet, 'metadata' | 'spec'>): SubnetId {
  return cloudSubnet === undefined ? rangeSubnet(metadata.name) : (cloudSubnet as SubnetId);
}
