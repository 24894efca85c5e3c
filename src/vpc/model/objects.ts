/** What a VPC holds. Stored as these objects, one row each; what follows from others (limits, public address, free counts) is computed when shown. */
import type { Ip } from '../../net/address.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import type { InstanceId, InstanceLimits, NicId, SubnetId, Tags } from '../../cloud/cloud.ts';

/** Id of a security group. */
export type GroupId = string & { readonly __brand: 'GroupId' };

/** The VPC itself. */
export interface Network {
  readonly id: string;
  readonly name: string;
  readonly cidrs: readonly Cidr[];
  /** Of every NIC, in bytes. */
  readonly mtu: number;
  readonly tags: Tags;
}

/** A part of the VPC in one zone. */
export interface Subnet {
  readonly id: SubnetId;
  readonly name: string;
  readonly zone: string;
  readonly cidr4?: Cidr;
  readonly cidr6?: Cidr;
  /** More blocks on its link; only a front can give them. */
  readonly further?: readonly Cidr[];
  /** The router's addresses in it, instead of the first one of `cidr4`; only a front can choose them. IPv6 always has `gateway6` too. */
  readonly gateways?: readonly Ip[];
  /** Of its NICs, in bytes; absent: the VPC's. */
  readonly mtu?: number;
  readonly tags: Tags;
}

/** `id` is the type's name. */
export interface InstanceType {
  readonly id: string;
  readonly limits: InstanceLimits;
}

/** A machine: a namespace of its own. */
export interface Instance {
  readonly id: InstanceId;
  readonly name: string;
  readonly kind: 'vm' | 'internet';
  readonly zone: string;
  readonly type: string;
  readonly state: 'running' | 'terminated';
  readonly tags: Tags;
  readonly launchedAt_ms: number;
  readonly terminatedAt_ms?: number;
  /** Addresses of an internet host; a machine in the VPC has those of its first NIC. */
  readonly outside: readonly Ip[];
}

/** Where a NIC is plugged in. */
export interface Attachment {
  readonly instance: InstanceId;
  readonly deviceIndex: number;
  readonly state: 'attached' | 'detaching';
}

/** Where a branch is plugged in. */
export interface Branch {
  readonly trunk: NicId;
  readonly vlan: number;
}

/** A network interface with its addresses. */
export interface Nic {
  readonly id: NicId;
  readonly mac: Mac;
  readonly subnet: SubnetId;
  readonly primary4?: Ip;
  readonly primary6?: Ip;
  readonly blocks: readonly Cidr[];
  readonly securityGroups: readonly GroupId[];
  readonly tags: Tags;
  readonly description: string;
  /** Frames with further Ethernet addresses may come out of it; absent: with its own alone. */
  readonly multiMac?: true;
  /** No interface: its blocks are addresses of the subnet that NICs of it may speak for, whichever does. */
  readonly floating?: 'by all NICs' | 'by any-source NICs' | 'by no NIC';
  /** The account it belongs to; absent: the first. Interfaces speak for floating addresses of their own account alone; only a front has several. */
  readonly account?: string;
  /** It may send from any address; absent: from its own, and from floating ones that are for all. */
  readonly anySource?: true;
  /** Branches may be attached to it. */
  readonly isTrunk?: true;
  /** A branch: its packets come and go by that VLAN tag on the trunk's link; `attachment` is absent then. */
  readonly branch?: Branch;
  readonly attachment?: Attachment;
  readonly createdAt_ms: number;
}

/** What a security group lets through. */
export interface Rule {
  readonly direction: 'ingress' | 'egress';
  readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp';
  readonly ports?: { readonly from: number; readonly to: number };
  /** Exactly one of the two is there. */
  readonly cidr?: Cidr;
  readonly group?: GroupId;
}

/** Rules that NICs carry by its id. */
export interface SecurityGroup {
  readonly id: GroupId;
  readonly name: string;
  readonly rules: readonly Rule[];
  readonly tags: Tags;
}

/** An address of the internet that leads to a NIC. */
export interface PublicAddress {
  readonly id: string;
  readonly address: Ip;
  readonly nic: NicId;
}

/** A creating call that was answered: `id` is `<call> <client token>`. */
export interface Token {
  readonly id: string;
  readonly request: string;
  readonly object: string;
  readonly at_ms: number;
}

/** What a front keeps beside the model's objects, because its wire format shows it and the model has no use for it. `id` begins with the front's name. */
export interface Note {
  readonly id: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** The kinds of stored objects. */
export interface Objects {
  readonly network: Network;
  readonly subnet: Subnet;
  readonly type: InstanceType;
  readonly instance: Instance;
  readonly nic: Nic;
  readonly group: SecurityGroup;
  readonly public: PublicAddress;
  readonly token: Token;
  readonly note: Note;
}
/** The kinds of objects that are stored. */
export type Kind = keyof Objects;

/** Everything there is, by kind and id. */
export type State = { readonly [K in Kind]: ReadonlyMap<string, Objects[K]> };

/** The link-local address of every IPv6 gateway; the same in all subnets. */
export const gateway6 = 'fe80::1:1' as Ip;
