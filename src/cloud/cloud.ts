/**
 * What Flatpod asks of a cloud. One driver per cloud in a folder of its own; one contract suite for all of them.
 *
 * Promises every driver keeps
 * - creating calls are idempotent by `clientToken`: the same token twice gives the same object;
 * - attach (also as a branch), assign, unassign, detach and delete may be repeated: what is already so is success;
 * - a refusal is a Failure cloud*: its name says what to decide (see `decisionFor` in src/controller);
 * - an answer that never came is cloudUnavailable, and the change may have happened: read back before trying again.
 */
import type { Ip } from '../net/address.ts';
import type { Cidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';

/** The cloud's own ids, as it spells them. */
export type NicId = string & { readonly __brand: 'NicId' };
export type InstanceId = string & { readonly __brand: 'InstanceId' };
export type SubnetId = string & { readonly __brand: 'SubnetId' };

/** Tags by which we find what we own. */
export type Tags = Readonly<Record<string, string>>;

/** Subnets by their ids, or those that have all these tags; no tags are none's. */
export type SubnetsNamed = readonly SubnetId[] | Tags;

/** A subnet as the cloud knows it. */
export interface CloudSubnet {
  readonly id: SubnetId;
  /** Absent: instances in every zone can use it. */
  readonly zone?: string;
  /** A range that no cloud has: the nodes' own interface on that network, by name. */
  readonly parent?: string;
  /** Why nothing of it is given any more, in a sentence; absent: it is. */
  readonly refused?: string;
  readonly cidr4?: Cidr;
  readonly cidr6?: Cidr;
  readonly gateway4?: Ip;
  readonly gateway6?: Ip;
  /** IPv4 addresses nobody holds; may lag behind. */
  readonly free4: number;
}

/** A network interface: the unit that is attached to instances and carries addresses. */
export interface CloudNic {
  readonly id: NicId;
  readonly mac: Mac;
  readonly subnet: SubnetId;
  readonly mtu: number;
  /** The interface's own addresses; never given to a Pod. */
  readonly primary4?: Ip;
  readonly primary6?: Ip;
  /** Secondary addresses (as /32, /128) and prefixes (/28, /80), in no order. */
  readonly blocks: readonly Cidr[];
  readonly securityGroups: readonly string[];
  readonly tags: Tags;
  /** Frames with further Ethernet addresses may come out of it (no port security); absent: with its own alone. */
  readonly multiMac?: true;
  /** The cloud says on its network who has the primary addresses, and for the blocks relies on whoever answers (ARP, neighbour discovery). Absent: for all. */
  readonly nodeAnswers?: true;
  /** Another program's, by what it says (a tag): nothing can be changed about it. */
  readonly whose?: string;
  /** Branches can be attached to it. */
  readonly isTrunk?: true;
  /** A branch: attached to no instance, but to that trunk; there frames with that VLAN tag (802.1Q) are its own. */
  readonly branch?: { readonly trunk: NicId; readonly vlan: number };
  /** Absent when detached, and for a branch. */
  readonly attachment?: {
    readonly instance: InstanceId;
    readonly deviceIndex: number;
    readonly state: 'attaching' | 'attached' | 'detaching';
  };
  /** Milliseconds since the epoch. */
  readonly createdAt_ms: number;
}

/** What the instance's type allows. A primary address, a secondary address and a prefix each take one slot of `addressSlotsPerNic`. */
export interface InstanceLimits {
  readonly nics: number;
  readonly addressSlotsPerNic: number;
  readonly ipv6SlotsPerNic: number;
  /** Branches on all its trunks together; absent: it can have none. A trunk counts among `nics`, a branch does not. */
  readonly branches?: number;
}

/** A virtual machine of the cloud: a node, or one that could be. */
export interface CloudInstance {
  readonly id: InstanceId;
  readonly zone: string;
  readonly type: string;
  readonly limits: InstanceLimits;
  readonly state: 'running' | 'terminated';
  /** A machine of no cloud: its own interfaces are nobody's affair. */
  readonly isBare?: true;
}

/** The addresses of a whole VPC: what is reached without SNAT. */
export interface CloudNetwork {
  readonly cidrs: readonly Cidr[];
}

/** What an interface is to be like. */
export interface CreateNic {
  readonly clientToken: string;
  readonly subnet: SubnetId;
  readonly securityGroups: readonly string[];
  readonly tags: Tags;
  readonly description: string;
  /** See CloudNic. What the cloud does not have, or this account may not have, is refused as cloudInvalid or cloudDenied. */
  readonly multiMac?: boolean;
  readonly isTrunk?: boolean;
  /** Blocks the new interface is born with, beside its primary addresses. An answer to a repeated token shows what it has by then. */
  readonly want?: Wanted;
}

/** How many new blocks of which kind, chosen by the cloud. IPv4 prefixes are /28, IPv6 ones /80. */
export interface Wanted {
  readonly addresses4?: number;
  readonly prefixes4?: number;
  readonly prefixes6?: number;
  /**
   * IPv4 blocks that are counted lie in one of these; absent: anywhere in the subnet. When there are not enough, it is cloudSubnetFull, and says so of these.
   * Where nothing is counted it bounds nothing; a cloud that has no other for a new interface itself may make one of these addresses its own.
   */
  readonly within?: readonly Cidr[];
  /**
   * Blocks asked for by value, beside the counts; each is a /32, /28, /128 or /80, and no two overlap. One that is on this very NIC already is success.
   * One of which another NIC holds a part (or this one, as part of another block) is cloudAddressTaken: nothing is ever taken from its holder.
   * One outside of the subnet, one the cloud keeps for itself, and any NIC's primary address are cloudInvalid.
   */
  readonly these?: readonly Cidr[];
}

/**
 * Selects interfaces; all given conditions must hold, each by any of its values where it has several. An empty filter is refused: no driver lists the
 * whole account.
 */
export interface NicFilter {
  readonly ids?: readonly NicId[];
  readonly instance?: InstanceId | readonly InstanceId[];
  readonly tags?: Readonly<Record<string, string | readonly string[]>>;
}

/** Something of which the account may have few more. */
export interface Shortage {
  /** The same for as long as it is scarce. */
  readonly what: string;
  /** How many are left of how many, and how to get more: a sentence without a full stop. */
  readonly text: string;
}

/** A cloud, seen from the controller. Every call rejects with a Failure cloud* and nothing else; each has its own deadline inside. */
export interface Cloud {
  readonly name: string;
  network(): Promise<CloudNetwork>;
  instance(id: InstanceId): Promise<CloudInstance>;
  /** Those of the ids that it knows. One that cannot be an id may have the whole list refused as cloudInvalid. */
  instances(ids: readonly InstanceId[]): Promise<CloudInstance[]>;
  /** Those that there are. By tags where the cloud has such; else that is cloudInvalid. */
  subnets(named: SubnetsNamed): Promise<CloudSubnet[]>;
  nics(filter: NicFilter): Promise<CloudNic[]>;
  createNic(request: CreateNic): Promise<CloudNic>;
  attachNic(nic: NicId, instance: InstanceId, deviceIndex: number): Promise<void>;
  /**
   * Makes a detached interface a branch. A tag that another branch of the trunk has is cloudConflict, one branch more than the instance may have cloudLimit;
   * what is no trunk, or a cloud without any, cloudInvalid.
   */
  attachBranch(nic: NicId, trunk: NicId, vlan: number): Promise<void>;
  /** Of an interface that is attached to an instance, or of a branch; a trunk that has branches is cloudConflict. Returns when the cloud has accepted it; the interface may be `detaching` for a while. */
  detachNic(nic: NicId): Promise<void>;
  deleteNic(nic: NicId): Promise<void>;
  /**
   * Adds what is asked, all or none, and answers with that alone: `these`, whether they are new or were there, and as many new blocks as were counted.
   * May be repeated when all is asked by value; else not: read back after an unclear answer.
   * `whose`: for a NIC that does not say itself whose it is. Where addresses are reserved beside their NIC and outlive it, these tags find them then.
   */
  assign(nic: NicId, want: Wanted, whose?: Tags): Promise<Cidr[]>;
  unassign(nic: NicId, blocks: readonly Cidr[]): Promise<void>;
  /**
   * What the account may not do that the driver needs, for these subnets: a permission each, by the cloud's name for it. Changes nothing.
   * Absent: the cloud cannot be asked.
   */
  missingPermissions?(subnets: readonly SubnetId[]): Promise<string[]>;
  /** What of the things that this interface makes the account has nearly used up. Changes nothing. Absent: the cloud cannot be asked. */
  shortages?(): Promise<Shortage[]>;
}
