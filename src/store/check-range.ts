/** Mistakes about ranges that no field has by itself. The rules of the CRD (pod-subnet.ts, range.ts) say the same. */
import { compareIps, type Ip } from '../net/address.ts';
import { cidrFamily, contains, lengthOf } from '../net/cidr.ts';
import type { Key } from './config-problem.ts';
import type { Clash } from './cross-checks.ts';
import type { PodSubnet } from './pod-subnet.ts';
import type { Range } from './range.ts';

/** IPv6 is given to nodes by /80. */
const SHORTEST_V6 = 80;

/** A PodSubnet has a cloud subnet or a range; and a range has what its Pods need, and nothing that only a cloud has. */
export function checkRange(subnet: PodSubnet): Clash<PodSubnet>[] {
  const { cloudSubnet, cloudSubnets, perNode, range, datapath, fallback, unit, securityGroups, families } = subnet.spec;
  const clash = (path: readonly Key[], what: string, remedy: string): Clash<PodSubnet> => ({
    object: subnet,
    path: ['spec', ...path],
    what,
    remedy,
  });
  if (range === undefined) {
    if (cloudSubnet !== undefined && cloudSubnets !== undefined)
      return [clash(['cloudSubnets'], 'does not go with cloudSubnet', 'name that one among the others, and remove cloudSubnet')];
    return cloudSubnet === undefined && cloudSubnets === undefined
      ? [clash(['cloudSubnet'], 'is missing', 'name a subnet of the cloud, or write range for a network without one')]
      : [];
  }
  const isChild = datapath === 'ipvlan' || datapath === 'macvlan';
  const cloudly = 'does not go with range, which no cloud knows';
  return [
    ...(cloudSubnet === undefined ? [] : [clash(['cloudSubnet'], cloudly, 'remove one of them')]),
    ...(cloudSubnets === undefined ? [] : [clash(['cloudSubnets'], cloudly, 'remove one of them')]),
    ...(perNode.interfaces === undefined ? [] : [clash(['perNode', 'interfaces'], cloudly, 'leave it out')]),
    ...(isChild ? [] : [clash(['datapath'], `${datapath} does not go with range`, 'write ipvlan or macvlan')]),
    ...(fallback === 'routed-veth' ? [clash(['fallback'], 'routed-veth does not go with range', 'write ipvlan or macvlan')] : []),
    ...(unit === 'prefix' ? [clash(['unit'], 'does not go with range: nodes get 16 addresses at a time', 'leave it out')] : []),
    ...(securityGroups.length > 0 ? [clash(['securityGroups'], cloudly, 'leave them out')] : []),
    ...([4, 6] as const).flatMap((family) => ofFamily(range, family, families.includes(family), clash)),
  ];
}

function ofFamily(
  range: Range,
  family: 4 | 6,
  isWanted: boolean,
  clash: (path: readonly Key[], what: string, remedy: string) => Clash<PodSubnet>,
): Clash<PodSubnet>[] {
  const key = `ipv${family}` as const;
  const found = range[key];
  if (found === undefined) return isWanted ? [clash(['range', key], 'is missing', `write it, or take ${family} out of families`)] : [];
  const say = (name: string, what: string, remedy: string): Clash<PodSubnet> => clash(['range', key, name], what, remedy);
  const { cidr, first, last } = found;
  if (cidrFamily(cidr) !== family) return [say('cidr', `${cidr} is no IPv${family} block`, `write it below ipv${family === 4 ? 6 : 4}`)];
  const outside = (['first', 'last', 'gateway'] as const).flatMap((name) => {
    const ip: Ip | undefined = found[name];
    return ip === undefined || contains(cidr, ip) ? [] : [say(name, `${ip} lies outside of ${cidr}`, 'correct one of them')];
  });
  return [
    ...(isWanted
      ? []
      : [clash(['range', key], `does not go with families, which have no ${family}`, `add ${family} to families, or leave it out`)]),
    ...outside,
    ...(first !== undefined && last !== undefined && compareIps(first, last) > 0
      ? [say('last', `${last} comes before first, which is ${first}`, 'correct one of them')]
      : []),
    ...(family === 6 && lengthOf(cidr) > SHORTEST_V6
      ? [say('cidr', `${cidr} is smaller than a /80, of which a node gets a whole one`, 'write the whole network, such as a /64')]
      : []),
  ];
}
