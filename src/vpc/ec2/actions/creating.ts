/** CreateNetworkInterface: addresses by count or by value, of one kind a family; the same token gives the same interface. */
import type { Ip } from '../../../net/address.ts';
import { type Cidr, contains, hostCidr } from '../../../net/cidr.ts';
import { withBlocks } from '../../model/assign.ts';
import { notYetHeld } from '../../model/by-value.ts';
import type { Nic } from '../../model/objects.ts';
import type { Transaction } from '../../model/model.ts';
import { defaultGroup } from '../../calls/groups.ts';
import { makeNic, type NewNic } from '../../calls/nics.ts';
import { once } from '../../calls/token.ts';
import { eniOf, groupIdOf, groupIn, nicIn, subnetIn } from '../ids.ts';
import { factsOf, noteFacts, tidyNotes } from '../notes.ts';
import type { Parameters } from '../parameters.ts';
import { invalid, notTogether, Refused } from '../refused.ts';
import { type Action, changes } from './action.ts';
import { addressIn, oneKind, prefixIn, singles6 } from './blocks.ts';
import { shownInterface } from './interface-shown.ts';
import { tagSpecifications } from './tag-sets.ts';

/** What a new interface is to have. */
export interface Wish {
  readonly primary4: Ip | undefined;
  /** Further single addresses and prefixes by value. */
  readonly these: readonly Cidr[];
  readonly addresses4: number;
  readonly prefixes4: number;
  /** undefined: not said, so the subnet decides. */
  readonly addresses6: number | undefined;
  readonly these6: readonly Ip[];
  readonly prefixes6: number;
  readonly isPrimary6: boolean;
}

/** The action of this file. */
export const creatingActions: readonly Action[] = [
  changes(
    'CreateNetworkInterface',
    'CreateNic',
    (parameters) => {
      const request = {
        clientToken: parameters.text('ClientToken'),
        subnet: parameters.needed('SubnetId'),
        description: parameters.text('Description') ?? '',
        groups: parameters.texts('SecurityGroupId').map(groupIdOf),
        type: parameters.text('InterfaceType') ?? 'interface',
        tags: tagSpecifications(parameters, 'network-interface')['network-interface'] ?? {},
        wish: wishIn(parameters),
      };
      if (!['interface', 'trunk'].includes(request.type)) throw invalid(`Interface type '${request.type}' is not supported here`);
      return (transaction, setting) => {
        const { state } = transaction;
        tidyNotes(transaction);
        const subnet = subnetIn(state, request.subnet);
        for (const group of request.groups) groupIn(state, group, 'InvalidSecurityGroupID.NotFound');
        const id = once(transaction, 'CreateNetworkInterface', request, 'nic', () => {
          const { description, tags, type } = request;
          const securityGroups = request.groups.length > 0 ? request.groups : [defaultGroup(state).id];
          const nic = { subnet: subnet.id, securityGroups, tags, description, isTrunk: type === 'trunk' };
          return makeInterface(transaction, nic, request.wish).id;
        });
        const networkInterface = shownInterface(state, nicIn(state, id), setting);
        return { networkInterface, ...(request.clientToken !== undefined && { clientToken: request.clientToken }) };
      };
    },
    { AddressTaken: 'InvalidIPAddress.InUse' },
  ),
];

