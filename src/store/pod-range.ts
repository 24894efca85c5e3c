/** PodSubnets with ranges, as src/cloud/range knows them. */
import type { NetworkRange, PodRange } from '../cloud/range/ranges.ts';
import type { PodSubnet } from './pod-subnet.ts';
import type { Range } from './range.ts';

/** undefined: it has a cloud subnet. `since`: when it was made, as a text that sorts. */
export function podRangeOf({ metadata: { name }, spec: { range, exclude } }: PodSubnet, since: string): PodRange | undefined {
  if (range === undefined) return undefined;
  const { parent, mtu, shared, ipv4, ipv6 } = range;
  return {
    podSubnet: name,
    since,
    parent,
    mtu,
    shared,
    exclude,
    ...(ipv4 !== undefined && { ipv4: networkOf(ipv4) }),
    ...(ipv6 !== undefined && { ipv6: networkOf(ipv6) }),
  };
}

function networkOf({ cidr, first, last, gateway }: NonNullable<Range['ipv4']>): NetworkRange {
  return { cidr, ...(first !== undefined && { first }), ...(last !== undefined && { last }), ...(gateway !== undefined && { gateway }) };
}
