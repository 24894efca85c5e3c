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

/** What of the PodSubnet's blocks others have, in a sentence; undefined: nothing. `earlier`: PodSubnets that go before it. */
export function takenBefore({ metadata, spec }: PodSubnet, earlier: readonly PodSubnet[]): string | undefined {
  for (const other of earlier) {
    if (other.metadata.name === metadata.name || spec.cloudSubnet === undefined || other.spec.cloudSubnet !== spec.cloudSubnet) continue;
    const shared = sharedBlock(spec, other.spec);
    if (shared !== undefined)
      return `${shared} of ${spec.cloudSubnet} is in the blocks of PodSubnet ${other.metadata.name} too (spec.within)`;
  }
  return undefined;
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
  const named = one.within ?? other.within ?? [];
  return named.find((block) => {
    const isInBoth = one.within === undefined || other.within === undefined || other.within.some((its) => overlaps(block, its));
    return isInBoth && !excluded.some((all) => containsCidr(all, block));
  });
}
