/** The rules of giving blocks to a NIC: free in the subnet, and within the slots of the instance type. */
import type { InstanceLimits } from '../../cloud/cloud.ts';
import { type Cidr, containsCidr, firstOf } from '../../net/cidr.ts';
import { freeBlocks, PREFIX4, PREFIX6, slotsOf } from './addresses.ts';
import { notYetHeld } from './by-value.ts';
import type { Nic, State, Subnet } from './objects.ts';
import { limitsOf, subnetOf } from './find.ts';
import { Refusal } from './refusal.ts';

/** What a detached NIC may hold; attaching asks the instance's type again. */
const DETACHED: InstanceLimits = { nics: 0, addressSlotsPerNic: 256, ipv6SlotsPerNic: 256 };

/** How many blocks of each kind. */
interface Counts {
  readonly addresses4: number;
  readonly prefixes4: number;
  readonly prefixes6: number;
}

/** Blocks by number, and blocks by value that do not overlap each other. */
export interface Wanted extends Counts {
  readonly these?: readonly Cidr[] | undefined;
  /** Where IPv4 blocks by number are to be; undefined: anywhere in the subnet. */
  readonly within?: readonly Cidr[] | undefined;
}

/** The NIC with a primary address of each family its subnet has, beside the blocks it already has. @throws Refusal SubnetFull. */
export function withPrimaries(before: State, subnet: Subnet, nic: Nic): Nic {
  const state = including(before, nic);
  let result = nic;
  for (const [cidr, length, key] of [[subnet.cidr4, 32, 'primary4'] as const, [subnet.cidr6, 128, 'primary6'] as const]) {
    if (cidr === undefined) continue;
    const [block] = take(state, subnet, cidr, length, 1);
    if (block !== undefined) result = { ...result, [key]: firstOf(block) };
  }
  return result;
}

/**
 * The NIC with the wanted blocks, and those of them that are new: by value first. `nic` itself must be in the state, so that its own addresses count
 * as taken.
 * @throws Refusal AddressSlotLimit, Ipv6SlotLimit, NoIpv6, SubnetFull, NoAlignedPrefix, AddressTaken, InvalidParameter.
 */
export function withBlocks(state: State, nic: Nic, want: Wanted): { nic: Nic; added: Cidr[] } {
  const subnet = subnetOf(state, nic.subnet);
  if (want.prefixes6 > 0 && subnet.cidr6 === undefined) {
    throw new Refusal('NoIpv6', `subnet ${subnet.id} has no IPv6 block`, 'ask for IPv4, or use a subnet with cidr6');
  }
  const instance = nic.attachment === undefined ? undefined : state.instance.get(nic.attachment.instance);
  const added = notYetHeld(state, subnet, nic, want.these ?? []);
  let grown: Nic = { ...nic, blocks: [...nic.blocks, ...added] };
  checkSlots(grown, instance === undefined ? DETACHED : limitsOf(state, instance), want);
  // Prefixes first: single addresses would break up the aligned room.
  for (const [cidr, length, count] of [
    [subnet.cidr4, PREFIX4, want.prefixes4] as const,
    [subnet.cidr4, 32, want.addresses4] as const,
    [subnet.cidr6, PREFIX6, want.prefixes6] as const,
  ]) {
    if (count === 0) continue;
    if (cidr === undefined)
      throw new Refusal('SubnetFull', `subnet ${subnet.id} has no IPv4 block`, 'ask for IPv6, or use a subnet with cidr4');
    const blocks = take(including(state, grown), subnet, cidr, length, count, cidr === subnet.cidr4 ? want.within : undefined);
    added.push(...blocks);
    grown = { ...grown, blocks: [...grown.blocks, ...blocks] };
  }
  return { nic: grown, added };
}

/** @throws Refusal AddressSlotLimit, Ipv6SlotLimit when the NIC with `want` on top would take more slots than the limits have. */
export function checkSlots(nic: Nic, limits: InstanceLimits, want: Counts = { addresses4: 0, prefixes4: 0, prefixes6: 0 }): void {
  const four = slotsOf(nic, 4) + want.addresses4 + want.prefixes4;
  const six = slotsOf(nic, 6) + want.prefixes6;
  if (four > limits.addressSlotsPerNic) {
    throw new Refusal(
      'AddressSlotLimit',
      `${nic.id} would take ${four} of ${limits.addressSlotsPerNic} address slots`,
      'use another NIC, prefixes, or a larger instance type',
    );
  }
  if (six > limits.ipv6SlotsPerNic) {
    throw new Refusal(
      'Ipv6SlotLimit',
      `${nic.id} would take ${six} of ${limits.ipv6SlotsPerNic} IPv6 slots`,
      'use another NIC or a larger instance type',
    );
  }
}

function take(state: State, subnet: Subnet, cidr: Cidr, length: number, count: number, within?: readonly Cidr[]): Cidr[] {
  const isWithin = (block: Cidr): boolean => within?.some((one) => containsCidr(one, block)) !== false;
  // Of a bounded choice all there is has to be looked at.
  const free = freeBlocks(state, subnet, cidr, length, within === undefined ? count : Number.POSITIVE_INFINITY);
  const blocks = free.filter(isWithin).slice(0, count);
  if (blocks.length === count) return blocks;
  const single = length === 32 || length === 128;
  throw new Refusal(
    single ? 'SubnetFull' : 'NoAlignedPrefix',
    `subnet ${subnet.id} (${within?.join(', ') ?? cidr}) has ${blocks.length} free ${single ? 'addresses' : `aligned /${length} blocks`} of ${count} wanted`,
    single ? 'give addresses back, or use another subnet' : 'single addresses may still be free; reserve a subnet for prefixes',
  );
}

/** The state as it would be with this NIC. */
function including(state: State, nic: Nic): State {
  return { ...state, nic: new Map([...state.nic, [nic.id, nic]]) };
}