/** What a request wishes: of each family only addresses or prefixes, and those only by count or by value. @throws Refused. */
export function wishIn(parameters: Parameters): Wish {
  const listed = parameters
    .items('PrivateIpAddresses')
    .map((one) => ({ ip: addressIn(one.needed('PrivateIpAddress'), 4), primary: one.flag('Primary') ?? false }));
  const alone = parameters.text('PrivateIpAddress');
  const primaries = [...(alone === undefined ? [] : [addressIn(alone, 4)]), ...listed.filter(({ primary }) => primary).map(({ ip }) => ip)];
  if (new Set(primaries).size > 1) throw notTogether('Only one primary private IP address can be specified');
  const further = listed.filter(({ ip }) => ip !== primaries[0]).map(({ ip }) => hostCidr(ip));
  const prefixes4 = parameters.items('Ipv4Prefix').map((one) => prefixIn(one.needed('Ipv4Prefix'), 4));
  const prefixes6 = parameters.items('Ipv6Prefix').map((one) => prefixIn(one.needed('Ipv6Prefix'), 6));
  const these6 = parameters.items('Ipv6Addresses').map((one) => addressIn(one.needed('Ipv6Address'), 6));
  const addresses4 = parameters.whole('SecondaryPrivateIpAddressCount', 0, 1000);
  const count4 = parameters.whole('Ipv4PrefixCount', 0, 1000);
  const addresses6 = parameters.whole('Ipv6AddressCount', 0, 1000);
  const count6 = parameters.whole('Ipv6PrefixCount', 0, 1000);
  oneKind('IPv4', further.length > 0, addresses4 !== undefined, prefixes4.length > 0, count4 !== undefined);
  oneKind('IPv6', these6.length > 0, (addresses6 ?? 0) > 0, prefixes6.length > 0, count6 !== undefined);
  return {
    primary4: primaries[0],
    these: [...further, ...prefixes4, ...prefixes6],
    addresses4: addresses4 ?? 0,
    prefixes4: count4 ?? 0,
    addresses6,
    these6,
    prefixes6: count6 ?? 0,
    isPrimary6: parameters.flag('EnablePrimaryIpv6') ?? false,
  };
}

/** Makes the interface with all of it, or none. @throws Refusal, Refused. */
export function makeInterface(transaction: Transaction, request: NewNic, wish: Wish): Nic {
  const { state } = transaction;
  const subnet = subnetIn(state, request.subnet);
  const [first6, ...further6] = wish.these6;
  checkPrimaries(transaction, [
    ...wish.these,
    ...wish.these6.map(hostCidr),
    ...(wish.primary4 === undefined ? [] : [hostCidr(wish.primary4)]),
  ]);
  const made = makeNic(transaction, request, [
    ...wish.these,
    ...[first6, ...further6].flatMap((ip) => (ip === undefined ? [] : [hostCidr(ip)])),
  ]);
  let nic = made;
  if (wish.primary4 !== undefined && wish.primary4 !== nic.primary4) {
    const { primary4: _lowest, ...bare } = nic;
    transaction.put('nic', bare);
    notYetHeld(state, subnet, bare, [hostCidr(wish.primary4)]);
    nic = { ...nic, primary4: wish.primary4 };
  }
  const auto = factsOf(state, subnet.id).assignIpv6 !== 'no';
  const wanted6 = wish.these6.length > 0 ? wish.these6.length : (wish.addresses6 ?? (auto ? 1 : 0));
  if (subnet.cidr6 === undefined && wanted6 > 0 && (wish.addresses6 ?? 0) + wish.these6.length > 0)
    throw invalid(`The subnet ${subnet.id} has no IPv6 CIDR block`);
  if (first6 !== undefined) nic = { ...nic, primary6: first6, blocks: nic.blocks.filter((block) => block !== hostCidr(first6)) };
  transaction.put('nic', nic);
  const more6 = first6 === undefined && wanted6 > 1 ? singles6(state, nic, wanted6 - 1) : [];
  const want = { addresses4: wish.addresses4, prefixes4: wish.prefixes4, prefixes6: wish.prefixes6, these: more6 };
  nic = withBlocks(state, nic, want).nic;
  transaction.put('nic', nic);
  if (nic.primary6 !== undefined && (wanted6 === 0 || !wish.isPrimary6))
    noteFacts(transaction, nic.id, { ipv6: wanted6 === 0 ? 'hidden' : 'plain' });
  if (wish.isPrimary6 && wanted6 === 0)
    throw new Refused('InvalidParameterCombination', `${eniOf(nic.id)} would have no IPv6 address to be primary`);
  return nic;
}

/** To the model a primary address is never free; here it is an address in use like any other. */
function checkPrimaries({ state }: Transaction, blocks: readonly Cidr[]): void {
  for (const { primary4, primary6 } of state.nic.values()) {
    const taken = [primary4, primary6].find((ip) => ip !== undefined && blocks.some((block) => contains(block, ip)));
    if (taken !== undefined) throw new Refused('InvalidIPAddress.InUse', `The specified address is already in use: ${taken}`);
  }
}
