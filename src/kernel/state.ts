/**
 * Desired kernel state as data. A datapath returns a list of these; one engine adds, compares, repairs and removes them.
 *
 * Links are named, not numbered: an index is only known once the link is there. The order of a plan is the order in which it can be added;
 * removal goes the other way.
 */
import type { Family, Ip } from '../net/address.ts';
import type { Cidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { ChildKind } from './netlink/child.ts';
import { MAIN_TABLE } from './netlink/route.ts';

/** A network namespace: the process's own, or the one bound at a path. */
export type Where = { readonly netns: 'host' } | { readonly netns: 'path'; readonly path: string };
export const host: Where = { netns: 'host' };
/** The namespace bound at that path. */
export function inNetns(path: string): Where {
  return { netns: 'path', path };
}

/** A veth pair whose near end is up. `owner` becomes the near end's alias: only links that carry it are ever removed. */
export interface VethObject {
  readonly kind: 'veth';
  readonly where: Where;
  readonly name: string;
  readonly mac: Mac;
  readonly mtu: number;
  readonly owner: string;
  /**
   * Whether the near end takes part in IPv6. Switched off before it goes up where nobody needs it: every end's fe80::/64 route hangs from one prefix,
   * and each new one costs more than the one before.
   */
  readonly ipv6: boolean;
  readonly peer: { readonly where: Where; readonly name: string; readonly mac: Mac };
}

/**
 * A child of one of the host's links (macvlan, ipvlan, a VLAN), born in the namespace where it belongs, and down. `owner` becomes its alias: only a link
 * that carries it is ever removed.
 */
export interface ChildObject {
  readonly kind: 'child';
  readonly where: Where;
  readonly name: string;
  /** Name of the host's link. */
  readonly parent: string;
  /** Its MAC: a link that has it is the parent, whatever its name has become. */
  readonly parentMac?: Mac;
  readonly of: ChildKind;
  /** Absent: its parent's, which an ipvlan always has. */
  readonly mac?: Mac;
  readonly mtu: number;
  readonly owner: string;
}

/**
 * A link of the host's that is moved into another namespace under a name of there, and goes back home when the plan is removed. It is known by its MAC,
 * wherever it is: a namespace that ends gives a NIC back to the host under whatever name it had. One whose MAC the container changed is known by its alias.
 */
export interface NicObject {
  readonly kind: 'nic';
  readonly where: Where;
  readonly name: string;
  readonly mac: Mac;
  /** Its name in the host. */
  readonly home: string;
  /** Its alias while it is away; no other link has it. */
  readonly owner: string;
}

/** A link that exists already (or is made earlier in the plan): up, and of that MTU and that MAC when they are given. */
export interface LinkObject {
  readonly kind: 'link';
  readonly where: Where;
  readonly name: string;
  readonly mtu?: number;
  readonly mac?: Mac;
}

/** An address of a link. */
export interface AddressObject {
  readonly kind: 'address';
  readonly where: Where;
  readonly link: string;
  readonly address: Ip;
  readonly length: number;
}

/** A route by a link, on it or through a gateway. */
export interface RouteObject {
  readonly kind: 'route';
  readonly where: Where;
  readonly dst: Cidr;
  readonly link: string;
  readonly via?: Ip;
  readonly src?: Ip;
  readonly scope: 'global' | 'link';
  /** The gateway is on the link although no route says so. */
  readonly onLink?: boolean;
  readonly table: number;
  readonly protocol: number;
  /** Lower wins; absent: the kernel's default for the family (0, or 1024 of IPv6). */
  readonly metric?: number;
  /** It is the way of another interface, whose end takes it along: nothing is missing then. */
  readonly optional?: true;
}

/** A routing-policy rule that leads to a table. */
export interface RuleObject {
  readonly kind: 'rule';
  readonly where: Where;
  readonly family: Family;
  readonly priority: number;
  readonly from?: Cidr;
  readonly to?: Cidr;
  readonly mark?: { readonly value: number; readonly mask: number };
  /** Name of the link that packets come in by. The rule outlives the link. */
  readonly iif?: string;
  readonly table: number;
  readonly protocol: number;
}

/** A permanent neighbour. */
export interface NeighbourObject {
  readonly kind: 'neighbour';
  readonly where: Where;
  readonly link: string;
  readonly address: Ip;
  readonly mac: Mac;
}

/**
 * An address that is answered for on the network of a link (ARP, neighbour discovery), though it is behind another one. The link is known by its MAC,
 * whatever its name has become.
 */
export interface ProxyObject {
  readonly kind: 'proxy';
  readonly where: Where;
  readonly link: string;
  readonly linkMac: Mac;
  readonly address: Ip;
  readonly protocol: number;
}

/** A file under /proc/sys, its parts separated by slashes (interface names may hold dots). Removal leaves it as it is. */
export interface SysctlObject {
  readonly kind: 'sysctl';
  readonly where: Where;
  readonly key: string;
  readonly value: string;
}

/** A whole nftables table of ours. `text` defines it alone; its digest is kept in the table's comment, by which CHECK knows it. */
export interface NftTableObject {
  readonly kind: 'nft-table';
  readonly where: Where;
  readonly family: 'inet';
  readonly table: string;
  readonly text: string;
  /** Several plans share it: one that was loaded from this text is left as it is, as loading it anew takes milliseconds. */
  readonly shared?: boolean;
}

/** Whatever a plan may hold. */
export type KernelObject =
  | VethObject
  | ChildObject
  | NicObject
  | LinkObject
  | AddressObject
  | RouteObject
  | RuleObject
  | NeighbourObject
  | ProxyObject
  | SysctlObject
  | NftTableObject;

/** What should be, in the order in which it can be made. */
export type Plan = readonly KernelObject[];

/** `host`, or the namespace's path. */
export function nameOf(where: Where): string {
  return where.netns === 'host' ? 'host' : where.path;
}

/** The object in the words of ip(8), for errors, logs and `flatpod check`. */
export function describe(object: KernelObject): string {
  switch (object.kind) {
    case 'veth':
      return `veth ${object.name} with peer ${object.peer.name}`;
    case 'child':
      return `${kindName(object.of)} ${object.name} of ${object.parent}`;
    case 'nic':
      return `NIC ${object.mac} as ${object.name}`;
    case 'link':
      return `link ${object.name} up${object.mtu === undefined ? '' : ` mtu ${object.mtu}`}`;
    case 'address':
      return `address ${object.address}/${object.length} dev ${object.link}`;
    case 'route':
      return `route ${object.dst}${object.via === undefined ? '' : ` via ${object.via}`} dev ${object.link} table ${tableName(object.table)}${object.metric === undefined ? '' : ` metric ${object.metric}`}`;
    case 'rule':
      return `rule ${object.priority}: ${selectorOf(object)} lookup ${tableName(object.table)}`;
    case 'neighbour':
      return `neighbour ${object.address} lladdr ${object.mac} dev ${object.link} permanent`;
    case 'proxy':
      return `neighbour proxy ${object.address} dev ${object.link}`;
    case 'sysctl':
      return `sysctl ${object.key} = ${object.value}`;
    case 'nft-table':
      return `nft table ${object.family} ${object.table}`;
  }
}

function kindName(of: ChildKind): string {
  return of.type === 'vlan' ? `vlan ${of.id}` : `${of.type} ${of.mode}`;
}

function selectorOf(rule: RuleObject): string {
  const parts = [
    rule.from === undefined ? undefined : `from ${rule.from}`,
    rule.to === undefined ? undefined : `to ${rule.to}`,
    rule.mark === undefined ? undefined : `fwmark 0x${rule.mark.value.toString(16)}/0x${rule.mark.mask.toString(16)}`,
    rule.iif === undefined ? undefined : `iif ${rule.iif}`,
  ];
  const text = parts.filter((part) => part !== undefined).join(' ');
  return text === '' ? `all (IPv${rule.family})` : text;
}

function tableName(table: number): string {
  return table === MAIN_TABLE ? 'main' : String(table);
}
