/** Assigning and unassigning addresses and prefixes: of one kind a call, all or none. */
import type { NicId } from '../../../cloud/cloud.ts';
import { bitsOf } from '../../../net/address.ts';
import { type Cidr, cidrFamily, firstOf, hostCidr, lengthOf } from '../../../net/cidr.ts';
import type { Disturbance } from '../../calls/call.ts';
import type { Nic, State } from '../../model/objects.ts';
import type { Transaction } from '../../model/model.ts';
import { eniOf, nicIdOf } from '../ids.ts';
import { factsOf, noteFacts } from '../notes.ts';
import { invalid, notTogether, Refused } from '../refused.ts';
import { type Action, changes, done, ownCall } from './action.ts';
import { addressIn, oneKind, prefixIn, singles6 } from './blocks.ts';
import { hasPrimary6, holdingsOf } from './interface-shown.ts';
import { knownNic } from './interfaces.ts';

interface Want {
  readonly addresses4?: number | undefined;
  readonly prefixes4?: number | undefined;
  readonly prefixes6?: number | undefined;
  readonly these?: readonly Cidr[];
}

/** The actions of this file. */
export const addressActions: readonly Action[] = [
  changes('AssignPrivateIpAddresses', 'AssignAddresses', (parameters) => {
    const id = nicIdOf(parameters.needed('NetworkInterfaceId'));
    const addresses = parameters.texts('PrivateIpAddress').map((text) => hostCidr(addressIn(text, 4)));
    const prefixes = parameters.texts('Ipv4Prefix').map((text) => prefixIn(text, 4));
    const addresses4 = parameters.whole('SecondaryPrivateIpAddressCount', 1, 1000);
    const prefixes4 = parameters.whole('Ipv4PrefixCount', 1, 1000);
    const mayTake = parameters.flag('AllowReassignment') ?? false;
    oneOnly('IPv4', addresses.length > 0, addresses4 !== undefined, prefixes.length > 0, prefixes4 !== undefined);
    return (transaction, setting, disturbance) => {
      const nic = knownNic(transaction.state, id, setting);
      if (mayTake) takeFromOthers(transaction, nic, addresses);
      const these = [...addresses, ...prefixes];
      const given = assign(transaction, id, { addresses4, prefixes4, these }, disturbance);
      return {
        networkInterfaceId: eniOf(id),
        assignedPrivateIpAddressesSet: given.filter(isSingle).map((block) => ({ privateIpAddress: firstOf(block) })),
        assignedIpv4PrefixSet: given.filter((block) => !isSingle(block)).map((ipv4Prefix) => ({ ipv4Prefix })),
      };
    };
  }),
  changes('AssignIpv6Addresses', 'AssignAddresses', (parameters) => {
    const id = nicIdOf(parameters.needed('NetworkInterfaceId'));
    const addresses = parameters.texts('Ipv6Addresses').map((text) => hostCidr(addressIn(text, 6)));
    const prefixes = parameters.texts('Ipv6Prefix').map((text) => prefixIn(text, 6));
    const count = parameters.whole('Ipv6AddressCount', 1, 1000);
    const prefixes6 = parameters.whole('Ipv6PrefixCount', 1, 1000);
    oneOnly('IPv6', addresses.length > 0, count !== undefined, prefixes.length > 0, prefixes6 !== undefined);
    return (transaction, setting, disturbance) => {
      const { state } = transaction;
      const nic = knownNic(state, id, setting);
      const chosen = singles6(state, nic, count ?? 0);
      const had = holdingsOf(state, nic);
      const shown = addresses.filter((block) => firstOf(block) === nic.primary6);
      // The model had it all the time, as an address that nobody had asked for.
      if (shown.length > 0 && factsOf(state, id).ipv6 === 'hidden') noteFacts(transaction, id, { ipv6: 'plain' });
      const these = [...addresses.filter((block) => !shown.includes(block)), ...prefixes, ...chosen];
      const rest = these.length > 0 || prefixes6 !== undefined ? assign(transaction, id, { prefixes6, these }, disturbance) : [];
      // Addresses that were there before the request are not told again.
      const fresh = [...shown, ...rest].filter((block) => !had.addresses6.includes(firstOf(block)) && !had.prefixes6.includes(block));
      return {
        networkInterfaceId: eniOf(id),
        assignedIpv6Addresses: fresh.filter(isSingle).map(firstOf),
        assignedIpv6PrefixSet: fresh.filter((block) => !isSingle(block)),
      };
    };
  }),
  changes('UnassignPrivateIpAddresses', 'UnassignAddresses', (parameters) => {
    const id = nicIdOf(parameters.needed('NetworkInterfaceId'));
    const addresses = parameters.texts('PrivateIpAddress').map((text) => hostCidr(addressIn(text, 4)));
    const prefixes = parameters.texts('Ipv4Prefix').map((text) => prefixIn(text, 4));
    oneOnly('IPv4', addresses.length > 0, prefixes.length > 0);
    return (transaction, setting, disturbance) => {
      const nic = knownNic(transaction.state, id, setting);
      const { addresses4 } = holdingsOf(transaction.state, nic);
      const primary = addresses.map(firstOf).find((ip) => ip === nic.primary4);
      if (primary !== undefined) throw invalid(`The following private IP addresses are primary and cannot be unassigned: ${primary}`);
      const missing = [
        ...addresses.map(firstOf).filter((ip) => !addresses4.includes(ip)),
        ...prefixes.filter((one) => !nic.blocks.includes(one)),
      ];
      if (missing.length > 0) throw invalid(`Some of [${missing.join(', ')}] are not assigned to interface ${eniOf(id)}`);
      ownCall('UnassignAddresses', transaction, id, { blocks: [...addresses, ...prefixes] }, disturbance);
      return done;
    };
  }),
  changes('UnassignIpv6Addresses', 'UnassignAddresses', (parameters) => {
    const id = nicIdOf(parameters.needed('NetworkInterfaceId'));
    const addresses = parameters.texts('Ipv6Addresses').map((text) => hostCidr(addressIn(text, 6)));
    const prefixes = parameters.texts('Ipv6Prefix').map((text) => prefixIn(text, 6));
    oneOnly('IPv6', addresses.length > 0, prefixes.length > 0);
    return (transaction, setting, disturbance) => {
      const { state } = transaction;
      const nic = knownNic(state, id, setting);
      const held = holdingsOf(state, nic);
      const blocks = [...addresses, ...prefixes];
      const missing = blocks.filter((block) => !held.addresses6.includes(firstOf(block)) && !held.prefixes6.includes(block));
      if (missing.length > 0) throw invalid(`Some of [${missing.join(', ')}] are not assigned to interface ${eniOf(id)}`);
      const first = addresses.find((block) => firstOf(block) === nic.primary6);
      if (first !== undefined && hasPrimary6(state, nic))
        throw new Refused('OperationNotPermitted', `${firstOf(first)} is the primary IPv6 address`);
      // The model keeps the address as the one that the others are routed by; EC2 shows it no more.
      if (first !== undefined) noteFacts(transaction, id, { ...factsOf(state, id), ipv6: 'hidden' });
      const rest = blocks.filter((block) => block !== first);
      if (rest.length > 0) ownCall('UnassignAddresses', transaction, id, { blocks: rest }, disturbance);
      return {
        networkInterfaceId: eniOf(id),
        unassignedIpv6Addresses: addresses.map(firstOf),
        unassignedIpv6PrefixSet: prefixes,
      };
    };
  }),
];

