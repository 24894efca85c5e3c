/**
 * spec.within of a PodSubnet: the blocks of its cloud subnet that are its own.
 *
 * Invariants
 * - what lies outside counts as excluded wherever it matters which addresses Pods may get, so that no part of the program can forget it
 * - no two PodSubnets of one cloud subnet share a block, unless one of them excludes it; of those that would, the one that was there first has it
 */
import { aggregate, type Cidr, containsCidr, overlaps, sizeOf } from '../net/cidr.ts';
import { outside4 } from '../net/outside.ts';
import type { PodSubnet } from './pod-subnet.ts';

/** The parts of a PodSubnet's spec that decide it. */
type Bounds = Pick<PodSubnet['spec'], 'exclude' | 'within'>;

/** Each list is read once, and parsed objects are not changed. */
const outsides = new WeakMap<readonly Cidr[], readonly Cidr[]>();

/** Addresses and blocks that no Pod gets: those of spec.exclude, and of IPv4 all that lies outside of spec.within. */
export function excludedOf({ exclude, within }: Bounds): readonly Cidr[] {
  if (within === undefined) return exclude;
  const outside = outsides.get(within) ?? outside4(within);
  outsides.set(within, outside);
  return [...exclude, ...outside];
}

/** IPv4 addresses that its blocks have, less what it excludes; undefined: it has the whole subnet. */
export function sizeOfBlocks({ within, exclude }: Bounds): number | undefined {
  if (within === undefined) return undefined;
  const usable = outside4([...exclude, ...outside4(within)]);
  return usable.reduce((sum, block) => sum + Number(sizeOf(block)), 0);
}

/** By the names of PodSubnets that name their subnets of the cloud by tags: which these are now. */
export type FoundByTags = ReadonlyMap<string, readonly string[]>;

/**
 * What of the PodSubnet's blocks others have, in a sentence; undefined: nothing. `earlier`: PodSubnets that go before it. `found`: without it those that name
 * subnets by tags have none in common with others, as far as anybody knows.
 */
export function takenBefore(
  { metadata, spec }: PodSubnet,
  earlier: readonly PodSubnet[],
  found: FoundByTags = new Map(),
): string | undefined {
  const own = idsOf(spec, found.get(metadata.name));
  for (const other of earlier) {
    const id = idsOf(other.spec, found.get(other.metadata.name)).find((one) => own.includes(one));
    if (other.metadata.name === metadata.name || id === undefined) continue;
    const shared = sharedBlock(spec, other.spec);
    if (shared !== undefined) return `${shared} of ${id} is in the blocks of PodSubnet ${other.metadata.name} too (spec.within)`;
  }
  return undefined;
}

/** The cloud's IPv4 subnets that it names: of a pair of OpenStack's, which is written ID4+ID6, the first. */
function idsOf({ cloudSubnet, cloudSubnets }: PodSubnet['spec'], found: readonly string[] = []): string[] {
  const several = cloudSubnets?.tags === undefined ? cloudSubnets?.ids : found;
  const names = [...(cloudSubnet === undefined ? [] : [cloudSubnet]), ...(several ?? [])];
  return names.map((name) => name.split('+', 1).join(''));
}

/** Which of its blocks its cloud subnet does not have, in a sentence; undefined: none. `cidr4`: what the cloud says of it. */
export function blocksBeyond({ spec: { within, cloudSubnet } }: PodSubnet, cidr4: Cidr | undefined): string | undefined {
  const beyond = within?.filter((block) => cidr4 === undefined || !containsCidr(cidr4, block)) ?? [];
  if (beyond.length === 0) return undefined;
  return `${beyond.join(', ')} of spec.within: cloud subnet ${cloudSubnet ?? ''} has ${cidr4 ?? 'no IPv4 addresses'}`;
}

/** Two that name no blocks share the subnet, as the cloud gives each address once; one that names some has these for itself. */
function sharedBlock(one: Bounds, other: Bounds): Cidr | undefined {
  const excluded = aggregate([...one.exclude, ...other.exclude]);
  return inBoth(one.within, other.within).find((block) => !excluded.some((all) => containsCidr(all, block)));
}

/** undefined: all of the subnet. Of two blocks that overlap one lies in the other. */
function inBoth(one: readonly Cidr[] | undefined, other: readonly Cidr[] | undefined): readonly Cidr[] {
  if (one === undefined || other === undefined) return one ?? other ?? [];
  return one.flatMap((block) => other.filter((its) => overlaps(block, its)).map((its) => (containsCidr(block, its) ? its : block)));
}
