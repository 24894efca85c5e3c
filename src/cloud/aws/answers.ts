/** EC2's objects as ours. Fields we do not use are ignored, those we use must be as the API reference says. */
import { type Ip, parseIp } from '../../net/address.ts';
import { addressAt, type Cidr, hostCidr } from '../../net/cidr.ts';
import type { CloudInstance, CloudNetwork, CloudNic, CloudSubnet, InstanceId, InstanceLimits, NicId, SubnetId } from '../cloud.ts';
import { tagKeys } from '../tag-keys.ts';
import { cidr, heldBlock, id, ip, Mismatch, mac, object, oneOf, type Read, text, vlan } from '../wire/shape.ts';
import type { Page } from './ec2.ts';
import { isTrue, items, maybe, moment_ms, whole } from './fields.ts';

/** A page of a list that stands in `field`. */
export function pageOf<T>(field: string, read: Read<T>): Read<Page<T>> {
  return (value, at) => {
    const from = object(value, at);
    return { items: items(read)(from[field], `${at}.${field}`), next: maybe(from, 'nextToken', text, at) };
  };
}

/** Ranges that are leaving are left out; those that are coming are in, since nothing else can have them. */
function associated(field: string, block: string, state: string): Read<Cidr[]> {
  const read: Read<Cidr | undefined> = (value, at) => {
    const from = object(value, at);
    const now = maybe(object(from[state] ?? {}, `${at}.${state}`), 'state', text, at);
    return now !== undefined && /^(disassociat|fail)/.test(now) ? undefined : maybe(from, block, cidr, at);
  };
  return (value, at) => items(read)(object(value, at)[field], `${at}.${field}`).filter((one) => one !== undefined);
}

const blocks4 = associated('cidrBlockAssociationSet', 'cidrBlock', 'cidrBlockState');
const blocks6 = associated('ipv6CidrBlockAssociationSet', 'ipv6CidrBlock', 'ipv6CidrBlockState');

/** A VPC's ranges. */
export const networkOf: Read<CloudNetwork> = (value, at) => ({ cidrs: [...new Set([...blocks4(value, at), ...blocks6(value, at)])] });

/** A subnet. `gateway6`: EC2 does not tell it. */
export function subnetOf(gateway6: Ip): Read<CloudSubnet> {
  return (value, at) => {
    const from = object(value, at);
    const cidr4 = maybe(from, 'cidrBlock', cidr, at);
    const [cidr6] = blocks6(from, at);
    return {
      id: id<SubnetId>(from['subnetId'], `${at}.subnetId`),
      zone: text(from['availabilityZone'], `${at}.availabilityZone`),
      // The VPC's router has the address after the network's own (Amazon VPC User Guide, "Subnet sizing").
      ...(cidr4 !== undefined && { cidr4, gateway4: addressAt(cidr4, 1) }),
      ...(cidr6 !== undefined && { cidr6, gateway6 }),
      free4: whole(from['availableIpAddressCount'], `${at}.availableIpAddressCount`),
    };
  };
}

/** An instance, without its limits. One that is shutting down never runs again. */
export const instanceOf: Read<Omit<CloudInstance, 'limits'>> = (value, at) => {
  const from = object(value, at);
  const state = text(object(from['instanceState'], `${at}.instanceState`)['name'], `${at}.instanceState.name`);
  return {
    id: id<InstanceId>(from['instanceId'], `${at}.instanceId`),
    zone: text(object(from['placement'], `${at}.placement`)['availabilityZone'], `${at}.placement.availabilityZone`),
    type: id<string>(from['instanceType'], `${at}.instanceType`),
    state: state === 'terminated' || state === 'shutting-down' ? 'terminated' : 'running',
  };
};

