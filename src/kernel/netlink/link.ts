/** Network interfaces: rtnetlink RTM_*LINK (linux/if_link.h, linux/if_addr.h's sibling ifinfomsg in linux/rtnetlink.h). */
import { type Mac, macFromBytes, macToBytes } from '../../net/mac.ts';
import { attributesOf, eachAttribute, flag, Message, type Received, textIn, textOf } from './message.ts';

/** Message types (linux/rtnetlink.h). */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;

const IFLA = {
  address: 1,
  ifname: 3,
  mtu: 4,
  link: 5,
  master: 10,
  linkinfo: 18,
  ifalias: 20,
  group: 27,
  netNsFd: 28,
  txQueues: 31,
  rxQueues: 32,
} as const;
const INFO_KIND = 1;
const INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFF_UP = 1;
const IFF_LOWER_UP = 0x1_0000;

/** An interface as the kernel shows it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly mac: Mac | undefined;
  readonly mtu: number;
  readonly up: boolean;
  /** `veth`, `bridge` …; absent for real devices and loopback. */
  readonly kind: string | undefined;
  readonly alias: string | undefined;
  /** Index of the bridge it is enslaved to. */
  readonly master: number | undefined;
  /** Index of a veth's peer or of a child's parent, in that one's namespace. */
  readonly peer: number | undefined;
  /** Of a macvlan and an ipvlan the number of its mode, of a VLAN its id; absent of all others. */
  readonly variant?: number;
}

/** One end of a new link. */
export interface NewLink {
  readonly name: string;
  /** The kernel chooses one when absent; EBUSY when it is in use. */
  readonly index?: number;
  readonly mac?: Mac;
  readonly mtu?: number;
  readonly up?: boolean;
  readonly master?: number;
  /** The namespace the link is born in, as an open file; the socket's own when absent. */
  readonly netnsFd?: number;
}

/** A veth pair, both ends born where they belong: moving one later would wait for rcu_barrier with RTNL held. The peer cannot be born up. */
export function newVeth(near: NewLink, peer: NewLink): Message {
  return newLink(near, 'veth', (message) => message.nest(VETH_INFO_PEER, () => endOf(message, peer), ifinfomsg(peer.index ?? 0, peer)));
}

/** A link of a kind that needs no more than its name (`bridge`, `ifb`), or whose own attributes `data` writes (`macvlan`, `vlan`). `parent`: index. */
export function newLink(link: NewLink, kind: string, data?: (message: Message) => void, parent?: number): Message {
  const message = endOf(new Message(RTM_NEWLINK, flag.create | flag.excl, ifinfomsg(link.index ?? 0, link)), link);
  if (parent !== undefined) message.u32(IFLA.link, parent);
  return message.nest(IFLA.linkinfo, () => {
    message.text(INFO_KIND, kind);
    if (data !== undefined) message.nest(INFO_DATA, () => data(message));
  });
}

/** What can be set on a link that is there. */
export interface LinkChange extends Partial<NewLink> {
  /** Shows who owns the link (`ip link` prints it). The kernel ignores it in the message that creates a link. At most 255 bytes. */
  readonly alias?: string;
  readonly group?: number;
}

/** Sets what is given, leaves what is not. A `netnsFd` moves the link. */
export function setLink(index: number, change: LinkChange): Message {
  const message = endOf(new Message(RTM_SETLINK, 0, ifinfomsg(index, change)), change);
  if (change.alias !== undefined) message.bytesAttribute(IFLA.ifalias, Buffer.from(change.alias));
  return change.group === undefined ? message : message.u32(IFLA.group, change.group);
}

/** Changes what is special to the link's kind, which `data` writes; what it leaves out stays. */
export function changeLink(index: number, kind: string, data: (message: Message) => void): Message {
  return new Message(RTM_NEWLINK, 0, ifinfomsg(index, {})).nest(IFLA.linkinfo, (message) =>
    message.text(INFO_KIND, kind).nest(INFO_DATA, data),
  );
}

/** Deletes a link. The acknowledgement comes only after rcu_barrier, 12–20 ms; the event comes at once. */
export function deleteLink(index: number): Message {
  return new Message(RTM_DELLINK, 0, ifinfomsg(index, {}));
}

/** Deletes all links of a group at once: one rcu_barrier for all of them. */
export function deleteLinkGroup(group: number): Message {
  return new Message(RTM_DELLINK, 0, ifinfomsg(0, {})).u32(IFLA.group, group);
}

