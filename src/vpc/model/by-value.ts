/** Blocks asked for by value: which of them may a NIC have? Pure. */
import { bitsOf, type Family } from '../../net/address.ts';
import { type Cidr, cidrFamily, containsCidr, firstOf, hostCidr, lengthOf } from '../../net/cidr.ts';
import { blocksOf, type Interval, intervalOf, reservedIn } from './addresses.ts';
import type { Nic, State, Subnet } from './objects.ts';
import { Refusal } from './refusal.ts';

/** The parameter that all of these refusals are about. */
const FIELD = 'want.these';

/**
 * Those of the blocks that the NIC does not hold yet, every one of them free. Blocks of `these` must not overlap each other.
 * @throws Refusal InvalidParameter, NoIpv6, AddressTaken.
 */
export function notYetHeld(state: State, subnet: Subnet, nic: Nic, these: readonly Cidr[]): Cidr[] {
  const missing = these.filter((block) => !nic.blocks.includes(block));
  if (missing.length === 0) return [];
  const held = heldIn(state, subnet);
  for (const block of missing) {
    checkPlace(subnet, block);
    checkFree(block, held);
  }
  return missing;
}

interface Held extends Interval {
  readonly family: Family;
  readonly block: Cidr;
  readonly nic: Nic;
}

function heldIn(state: State, subnet: Subnet): Held[] {
  const nics = [...state.nic.values()].filter((nic) => nic.subnet === subnet.id);
  return nics.flatMap((nic) => blocksOf(nic).map((block) => ({ block, nic, family: cidrFamily(block), ...intervalOf(block) })));
}

/** Within the subnet, and nothing the VPC keeps for itself. */
function checkPlace(subnet: Subnet, block: Cidr): void {
  const cidr = cidrFamily(block) === 4 ? subnet.cidr4 : subnet.cidr6;
  if (cidr === undefined && cidrFamily(block) === 6) {
    throw new Refusal('NoIpv6', `subnet ${subnet.id} has no IPv6 block`, 'ask for IPv4, or use a subnet with cidr6', FIELD);
  }
  if (cidr === undefined || !containsCidr(cidr, block)) {
    const place = cidr ?? 'which has no IPv4 block';
    throw invalid(`${shown(block)} is outside of subnet ${subnet.id} (${place})`, 'ask for an address of the subnet of the NIC');
  }
  const reserved = reservedIn(cidr, block);
  if (reserved === undefined) return;
  throw invalid(
    `${within(block, hostCidr(reserved.ip))} is ${reserved.is} subnet ${subnet.id}`,
    'the first four addresses of a subnet and its last are never given',
  );
}

/** No primary address, and no part of what any NIC holds. */
function checkFree(block: Cidr, held: readonly Held[]): void {
  const { first, last } = intervalOf(block);
  const family = cidrFamily(block);
  const touched = held.filter((one) => one.family === family && one.first <= last && one.last >= first);
  const primary = touched.find((one) => !one.nic.blocks.includes(one.block));
  if (primary !== undefined) {
    throw invalid(`${within(block, primary.block)} is the primary address of ${primary.nic.id}`, 'a primary address goes with its NIC');
  }
  const [taken] = touched;
  if (taken === undefined) return;
  const [address, other, holder] = [shown(block), shown(taken.block), taken.nic.id];
  throw new Refusal(
    'AddressTaken',
    `${address} is taken: ${holder} holds ${other === address ? 'it' : other}`,
    `unassign ${other} from ${holder} first, or ask for another`,
    FIELD,
    { address, holder },
  );
}

function invalid(message: string, remedy: string): Refusal {
  return new Refusal('InvalidParameter', message, remedy, FIELD);
}

/** The start of a sentence about a part of the block, or about all of it. */
function within(block: Cidr, part: Cidr): string {
  return block === part ? shown(block) : `${shown(block)} holds ${shown(part)}, which`;
}

/** An address alone without its length. */
function shown(block: Cidr): string {
  return lengthOf(block) === bitsOf(cidrFamily(block)) ? firstOf(block) : block;
}
