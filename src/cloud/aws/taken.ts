/** Why blocks by value were refused. EC2 has one code for an address of another interface, one outside of the subnet, and one that is its own. */
import type { Failure } from '../../errors/failure.ts';
import { type Cidr, overlaps, sayCidr } from '../../net/cidr.ts';
import type { NicId, SubnetId } from '../cloud.ts';
import { addressTaken } from '../wire/asked.ts';
import type { Left } from './ec2.ts';
import type { Refused } from './refused.ts';
import { type Aws, look } from './surroundings.ts';

/** Whether such a refusal may be about a block. */
export function isAboutBlocks({ code }: Refused): boolean {
  return code === 'InvalidParameterValue' || code === 'InvalidIPAddress.InUse' || code === 'InvalidParameterCombination';
}

/** What of the blocks is held already. */
export interface Held {
  /** These are on that very interface. */
  readonly own: readonly Cidr[];
  /** Somebody has a part of one that cannot be given: the failure. */
  readonly taken?: Failure;
}

/**
 * Who holds the blocks, by EC2's list of the subnet's interfaces (there is no filter for prefixes); asked only after a refusal. A primary address counts as
 * held by nobody: no one will ever give it back.
 */
export async function holders(
  blocks: readonly Cidr[],
  of: { readonly subnet: SubnetId; readonly nic?: NicId },
  { words }: Refused,
  { ec2 }: Aws,
  left: Left,
): Promise<Held> {
  const own: Cidr[] = [];
  for (const { nic } of await look('subnet-id', [of.subnet], ec2, left)) {
    const held = blocks.filter((block) => nic.blocks.some((one) => overlaps(one, block)));
    const same = nic.id === of.nic ? held.filter((block) => nic.blocks.includes(block)) : [];
    const [first] = held.filter((block) => !same.includes(block));
    if (first !== undefined) {
      return { own, taken: addressTaken({ cloud: 'aws', endpoint: 'ec2', call: '', object: nic.id }, words, sayCidr(first), nic.id) };
    }
    own.push(...same);
  }
  return { own };
}