/** Asks for one link, by name or by index. */
export function getLink(which: string | number): Message {
  return typeof which === 'number'
    ? new Message(RTM_GETLINK, 0, ifinfomsg(which, {}))
    : new Message(RTM_GETLINK, 0, ifinfomsg(0, {})).text(IFLA.ifname, which);
}

/**
 * Orders links of one MAC, the device itself first: of a bond, or a virtual function and the device that stands for both, that is the one which is nobody's
 * member; VLANs and the like are made after the link they stand on, and have a higher index.
 */
export function byRank(a: Link, b: Link): number {
  return Number(a.master !== undefined) - Number(b.master !== undefined) || a.index - b.index;
}

/** Asks for all links. */
export function dumpLinks(): Message {
  return new Message(RTM_GETLINK, 0, ifinfomsg(0, {}));
}

/** The index in an answer or event about a link; undefined for other messages. */
export function decodeLinkIndex({ type, payload }: Received): number | undefined {
  return (type !== RTM_NEWLINK && type !== RTM_DELLINK) || payload.length < 16 ? undefined : payload.readInt32LE(4);
}

/** Whether an answer about a link says that it is up and has a carrier, so that frames can get through. */
export function hasCarrier({ payload }: Received): boolean {
  return payload.length >= 16 && (payload.readUInt32LE(8) & IFF_LOWER_UP) !== 0;
}

/** An answer or event about a link; undefined for other messages. The kernel tells some sixty attributes of each link: only ours are looked at. */
export function decodeLink(received: Received): Link | undefined {
  const { payload } = received;
  const index = decodeLinkIndex(received);
  if (index === undefined) return undefined;
  const link: { -readonly [K in keyof Link]: Link[K] } = { ...unknownLink, index, up: (payload.readUInt32LE(8) & IFF_UP) !== 0 };
  eachAttribute(payload, 16, (type, start, end) => {
    if (type === IFLA.ifname) link.name = textIn(payload, start, end);
    else if (type === IFLA.address && end - start === 6) link.mac = macFromBytes(payload.subarray(start, end));
    else if (type === IFLA.mtu && end - start >= 4) link.mtu = payload.readUInt32LE(start);
    else if (type === IFLA.linkinfo) Object.assign(link, kindIn(payload.subarray(start, end)));
    else if (type === IFLA.ifalias) link.alias = textIn(payload, start, end);
    else if (type === IFLA.master && end - start >= 4) link.master = payload.readUInt32LE(start);
    else if (type === IFLA.link && end - start >= 4) link.peer = payload.readUInt32LE(start);
  });
  return link;
}

/** IFLA_MACVLAN_MODE, IFLA_IPVLAN_MODE and IFLA_VLAN_ID are all attribute 1, of two bytes or four. */
const VARIANT = 1;
const withVariant: readonly (string | undefined)[] = ['macvlan', 'ipvlan', 'vlan'];

function kindIn(linkinfo: Buffer): Pick<Link, 'kind' | 'variant'> {
  const attributes = attributesOf(linkinfo);
  const kind = textOf(attributes, INFO_KIND);
  const data = withVariant.includes(kind) ? attributes.get(INFO_DATA) : undefined;
  const variant = data && attributesOf(data).get(VARIANT);
  return variant === undefined || variant.length < 2 ? { kind } : { kind, variant: variant.readUInt16LE(0) };
}

const unknownLink: Link = {
  index: 0,
  name: '',
  mac: undefined,
  mtu: 0,
  up: false,
  kind: undefined,
  alias: undefined,
  master: undefined,
  peer: undefined,
};

function ifinfomsg(index: number, link: Pick<NewLink, 'up'>): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeInt32LE(index, 4);
  if (link.up !== undefined) {
    bytes.writeUInt32LE(link.up ? IFF_UP : 0, 8);
    bytes.writeUInt32LE(IFF_UP, 12);
  }
  return bytes;
}

function endOf(message: Message, link: Partial<NewLink>): Message {
  if (link.name !== undefined) message.text(IFLA.ifname, link.name);
  if (link.mac !== undefined) message.bytesAttribute(IFLA.address, macToBytes(link.mac));
  if (link.mtu !== undefined) message.u32(IFLA.mtu, link.mtu);
  if (link.master !== undefined) message.u32(IFLA.master, link.master);
  if (link.netnsFd !== undefined) message.u32(IFLA.netNsFd, link.netnsFd);
  // One queue each: per-CPU queues cost 16 % on 2 CPUs, 3.5 × on 64.
  if (message.type === RTM_NEWLINK) message.u32(IFLA.txQueues, 1).u32(IFLA.rxQueues, 1);
  return message;
}
