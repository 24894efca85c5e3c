/** Which PodSubnet serves a configuration of the IPAM plugin: the one that it names, or the one whose range whereabouts' section has. */
import type { IpamConfig, LeaseSet } from '../../cni/ipam/config.ts';
import { failure } from '../../errors/failure.ts';
import { addressAt, cidrFamily, contains, sizeOf } from '../../net/cidr.ts';
import { type AddressRange, isInRange, rangesOverlap, sayRange } from '../../net/range.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';

/** One of those that this node knows, with a range. @throws Failure ipamSubnetUnknown, rangeNotShared. */
export function whichSubnet(config: IpamConfig, known: readonly PodSubnet[]): PodSubnet {
  return config.subnet === undefined ? withRanges(config, known) : called(config.subnet, known);
}

function called(subnet: string, known: readonly PodSubnet[]): PodSubnet {
  const found = known.find(({ metadata }) => metadata.name === subnet);
  const names = known.filter(({ spec }) => spec.range !== undefined).map(({ metadata }) => metadata.name);
  if (found === undefined)
    throw failure('ipamSubnetUnknown', {
      subnet,
      reason: `there is none of that name; those with a range are: ${names.join(', ') || 'none'}`,
    });
  if (found.spec.range === undefined)
    throw failure('ipamSubnetUnknown', {
      subnet,
      reason: 'it is one of the cloud, whose addresses go with interfaces that only the main plugin flatpod knows',
    });
  return found;
}

/** One that has all of the sets, and nothing that the section keeps from Pods. */
function withRanges({ sets }: IpamConfig, known: readonly PodSubnet[]): PodSubnet {
  const wanted = sets.map(({ name }) => name).join(', ');
  const found = known.find(
    (subnet) => sets.every((set) => networkOf(subnet, set) !== undefined) && subnet.spec.families.length === sets.length,
  );
  if (found === undefined) throw failure('rangeNotShared', { ranges: wanted, problem: 'no PodSubnet has just these ranges' });
  const problem = sets.flatMap((set) => givenBesides(found, set))[0];
  if (problem === undefined) return found;
  throw failure('rangeNotShared', { ranges: wanted, problem: `PodSubnet ${found.metadata.name} has them, but may give ${problem}` });
}

/** The PodSubnet's network of the set's family, when it is the set's. */
function networkOf({ spec: { range } }: PodSubnet, { ranges }: LeaseSet) {
  const [set] = ranges;
  if (set === undefined) return undefined;
  const network = cidrFamily(set.subnet) === 4 ? range?.ipv4 : range?.ipv6;
  return network?.cidr === set.subnet ? network : undefined;
}

/** What Pods could get of the PodSubnet although the section does not let them, in words. */
function givenBesides(subnet: PodSubnet, set: LeaseSet): string[] {
  const [network, [range]] = [networkOf(subnet, set), set.ranges];
  if (network === undefined || range === undefined) return [];
  // An end that is not written is the first or last address there is, as whereabouts has it too.
  const { subnet: cidr } = range;
  const given: AddressRange = { first: network.first ?? addressAt(cidr, 1), last: network.last ?? addressAt(cidr, sizeOf(cidr) - 2n) };
  const outside = [given.first, given.last]
    .filter((end) => !isInRange(range, end))
    .map((end) => `${end}, which lies outside of ${sayRange(range)}`);
  const kept = (skip: AddressRange): boolean =>
    !rangesOverlap(given, skip) ||
    (skip.first === skip.last && skip.first === network.gateway) ||
    subnet.spec.exclude.some((block) => contains(block, skip.first) && contains(block, skip.last));
  return [...outside, ...range.skip.filter((skip) => !kept(skip)).map((skip) => `${sayRange(skip)}, which the section excludes`)];
}
