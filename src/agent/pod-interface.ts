/** From a request and a lease to the record a plan is made from. Names and MACs are derived, so that the same attachment has the same ones again. */
import { createHash } from 'node:crypto';
import { servicePrefix, type NamedNic } from '../datapath/host-table.ts';
import type { ServiceVeth, PodInterface, SourceRouting, Underlay } from '../datapath/interface.ts';
import { markOf } from '../datapath/marks.ts';
import { serviceTableOf, podTableOf } from '../datapath/nic.ts';
import { failure } from '../errors/failure.ts';
import type { Ip } from '../net/address.ts';
import type { Cidr } from '../net/cidr.ts';
import { localMac, type Mac } from '../net/mac.ts';
import type { KernelNumbers } from '../store/node-config.ts';
import type { Way } from './way.ts';

/** IFNAMSIZ less the NUL (linux/if.h). */
const NAME_LENGTH = 15;

/** What of a request shapes the interface. */
export interface Wish {
  readonly container: string;
  readonly ifname: string;
  /** CNI_IFNAME, when that is another. */
  readonly calledAs?: string;
  readonly netns: string;
  readonly mac: Mac | undefined;
  /** Lower than the NIC's, or absent. */
  readonly mtu: number | undefined;
  /** How many of the container's interfaces go before this one; absent: none. */
  readonly rank?: number;
  /** The container's other interfaces. */
  readonly others?: readonly PodInterface[];
}

/** What of the node shapes it. */
export interface Around {
  readonly numbers: KernelNumbers;
  /** Destinations that Pods reach through the node. */
  readonly viaNode: readonly Cidr[];
}

/** The record for this wish, with these addresses of that NIC, connected that way. @throws Failure macNotChosen. */
export function podInterface(wish: Wish, way: Way, nic: NamedNic, addresses: readonly Ip[], { numbers, viaNode }: Around): PodInterface {
  const digest = createHash('sha256').update(`${wish.container}/${wish.ifname}`).digest();
  const { linkPrefix, protocol } = numbers;
  const { others = [] } = wish;
  const prefix = way.datapath === 'routed-veth' ? linkPrefix : servicePrefix(linkPrefix);
  const ends = {
    netns: wish.netns,
    ifname: wish.ifname,
    mac: macOf(wish, way, nic, digest),
    hostEnd: prefix + digest.toString('hex').slice(0, NAME_LENGTH - prefix.length),
    hostMac: localMac(digest.subarray(16, 22)),
    mtu: Math.min(wish.mtu ?? nic.nic.mtu, nic.nic.mtu),
    owner: `flatpod:${wish.container}:${wish.ifname}`.slice(0, 255),
    addresses,
    ...(wish.rank !== undefined && wish.rank > 0 && { rank: wish.rank }),
    protocol,
    ...(isDrawnElsewhere(way, others) && { source: sourceOf(numbers, wish.rank ?? 0), besides: besidesOf(others, numbers) }),
    ...(wish.calledAs !== undefined && wish.calledAs !== wish.ifname && { calledAs: wish.calledAs }),
    ...(nic.nic.nodeAnswers === true && isBehindNode(way) && { answeredOn: { link: nic.link, mac: nic.nic.mac } }),
  };
  if (way.datapath === 'routed-veth') return { datapath: way.datapath, ...ends, podTable: podTableOf(numbers) };
  const serviceVeth = serviceVethOf(numbers, wish.rank ?? 0, localMac(digest.subarray(24, 30)), viaNode);
  return { datapath: way.datapath, ...ends, podTable: serviceTableOf(numbers), underlay: underlayOf(way, nic), serviceVeth };
}

/** Whether nothing of the Pod's own is on the network: in its layer 3 modes ipvlan answers nobody. */
function isBehindNode(way: Way): boolean {
  return way.datapath === 'routed-veth' || (way.datapath === 'ipvlan' && way.mode !== 'l2');
}

/** An ipvlan and a macvlan that lets all through (passthru) have their parent's, a NIC and a branch that by which the cloud knows them. */
function macOf({ mac, ifname }: Wish, way: Way, { nic, device }: NamedNic, digest: Buffer): Mac {
  const { datapath } = way;
  const isOwn = datapath === 'routed-veth' || (datapath === 'macvlan' && way.mode !== 'passthru');
  if (isOwn) return mac ?? localMac(digest.subarray(8, 14));
  // Of a range the NIC's is made up.
  const own = (nic.parent === undefined ? undefined : device?.mac) ?? nic.mac;
  if (mac !== undefined && mac !== own) throw failure('macNotChosen', { mac, ifname, datapath, own });
  return own;
}

function underlayOf(way: Exclude<Way, { datapath: 'routed-veth' }>, { nic, link }: NamedNic): Underlay {
  const { cidr4, gateway4, cidr6, gateway6 } = nic;
  const subnets = [
    ...(cidr4 === undefined ? [] : [{ cidr: cidr4, ...(gateway4 !== undefined && { gateway: gateway4 }) }]),
    ...(cidr6 === undefined ? [] : [{ cidr: cidr6, ...(gateway6 !== undefined && { gateway: gateway6 }) }]),
  ];
  // Of a branch the NIC's MAC is its own, and not that of the trunk; a range has none that is real.
  const parent = { parent: link, ...(nic.trunk === undefined && nic.parent === undefined && { parentMac: nic.mac }) };
  switch (way.datapath) {
    case 'ipvlan':
      return { ...parent, of: { type: 'ipvlan', mode: way.mode }, subnets };
    case 'macvlan':
      return { ...parent, of: { type: 'macvlan', mode: way.mode }, subnets };
    case 'branch':
      return { ...parent, of: { type: 'vlan', id: way.vlan }, subnets };
    case 'nic':
      return { ...parent, subnets };
  }
}

/** One a container's interface: each has names, marks and tables of its own in the Pod. */
function serviceVethOf(
  { markMask, priorityMark, firstTable }: KernelNumbers,
  rank: number,
  mac: Mac,
  viaNode: readonly Cidr[],
): ServiceVeth {
  return {
    name: `node${rank}`,
    mac,
    viaNode,
    mark: { value: markOf(rank, markMask), mask: markMask },
    priority: priorityMark,
    table: firstTable + 2 * rank + 1,
  };
}

/** Whether one of several interfaces has a subnet on its link, which would draw answers to it that belong to another. */
function isDrawnElsewhere({ datapath }: Way, others: readonly PodInterface[]): boolean {
  return others.length > 0 && [datapath, ...others.map((other) => other.datapath)].some((one) => one !== 'routed-veth');
}

/** How what leaves by sender is numbered in the Pod, for an interface of that rank. */
function sourceOf({ firstTable, priorityFromPod }: KernelNumbers, rank: number): SourceRouting {
  return { table: firstTable + 2 * rank + 2, priority: priorityFromPod };
}

/** The same where another interface brings the rules: tables of their own, since the interface may go and come again with rules of its own. */
function besideOf({ firstTable, priorityFromPod }: KernelNumbers, rank: number): SourceRouting {
  return { table: firstTable + 64 + rank, priority: priorityFromPod };
}

/** Of the container's interfaces those that were alone until now: they get such rules with this one. */
function besidesOf(others: readonly PodInterface[], numbers: KernelNumbers): PodInterface[] {
  const covered = new Set(others.flatMap(({ besides = [] }) => besides.map(({ ifname }) => ifname)));
  return others
    .filter(({ source, ifname }) => source === undefined && !covered.has(ifname))
    .map((other) => ({ ...other, source: besideOf(numbers, other.rank ?? 0) }));
}
