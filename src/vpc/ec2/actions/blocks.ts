/** Reading addresses and prefixes, and choosing free IPv6 addresses, which the model gives by value alone. */
import { bitsOf, type Family, familyOf, type Ip, tryParseIp } from '../../../net/address.ts';
import { type Cidr, cidrFamily, lengthOf, tryParseCidr } from '../../../net/cidr.ts';
import { freeBlocks } from '../../model/addresses.ts';
import { subnetOf } from '../../model/find.ts';
import type { Nic, State } from '../../model/objects.ts';
import { invalid, notTogether, Refused } from '../refused.ts';

/** An address of that family. @throws Refused InvalidParameterValue. */
export function addressIn(text: string, family: Family): Ip {
  const ip = tryParseIp(text);
  if (ip === undefined || familyOf(ip) !== family) throw invalid(`Invalid IPv${family} address: '${text}'`);
  return ip;
}

/** A prefix of the one length that EC2 has for the family. @throws Refused InvalidParameterValue. */
export function prefixIn(text: string, family: Family): Cidr {
  const cidr = tryParseCidr(text);
  if (cidr === undefined || cidrFamily(cidr) !== family || lengthOf(cidr) !== (family === 4 ? 28 : 80))
    throw invalid(`Invalid IPv${family} prefix: '${text}'`);
  return cidr;
}

/** @throws Refused InvalidParameterCombination when more than one of the ways is taken. */
export function oneKind(what: string, ...given: readonly boolean[]): void {
  if (given.filter(Boolean).length > 1)
    throw notTogether(`Only one of ${what} addresses, a count of addresses, prefixes and a count of prefixes can be specified`);
}

/** `count` free single IPv6 addresses of the NIC's subnet. `nic` is in the state. @throws Refused. */
export function singles6(state: State, nic: Nic, count: number): Cidr[] {
  const subnet = subnetOf(state, nic.subnet);
  if (count === 0) return [];
  if (subnet.cidr6 === undefined) throw invalid(`The subnet ${subnet.id} has no IPv6 CIDR block`);
  const found = freeBlocks(state, subnet, subnet.cidr6, bitsOf(6), count);
  if (found.length === count) return found;
  throw new Refused(
    'InsufficientFreeAddressesInSubnet',
    'The specified subnet does not have enough free addresses to satisfy the request.',
  );
}
