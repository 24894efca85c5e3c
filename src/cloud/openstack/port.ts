/** A port of Neutron's API v2.0 as far as we use it, read strictly. */
import { type Ip, tryParseIp } from '../../net/address.ts';
import { type Cidr, cidrOf, hostCidr, splitPrefix } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import type { NicId, SubnetId } from '../cloud.ts';
import { count, id, ip, list, mac, Mismatch, object, optional, type Read, text, vlan } from '../wire/shape.ts';
import { moment } from './token.ts';

/** An address of a port. */
export interface FixedIp {
  readonly subnet: SubnetId;
  readonly ip: Ip;
}

/** Addresses that may come out of a port besides its own. */
export interface Pair {
  readonly block: Cidr;
  readonly mac: Mac;
  /** As Neutron has it: what is not ours is written back as it was read. */
  readonly raw: { readonly ip_address: string; readonly mac_address: string };
}

/** A branch of a trunk. */
export interface Subport {
  readonly port: NicId;
  readonly vlan: number;
}

/** See the head of this file. */
export interface Port {
  readonly id: NicId;
  readonly name: string;
  readonly network: string;
  readonly mac: Mac;
  readonly status: string;
  /** The server it is attached to, a block's NIC, or empty. */
  readonly device: string;
  readonly owner: string;
  readonly fixed: readonly FixedIp[];
  readonly pairs: readonly Pair[];
  readonly groups: readonly string[];
  /** Whether only its own addresses may come out of it. */
  readonly isGuarded: boolean;
  readonly words: readonly string[];
  readonly trunk?: { readonly id: string; readonly subports: readonly Subport[] };
  readonly revision: number;
  readonly createdAt_ms: number;
}

const fixedOf: Read<FixedIp> = (value, at) => {
  const from = object(value, at);
  return { subnet: id<SubnetId>(from['subnet_id'], `${at}.subnet_id`), ip: ip(from['ip_address'], `${at}.ip_address`) };
};

const pairOf: Read<Pair> = (value, at) => {
  const from = object(value, at);
  const [address, hardware] = [text(from['ip_address'], `${at}.ip_address`), text(from['mac_address'], `${at}.mac_address`)];
  const [whole, single] = [splitPrefix(address), tryParseIp(address)];
  const block = whole !== undefined ? cidrOf(whole.ip, whole.length) : single === undefined ? undefined : hostCidr(single);
  if (block === undefined)
    throw new Mismatch(`${at}.ip_address should be an address or a block, not ${JSON.stringify(address.slice(0, 80))}`);
  return { block, mac: mac(hardware, `${at}.mac_address`), raw: { ip_address: address, mac_address: hardware } };
};

const subportOf: Read<Subport> = (value, at) => {
  const from = object(value, at);
  return { port: id<NicId>(from['port_id'], `${at}.port_id`), vlan: vlan(from['segmentation_id'], `${at}.segmentation_id`) };
};

/** The branches in a trunk, or in what a port says of its trunk. */
export const subportsOf: Read<Subport[]> = (value, at) => list(subportOf)(value, at);

const trunkOf: Read<NonNullable<Port['trunk']>> = (value, at) => {
  const from = object(value, at);
  return { id: id(from['trunk_id'], `${at}.trunk_id`), subports: subportsOf(from['sub_ports'], `${at}.sub_ports`) };
};

/** All that is read: lists of ports are asked for these fields alone. */
export const portFields = [
  'id',
  'name',
  'network_id',
  'mac_address',
  'status',
  'device_id',
  'device_owner',
  'fixed_ips',
  'allowed_address_pairs',
  'security_groups',
  'port_security_enabled',
  'tags',
  'trunk_details',
  'revision_number',
  'created_at',
] as const;

/** Reads it. Extensions that a Neutron has not loaded leave their fields away. @throws Mismatch */
export const portOf: Read<Port> = (value, at) => {
  const from = object(value, at);
  const part = (key: string): string => text(from[key] ?? '', `${at}.${key}`);
  const { trunk_details: trunk } = from['trunk_details'] === null ? {} : optional(from, 'trunk_details', trunkOf, at);
  return {
    id: id<NicId>(from['id'], `${at}.id`),
    name: part('name'),
    network: id(from['network_id'], `${at}.network_id`),
    mac: mac(from['mac_address'], `${at}.mac_address`),
    status: text(from['status'], `${at}.status`),
    device: part('device_id'),
    owner: part('device_owner'),
    fixed: list(fixedOf)(from['fixed_ips'], `${at}.fixed_ips`),
    pairs: list(pairOf)(from['allowed_address_pairs'] ?? [], `${at}.allowed_address_pairs`),
    groups: list(text)(from['security_groups'] ?? [], `${at}.security_groups`),
    isGuarded: from['port_security_enabled'] !== false,
    words: list(text)(from['tags'], `${at}.tags`),
    ...(trunk !== undefined && { trunk }),
    revision: count(from['revision_number'], `${at}.revision_number`),
    createdAt_ms: moment(from['created_at'], `${at}.created_at`),
  };
};
