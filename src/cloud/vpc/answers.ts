/** The objects of the emulated VPC's API as ours. Fields we do not use are ignored, those we use must be as its document says. */
import type { Cidr } from '../../net/cidr.ts';
import { cidrFamily, lengthOf } from '../../net/cidr.ts';
import type { CloudInstance, CloudNetwork, CloudNic, CloudSubnet, InstanceId, NicId, SubnetId, Wanted } from '../cloud.ts';
import {
  cidr,
  count,
  heldBlock,
  id,
  ip,
  list,
  Mismatch,
  mac,
  mtu,
  object,
  oneOf,
  optional,
  type Read,
  text,
  texts,
  unique,
  vlan,
  yes,
} from '../wire/shape.ts';

/** The VPC itself. */
export const networkOf: Read<CloudNetwork> = (value, at) => {
  const from = object(value, at);
  return { cidrs: unique(cidr)(from['cidrs'], `${at}.cidrs`) };
};

/** A subnet. */
export const subnetOf: Read<CloudSubnet> = (value, at) => {
  const from = object(value, at);
  return {
    id: id<SubnetId>(from['id'], `${at}.id`),
    zone: text(from['zone'], `${at}.zone`),
    ...optional(from, 'cidr4', cidr, at),
    ...optional(from, 'cidr6', cidr, at),
    ...optional(from, 'gateway4', ip, at),
    ...optional(from, 'gateway6', ip, at),
    free4: count(from['free4'], `${at}.free4`),
  };
};

/** An instance with its limits. */
export const instanceOf: Read<CloudInstance> = (value, at) => {
  const from = object(value, at);
  const limits = object(from['limits'], `${at}.limits`);
  return {
    id: id<InstanceId>(from['id'], `${at}.id`),
    zone: text(from['zone'], `${at}.zone`),
    type: text(from['type'], `${at}.type`),
    limits: {
      nics: count(limits['nics'], `${at}.limits.nics`),
      addressSlotsPerNic: count(limits['addressSlotsPerNic'], `${at}.limits.addressSlotsPerNic`),
      ipv6SlotsPerNic: count(limits['ipv6SlotsPerNic'], `${at}.limits.ipv6SlotsPerNic`),
      ...optional(limits, 'branches', count, `${at}.limits`),
    },
    state: oneOf('running', 'terminated')(from['state'], `${at}.state`),
  };
};

const attachmentOf: Read<NonNullable<CloudNic['attachment']>> = (value, at) => {
  const from = object(value, at);
  return {
    instance: id<InstanceId>(from['instance'], `${at}.instance`),
    deviceIndex: count(from['deviceIndex'], `${at}.deviceIndex`),
    state: oneOf('attaching', 'attached', 'detaching')(from['state'], `${at}.state`),
  };
};

const branchOf: Read<NonNullable<CloudNic['branch']>> = (value, at) => {
  const from = object(value, at);
  return { trunk: id<NicId>(from['trunk'], `${at}.trunk`), vlan: vlan(from['vlan'], `${at}.vlan`) };
};

/** A NIC with all that is on it. */
export const nicOf: Read<CloudNic> = (value, at) => {
  const from = object(value, at);
  return {
    id: id<NicId>(from['id'], `${at}.id`),
    mac: mac(from['mac'], `${at}.mac`),
    subnet: id<SubnetId>(from['subnet'], `${at}.subnet`),
    mtu: mtu(from['mtu'], `${at}.mtu`),
    ...optional(from, 'primary4', ip, at),
    ...optional(from, 'primary6', ip, at),
    blocks: unique(heldBlock)(from['blocks'], `${at}.blocks`),
    securityGroups: list(text)(from['securityGroups'], `${at}.securityGroups`),
    tags: texts(from['tags'], `${at}.tags`),
    ...optional(from, 'multiMac', yes, at),
    ...optional(from, 'isTrunk', yes, at),
    ...optional(from, 'branch', branchOf, at),
    ...optional(from, 'attachment', attachmentOf, at),
    createdAt_ms: count(from['createdAt_ms'], `${at}.createdAt_ms`),
  };
};

/** The answer to assign: the blocks wanted by value, and exactly as many others of each kind as were wanted. */
export function assignedOf(want: Wanted): Read<Cidr[]> {
  return (value, at) => {
    const all = unique(heldBlock)(object(value, at)['blocks'], `${at}.blocks`);
    const these = new Set(want.these);
    const missing = these.difference(new Set(all));
    if (missing.size > 0) throw new Mismatch(`${at}.blocks lacks ${[...missing].join(', ')}`);
    const blocks = all.filter((block) => !these.has(block));
    const kinds = [
      [4, 32, want.addresses4],
      [4, 28, want.prefixes4],
      [6, 80, want.prefixes6],
    ] as const;
    for (const [family, length, wanted = 0] of kinds) {
      const got = blocks.filter((block) => cidrFamily(block) === family && lengthOf(block) === length).length;
      if (got !== wanted) throw new Mismatch(`${at}.blocks has ${got} IPv${family} blocks of /${length}, ${wanted} were asked for`);
    }
    if (blocks.some((block) => lengthOf(block) === 128)) throw new Mismatch(`${at}.blocks has IPv6 addresses nobody asked for`);
    return all;
  };
}

/** One page of a list. */
export function pageOf<T>(read: Read<T>): Read<{ items: T[]; next?: string }> {
  return (value, at) => {
    const from = object(value, at);
    return { items: list(read)(from['items'], `${at}.items`), ...optional(from, 'next', text, at) };
  };
}