/** The blocks by value and those counted, whether they are new or were there. */
function assign(transaction: Transaction, id: NicId, want: Want, disturbance: Disturbance): Cidr[] {
  const given = Object.entries(want).filter(([, value]) => value !== undefined);
  const before = new Set(transaction.state.nic.get(id)?.blocks);
  ownCall('AssignAddresses', transaction, id, { want: Object.fromEntries(given) }, disturbance);
  const fresh = (transaction.state.nic.get(id)?.blocks ?? []).filter((block) => !before.has(block));
  return [...new Set([...(want.these ?? []), ...fresh])];
}

/** AllowReassignment: secondary addresses of other interfaces of the subnet change hands. */
function takeFromOthers(transaction: Transaction, nic: Nic, addresses: readonly Cidr[]): void {
  for (const other of othersWith(transaction.state, nic, addresses)) {
    transaction.put('nic', { ...other, blocks: other.blocks.filter((block) => !addresses.includes(block)) });
  }
}

function othersWith(state: State, nic: Nic, addresses: readonly Cidr[]): Nic[] {
  return [...state.nic.values()].filter(
    ({ id, subnet, blocks }) => id !== nic.id && subnet === nic.subnet && blocks.some((block) => addresses.includes(block)),
  );
}

function isSingle(block: Cidr): boolean {
  return lengthOf(block) === bitsOf(cidrFamily(block));
}

function oneOnly(what: string, ...given: readonly boolean[]): void {
  oneKind(what, ...given);
  if (!given.includes(true)) throw notTogether(`${what} addresses or prefixes must be specified`);
}
