/** A Pod's interface: the record that every plan is made from. */
import type { ChildKind } from '../kernel/netlink/child.ts';
import type { RouteObject, RuleObject } from '../kernel/state.ts';
import type { Ip } from '../net/address.ts';
import type { Cidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';

/**
 * All that a plan depends on, stored with the attachment: the plan made today from this record equals the one that was applied,
 * whatever the configuration says by then.
 */
export type PodInterface = RoutedInterface | UnderlayInterface;

/**
 * What stands behind an attachment: an interface that is made here; or addresses alone, for an interface that another main plugin makes and that asked the
 * IPAM plugin for them; or an interface that a former plugin made, addresses and all.
 */
export type AttachedInterface = PodInterface | LeasedInterface | AdoptedInterface;

/** Addresses of a PodSubnet on an interface that is none of ours. */
export interface LeasedInterface {
  readonly datapath: 'none';
  /** Path of the Pod's network namespace. */
  readonly netns: string;
  readonly ifname: string;
  readonly addresses: readonly Ip[];
  readonly calledAs?: never;
}

/** Plugins whose Pods can be taken over. */
export const formerPlugins = ['aws-node', 'hostnic', 'rubble'] as const;
/** One of them. */
export type FormerPlugin = (typeof formerPlugins)[number];

/** What a plugin made that was on this node before: the Pod keeps it as it is until it ends, and then what is about its addresses goes. */
export interface AdoptedInterface {
  readonly datapath: 'adopted';
  readonly madeBy: FormerPlugin;
  /** Path of the Pod's network namespace; empty: no name of it was found. */
  readonly netns: string;
  readonly ifname: string;
  readonly addresses: readonly Ip[];
  /** The host's end of the Pod's veth; absent: the Pod has none. */
  readonly hostEnd?: NodeLink;
  /** What in the host is about these very addresses, as it was found. */
  readonly routes: readonly FormerRoute[];
  readonly rules: readonly FormerRule[];
  /** Routes of ours in the table of Pods, which lead to it from Pods that are made here. */
  readonly ways: readonly FormerRoute[];
  readonly calledAs?: never;
}

/** A route of the host that leads to one of its addresses. */
export type FormerRoute = Pick<RouteObject, 'dst' | 'link' | 'scope' | 'table' | 'protocol' | 'metric'>;
/** A rule of the host that goes by one of its addresses. */
export type FormerRule = Omit<RuleObject, 'kind' | 'where'>;

/** Whether the interface is made here. */
export function isMade(attached: AttachedInterface): attached is PodInterface {
  return !isLeased(attached) && !isAdopted(attached);
}

/** Whether another main plugin makes it, and asked for its addresses. */
export function isLeased(attached: AttachedInterface): attached is LeasedInterface {
  return attached.datapath === 'none';
}

/** Whether a former plugin made it. */
export function isAdopted(attached: AttachedInterface): attached is AdoptedInterface {
  return attached.datapath === 'adopted';
}

/** What all datapaths have: the Pod's interface, and a veth between host and Pod, which is either that very interface or the service veth beside it. */
interface Ends {
  /** Path of the Pod's network namespace. */
  readonly netns: string;
  readonly ifname: string;
  readonly mac: Mac;
  /** The host's end of the veth. */
  readonly hostEnd: string;
  readonly hostMac: Mac;
  readonly mtu: number;
  /** The alias of what the plan makes. */
  readonly owner: string;
  readonly addresses: readonly Ip[];
  /** Of a container with several interfaces: how many go before this one where it leaves for anywhere. Absent: none. */
  readonly rank?: number;
  /** The host's routing table that leads to such Pods. */
  readonly podTable: number;
  /** rtnetlink protocol of its routes. */
  readonly protocol: number;
  /** On this link's network the node answers for the Pod's addresses; absent: the cloud does, or the Pod itself. */
  readonly answeredOn?: NodeLink;
  /** CNI_IFNAME of the request, where the configuration named the interface otherwise: no plan depends on it, but the runtime knows the attachment by it. */
  readonly calledAs?: string;
  /** Of a container with several interfaces: what leaves with this one's addresses leaves by it, as a rule for each says. */
  readonly source?: SourceRouting;
  /** Interfaces of the container that were there before and have no such rules: the ways of this one's subnet would draw their answers to it. */
  readonly besides?: readonly PodInterface[];
}

/** A link of the node's; its name may change. */
export interface NodeLink {
  readonly link: string;
  readonly mac: Mac;
}

/** Numbers in the Pod for what leaves by sender. */
export interface SourceRouting {
  readonly table: number;
  readonly priority: number;
}

/** Behind a veth, reached by the node's routing. */
export interface RoutedInterface extends Ends {
  readonly datapath: 'routed-veth';
}

/** On the network of one of the node's interfaces, with the veth as a service veth that leads to the node. */
export interface UnderlayInterface extends Ends {
  readonly datapath: UnderlayDatapath;
  readonly underlay: Underlay;
  readonly serviceVeth: ServiceVeth;
}

/** How the Pod is on the network. */
export interface Underlay {
  /** The host's link: the parent, or for a whole NIC its name at home. */
  readonly parent: string;
  /** The parent's MAC, where the cloud knows it by that; absent: by its name alone. */
  readonly parentMac?: Mac;
  /** What stands on the parent; absent: the whole NIC is the Pod's. */
  readonly of?: ChildKind;
  /** The subnet of each family, with the way out of it. */
  readonly subnets: readonly { readonly cidr: Cidr; readonly gateway?: Ip }[];
}

/** The Pod's end of the service veth, and what goes by it. */
export interface ServiceVeth {
  readonly name: string;
  readonly mac: Mac;
  /** Destinations that are reached through the node: its own addresses, Services. */
  readonly viaNode: readonly Cidr[];
  /** Numbers in the Pod for what came in by the service veth. */
  readonly mark: { readonly value: number; readonly mask: number };
  readonly priority: number;
  readonly table: number;
}

/** Datapaths that put the Pod onto the network of an interface. */
export type UnderlayDatapath = 'ipvlan' | 'macvlan' | 'nic' | 'branch';