/** The limits of an instance type, without branches, of which EC2 does not tell. NICs are those of the network card that ours are on. */
export const limitsOf: Read<{ readonly type: string; readonly limits: InstanceLimits }> = (value, at) => {
  const from = object(value, at);
  const place = `${at}.networkInfo`;
  const network = object(from['networkInfo'], place);
  const cards = items(object)(network['networkCards'], `${place}.networkCards`);
  const first = cards.find((card) => card['networkCardIndex'] === '0');
  return {
    type: text(from['instanceType'], `${at}.instanceType`),
    limits: {
      nics: whole((first ?? network)['maximumNetworkInterfaces'], `${place}.maximumNetworkInterfaces`),
      addressSlotsPerNic: whole(network['ipv4AddressesPerInterface'], `${place}.ipv4AddressesPerInterface`),
      ipv6SlotsPerNic: maybe(network, 'ipv6AddressesPerInterface', whole, place) ?? 0,
    },
  };
};

/** Beside the tags that were asked for: the interface was made with an IPv6 address of its own, which is the first that EC2 lists. */
export const ownIpv6Tag = { key: 'flatpod.dev/own-ipv6', value: 'first' } as const;

/** An interface with what EC2 says beside what we tell. */
export interface Ec2Nic {
  readonly nic: Omit<CloudNic, 'mtu' | 'createdAt_ms'>;
  readonly attachmentId?: string;
  readonly attachedAt_ms?: number;
  readonly isDeletedWithInstance: boolean;
  /** The network card of the instance; ours are on card 0. */
  readonly card: number;
  /** It is a branch; of which trunk, only its association tells. */
  readonly isBranch: boolean;
  /** It was made with an IPv6 address of its own, and EC2 marks none of those that it has. */
  readonly lacksMark: boolean;
  /** Somebody else's: by which tag. */
  readonly whose?: string;
}

/** An interface. */
export const nicOf: Read<Ec2Nic> = (value, at) => {
  const from = object(value, at);
  const type = maybe(from, 'interfaceType', text, at);
  const { [ownIpv6Tag.key]: ownIpv6, ...tags } = tagsOf(from['tagSet'], `${at}.tagSet`);
  const { isMarked, ...addresses } = addressesOf(from, at, !(tagKeys.cluster in tags) || ownIpv6 !== undefined);
  const whose = tagKeys.cluster in tags ? undefined : Object.keys(tags).find(isForeign);
  const isBranch = type === 'branch';
  const plug =
    from['attachment'] === undefined || from['attachment'] === '' ? undefined : attachmentOf(from['attachment'], `${at}.attachment`);
  return {
    nic: {
      id: id<NicId>(from['networkInterfaceId'], `${at}.networkInterfaceId`),
      mac: mac(from['macAddress'], `${at}.macAddress`),
      subnet: id<SubnetId>(from['subnetId'], `${at}.subnetId`),
      ...addresses,
      securityGroups: items((group, where) => text(object(group, where)['groupId'], where))(from['groupSet'], `${at}.groupSet`),
      tags,
      ...(type === 'trunk' && { isTrunk: true }),
      ...(plug !== undefined && !isBranch && { attachment: plug.attachment }),
    },
    ...(plug !== undefined && { attachmentId: plug.id, ...(plug.at_ms !== undefined && { attachedAt_ms: plug.at_ms }) }),
    isDeletedWithInstance: plug?.isDeletedWithInstance ?? false,
    card: plug?.card ?? 0,
    isBranch,
    lacksMark: ownIpv6 !== undefined && addresses.primary6 !== undefined && !isMarked,
    ...(whose !== undefined && { whose }),
  };
};

/** Tags that the AWS VPC CNI and the controllers of EKS put on theirs. */
function isForeign(key: string): boolean {
  return key.startsWith('node.k8s.amazonaws.com/') || key.startsWith('vpcresources.k8s.aws/') || key === 'eks:eni:owner';
}

/**
 * The interface's own addresses, and the blocks. Of IPv6 addresses EC2 marks one as primary only when that was asked for, and only until the interface is
 * detached (API reference, ModifyNetworkInterfaceAttribute). Without the mark the first is the interface's own, if it has one: so it is by our tag, and on an
 * interface that is not ours, such as an instance's first.
 */
