/** How a PodSubnet names subnets of the cloud: by ids, or by tags where the cloud has such. */
import { failure } from '../errors/failure.ts';
import type { SubnetId, SubnetsNamed, Tags } from './cloud.ts';

/** Whether it is by tags. */
export function areTags(named: SubnetsNamed): named is Tags {
  return !Array.isArray(named);
}

/** The ids, for a cloud that knows subnets by these alone. @throws Failure cloudInvalid for tags */
export function idsNamed(named: SubnetsNamed, cloud: string): readonly SubnetId[] {
  if (!areTags(named)) return named;
  const text = `this cloud's subnets cannot be found by the tags ${sayTags(named)}: name them by spec.cloudSubnets.ids of the PodSubnet`;
  throw failure('cloudInvalid', { cloud, call: 'subnets', text });
}

/** Tags as people write them. */
export function sayTags(tags: Tags): string {
  return Object.entries(tags)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}
