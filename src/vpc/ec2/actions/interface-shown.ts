/** A network interface as EC2 tells it. */
import { bitsOf } from '../../../net/address.ts';
import { type Cidr, cidrFamily, firstOf, lengthOf } from '../../../net/cidr.ts';
import { networkOf } from '../../model/find.ts';
import type { Nic, State } from '../../model/objects.ts';
import { eniOf } from '../ids.ts';
import { attachmentOf, factsOf } from '../notes.ts';
import { type Shown, timeOf } from '../xml.ts';
import type { Fields, Setting } from './action.ts';
import { tagSet } from './tag-sets.ts';

/** Single addresses and prefixes of a NIC, apart and by family, the primaries first. */
export interface Holdings {
  readonly addresses4: readonly string[];
  readonly prefixes4: readonly Cidr[];
  readonly addresses6: readonly string[];
  readonly prefixes6: readonly Cidr[];
}

/** What the NIC has, without an IPv6 address that nobody asked for. */
export function holdingsOf(state: State, nic: Nic): Holdings {
  const hidden = factsOf(state, nic.id).ipv6 === 'hidden';
  const of = (family: 4 | 6, single: boolean): Cidr[] =>
    nic.blocks.filter((block) => cidrFamily(block) === family && (lengthOf(block) === bitsOf(family)) === single);
  return {
    addresses4: [...(nic.primary4 === undefined ? [] : [nic.primary4]), ...of(4, true).map(firstOf)],
    prefixes4: of(4, false),
    addresses6: [...(nic.primary6 === undefined || hidden ? [] : [nic.primary6]), ...of(6, true).map(firstOf)],
    prefixes6: of(6, false),
  };
}

/** Whether the interface's first IPv6 address is one that may not change. */
export function hasPrimary6(state: State, nic: Nic): boolean {
  return nic.primary6 !== undefined && factsOf(state, nic.id).ipv6 === undefined;
}

/** `attaching`, `attached` or `detaching`. */
export function attachmentStatus(state: State, nic: Nic, { lag, now_ms }: Setting): string | undefined {
  const attachment = attachmentOf(state, nic);
  if (attachment === undefined || nic.attachment === undefined) return undefined;
  if (nic.attachment.state === 'detaching') return 'detaching';
  return now_ms() - attachment.at_ms < lag.attach_ms && nic.attachment.deviceIndex > 0 ? 'attaching' : 'attached';
}

/** `in-use` or `available`. */
export function statusOf({ attachment, branch }: Nic): string {
  return attachment === undefined && branch === undefined ? 'available' : 'in-use';
}

/** `trunk`, `branch` or `interface`. */
export function typeOf({ isTrunk, branch }: Nic): string {
  if (isTrunk === true) return 'trunk';
  return branch === undefined ? 'interface' : 'branch';
}

/** The interface, as DescribeNetworkInterfaces has it. */
export function shownInterface(state: State, nic: Nic, setting: Setting): Fields {
  const { account } = setting;
  const subnet = state.subnet.get(nic.subnet);
  return {
    ...shared(state, nic, setting),
    availabilityZone: subnet?.zone,
    tagSet: tagSet(nic.tags),
    requesterManaged: false,
    attachment: shownAttachment(state, nic, setting, account),
  };
}

/** The interface, as DescribeInstances has it within an instance. */
export function shownWithin(state: State, nic: Nic, setting: Setting): Fields {
  return { ...shared(state, nic, setting), attachment: shownAttachment(state, nic, setting) };
}

/** Names of groups beside their ids. */
export function groupSet(state: State, ids: readonly string[]): Shown {
  return ids.map((groupId) => ({ groupId, groupName: state.group.get(groupId)?.name ?? '' }));
}

function shared(state: State, nic: Nic, { account }: Setting): Fields {
  const { addresses4, addresses6, prefixes4, prefixes6 } = holdingsOf(state, nic);
  const bound = [...state.public.values()].find((one) => one.nic === nic.id);
  const association = bound && { publicIp: bound.address, publicDnsName: '', ipOwnerId: 'amazon' };
  const isPrimary6 = hasPrimary6(state, nic);
  return {
    networkInterfaceId: eniOf(nic.id),
    subnetId: nic.subnet,
    vpcId: networkOf(state).id,
    description: nic.description,
    ownerId: account,
    status: statusOf(nic),
    macAddress: nic.mac,
    privateIpAddress: nic.primary4,
    sourceDestCheck: factsOf(state, nic.id).sourceDestCheck !== 'no',
    groupSet: groupSet(state, nic.securityGroups),
    association,
    privateIpAddressesSet: addresses4.map((privateIpAddress, i) => ({
      privateIpAddress,
      primary: i === 0,
      ...(i === 0 && { association }),
    })),
    ipv6AddressesSet: addresses6.map((ipv6Address, i) => ({ ipv6Address, isPrimaryIpv6: i === 0 && isPrimary6 })),
    ...(prefixes4.length > 0 && { ipv4PrefixSet: prefixes4.map((ipv4Prefix) => ({ ipv4Prefix })) }),
    ...(prefixes6.length > 0 && { ipv6PrefixSet: prefixes6.map((ipv6Prefix) => ({ ipv6Prefix })) }),
    interfaceType: typeOf(nic),
  };
}

function shownAttachment(state: State, nic: Nic, setting: Setting, account?: string): Fields | undefined {
  const attachment = attachmentOf(state, nic);
  if (attachment === undefined || nic.attachment === undefined) return undefined;
  return {
    attachmentId: attachment.id,
    ...(account !== undefined && { instanceId: nic.attachment.instance, instanceOwnerId: account }),
    deviceIndex: nic.attachment.deviceIndex,
    networkCardIndex: 0,
    status: attachmentStatus(state, nic, setting),
    attachTime: timeOf(attachment.at_ms),
    deleteOnTermination: attachment.deleteOnTermination,
  };
}
