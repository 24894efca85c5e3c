/**
 * NodeNetwork: the one object between agent and controller. The agent writes `spec` (what it needs and what it gave back), the controller writes `status`
 * (what the node was granted). Neither writes the other's half.
 *
 * Taking blocks back is a handshake, so that nothing in use is released on stale information:
 * controller lists a block in `status.nics[].reclaiming` → agent, once no lease and no cooldown holds it, stops leasing from it for good and lists it
 * in `spec.returned` → controller unassigns it in the cloud and drops it from `blocks` and `reclaiming` → agent drops it from `spec.returned`.
 * The controller may withdraw an ask; an agent that has answered it already keeps to its answer, and the block goes all the same.
 */
import type { InstanceId, NicId } from '../cloud/cloud.ts';
import type { Level } from '../log.ts';
import type { Ip } from '../net/address.ts';
import type { Cidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { PodSubnet } from './pod-subnet.ts';
import type { Condition } from './schema-parts.ts';

/** What a node needs from one PodSubnet, in addresses of the subnet's first family. */
export interface Demand {
  readonly subnet: string;
  /** Leased to Pods. */
  readonly inUse: number;
  /** Freed, but not yet to be used again. */
  readonly cooling: number;
  /** Pods that have no address yet: ADDs that wait right now, and Pods that the scheduler has placed on the node. */
  readonly waiting: number;
}

/** An interface the node may use for Pods. */
export interface GrantedNic {
  readonly id: NicId;
  readonly mac: Mac;
  /** Name of the PodSubnet whose Pods it serves; absent for a first interface that serves none, and for a trunk. */
  readonly subnet?: string;
  /** Further PodSubnets that share it, and which of `blocks` are theirs: in one subnet of the cloud each has blocks of its own. See nic-shares.ts. */
  readonly shared?: readonly { readonly subnet: string; readonly blocks: readonly Cidr[] }[];
  /** Its place on the instance; of a branch that of its trunk, so several share it. */
  readonly deviceIndex: number;
  /**
   * Of a PodSubnet with spec.range: the name of the node's own interface that Pods' interfaces are made on. No cloud has such a NIC: its `id` and `mac`
   * are made up, and it has no address and no routes of its own.
   */
  readonly parent?: string;
  readonly mtu: number;
  readonly cidr4?: Cidr;
  readonly cidr6?: Cidr;
  readonly gateway4?: Ip;
  readonly gateway6?: Ip;
  readonly primary4?: Ip;
  readonly primary6?: Ip;
  /** What Pods may get addresses from: /32, /28, /128, /80. With `use: 'pod'` exactly its primary addresses, which are given back together. */
  readonly blocks: readonly Cidr[];
  /** Blocks of those that the controller wants back. */
  readonly reclaiming: readonly Cidr[];
  /** Single addresses among them that belong to IPClaims: only the Pods that `claims` names get them. */
  readonly claimed?: readonly Cidr[];
  /**
   * - absent: it stays with the node, and its blocks are for many Pods
   * - `pod`: the whole interface is for one Pod, with its own primary addresses
   * - `trunk`: it carries the branches that name it, and serves no Pods itself
   */
  readonly use?: 'pod' | 'trunk';
  /** A branch: it has no link of its own, but is reached by that VLAN tag (802.1Q) on the link of that interface. */
  readonly trunk?: { readonly nic: NicId; readonly vlan: number };
  /** The cloud lets frames with further Ethernet addresses in and out; absent: with its own alone. */
  readonly multiMac?: boolean;
  /** On its network nobody but the node says who has the addresses of its blocks. */
  readonly nodeAnswers?: boolean;
}

/** Why a subnet's pool on this node does not grow, in words for the Pod's event. `none`: it can grow. */
export interface Growth {
  readonly subnet: string;
  readonly stoppedBy: 'none' | 'instance' | 'subnet' | 'ceiling' | 'cloud' | 'switch';
  /** A sentence with the numbers; empty for none. */
  readonly text: string;
}

/** A PodSubnet, as far as a node needs to know it. */
export interface NodeSubnet {
  readonly name: string;
  readonly spec: PodSubnet['spec'];
}

/** A Pod that asks for an address that is its own, or its workload's. */
export interface ClaimAsked {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  /** PodSubnets that may serve it, the best first. */
  readonly subnets: readonly string[];
  /** The IPClaim it names; absent: one of its own. */
  readonly claim?: string;
}

/** What became of it. */
export interface ClaimGranted {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly subnet?: string;
  /** Its addresses, which are on this node now. Empty: not yet, or never; see `problem`. */
  readonly addresses: readonly Ip[];
  /** Why it has none, in a sentence. */
  readonly problem?: string;
}

/** The agent's half. */
export interface NodeNetworkSpec {
  readonly instance: InstanceId;
  readonly demand: readonly Demand[];
  /** Blocks given back by the agent: it will never lease from them again unless they are granted anew. */
  readonly returned: readonly Cidr[];
  /** Granted interfaces that the node does not see: not yet plugged in, or pulled by somebody. The controller looks again. */
  readonly unplugged?: readonly NicId[];
  /** Blocks that were granted by an object of this name that is no more; they are the node's still, or nobody would ever take them back. */
  readonly remembered?: readonly Cidr[];
  /** Pods on this node that ask for addresses of their own; the controller answers in `status.claims`. */
  readonly claims?: readonly ClaimAsked[];
  /** The node is leaving: no floor, no spare, everything unused is to be taken back and further interfaces are to be deleted. One word per leaving. */
  readonly draining?: string;
}

/** What the controller says of how the node serves its Pods, beside the node's own configuration. What is absent is left to that. */
export interface NodeSettings {
  /** Service addresses, beside those of the configuration: from now on new Pods on a network of their own reach them through the node. */
  readonly serviceCidrs?: readonly Cidr[];
  /** Bytes: interfaces of new Pods have no higher MTU. */
  readonly mtu?: number;
  /** The least severe lines that the agent logs, instead of what the configuration says. */
  readonly log?: Level;
}

/** The controller's half. */
export interface NodeNetworkStatus {
  /** All address blocks of the VPC: destinations that need no SNAT. */
  readonly vpcCidrs: readonly Cidr[];
  /** Sorted by device index; the first is the node's own. */
  readonly nics: readonly GrantedNic[];
  readonly growth: readonly Growth[];
  /** The PodSubnets whose addresses the node may use; absent when standalone, where the agent's own configuration says it. */
  readonly subnets?: readonly NodeSubnet[];
  /** Absent: the configuration alone says it. */
  readonly settings?: NodeSettings;
  /** What became of `spec.claims`. */
  readonly claims?: readonly ClaimGranted[];
  /** The leaving (spec.draining) for which nothing is under way in the cloud: what `nics` still holds is all there is. */
  readonly settled?: string;
  /** In a cluster: addresses it holds, of all PodSubnets together. */
  readonly held?: number;
  /** In a cluster: whether it has addresses for its Pods. */
  readonly conditions?: readonly Condition[];
  /** The controller's own memory, which nobody else reads (src/controller/notes.ts). */
  readonly notes?: unknown;
}

/** One per node, named like it. */
export interface NodeNetwork {
  readonly name: string;
  readonly spec: NodeNetworkSpec;
  readonly status: NodeNetworkStatus;
}

/** Where NodeNetwork objects live: SQLite when standalone, the Kubernetes API in a cluster. Writes of one half never touch the other. */
export interface NodeNetworks {
  get(name: string): Promise<NodeNetwork | undefined>;
  list(): Promise<NodeNetwork[]>;
  /** Creates the object when there is none. */
  writeSpec(name: string, spec: NodeNetworkSpec): Promise<void>;
  writeStatus(name: string, status: NodeNetworkStatus): Promise<void>;
  /** Calls back after each change of either half, on a later turn of the event loop. Returns the way to stop. */
  watch(changed: (node: NodeNetwork) => void): () => void;
}