function addressesOf(
  from: Readonly<Record<string, unknown>>,
  at: string,
  hasOwn: boolean,
): Pick<CloudNic, 'primary4' | 'primary6' | 'blocks'> & { readonly isMarked: boolean } {
  const listed = (field: string): Readonly<Record<string, unknown>>[] => items(object)(from[field], `${at}.${field}`);
  const primary4 = maybe(from, 'privateIpAddress', ip, at);
  const of4 = listed('privateIpAddressesSet').map((one) => ip(one['privateIpAddress'], `${at}.privateIpAddressesSet`));
  const of6 = listed('ipv6AddressesSet').map((one) => ({
    address: ip(one['ipv6Address'], `${at}.ipv6AddressesSet`),
    marked: isTrue(one['isPrimaryIpv6']),
  }));
  const mark = of6.find(({ marked }) => marked);
  const primary6 = (mark ?? (hasOwn ? of6[0] : undefined))?.address;
  const secondary = [...of4, ...of6.map(({ address }) => address)].filter((address) => address !== primary4 && address !== primary6);
  const prefixes = (['4', '6'] as const).flatMap((family) =>
    listed(`ipv${family}PrefixSet`).map((one) => heldBlock(one[`ipv${family}Prefix`], `${at}.ipv${family}PrefixSet`)),
  );
  const blocks = [...secondary.map(hostCidr), ...prefixes];
  if (new Set(blocks).size !== blocks.length) throw new Mismatch(`${at} has an address twice`);
  return { ...(primary4 !== undefined && { primary4 }), ...(primary6 !== undefined && { primary6 }), blocks, isMarked: mark !== undefined };
}

/** Tags by key. */
const tagsOf: Read<Record<string, string>> = (value, at) =>
  Object.fromEntries(
    items((tag, where) => {
      const { key, value: worth } = object(tag, where);
      return [text(key, `${where}.key`), text(worth ?? '', `${where}.value`)];
    })(value, at),
  );

interface Plug {
  readonly id: string;
  readonly attachment: NonNullable<CloudNic['attachment']>;
  readonly at_ms: number | undefined;
  readonly isDeletedWithInstance: boolean;
  readonly card: number;
}

/** undefined: it was detached, and EC2 still tells of it. */
function attachmentOf(value: unknown, at: string): Plug | undefined {
  const from = object(value, at);
  const state = oneOf('attaching', 'attached', 'detaching', 'detached')(from['status'], `${at}.status`);
  if (state === 'detached') return undefined;
  // Load balancers and the like have interfaces that are attached to no instance of the account; they are somebody's all the same.
  const holder = maybe(from, 'instanceId', text, at) ?? maybe(from, 'instanceOwnerId', text, at) ?? 'something';
  return {
    id: text(from['attachmentId'], `${at}.attachmentId`),
    attachment: { instance: id<InstanceId>(holder, at), deviceIndex: maybe(from, 'deviceIndex', whole, at) ?? 0, state },
    at_ms: maybe(from, 'attachTime', moment_ms, at),
    isDeletedWithInstance: isTrue(from['deleteOnTermination']),
    card: maybe(from, 'networkCardIndex', whole, at) ?? 0,
  };
}

/** Which branch hangs on which trunk. */
export interface Association {
  readonly id: string;
  readonly branch: NicId;
  readonly trunk: NicId;
  readonly vlan: number;
}

/** One association; undefined: by GRE, which is none of ours. */
export const associationOf: Read<Association | undefined> = (value, at) => {
  const from = object(value, at);
  const tag = maybe(from, 'vlanId', whole, at);
  if (tag === undefined) return undefined;
  return {
    id: text(from['associationId'], `${at}.associationId`),
    branch: id<NicId>(from['branchInterfaceId'], `${at}.branchInterfaceId`),
    trunk: id<NicId>(from['trunkInterfaceId'], `${at}.trunkInterfaceId`),
    vlan: vlan(tag, `${at}.vlanId`),
  };
};

/** The router's IPv6 address in every VPC, by which the AWS VPC CNI routes too. */
export const usualGateway6: Ip = parseIp('fe80:ec2::1');
