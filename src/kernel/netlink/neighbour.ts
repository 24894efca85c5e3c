/** Neighbour entries (ARP, ND): rtnetlink RTM_*NEIGH (linux/neighbour.h). */
import { familyOf, type Ip, ipToBytes } from '../../net/address.ts';
import { type Mac, macFromBytes, macToBytes } from '../../net/mac.ts';
import { afOf, decodeIp } from './address.ts';
import { attributesOf, flag, Message, type Received } from './message.ts';

/** Message types (linux/rtnetlink.h), attributes and states (linux/neighbour.h). */
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_PROTOCOL = 12;
const NUD_PERMANENT = 0x80;
const NTF_PROXY = 0x08;

/** A permanent entry: never asked for, never expires. */
export interface Neighbour {
  /** Index of the interface. */
  readonly link: number;
  readonly address: Ip;
  readonly mac: Mac;
}

/** An address that the host answers for on the interface's network, though it is elsewhere (`ip neighbour add proxy`). */
export interface ProxyNeighbour {
  /** Index of the interface. */
  readonly link: number;
  readonly address: Ip;
  /** rtnetlink protocol number: who made it. 0: nobody said. */
  readonly protocol: number;
}

/** Adds a permanent entry; replaces what was learned. */
export function newNeighbour(neighbour: Neighbour): Message {
  return neighbourMessage(RTM_NEWNEIGH, flag.create | flag.replace, neighbour).bytesAttribute(NDA_LLADDR, macToBytes(neighbour.mac));
}

/** Removes an entry. ENOENT when it is not there. */
export function deleteNeighbour(neighbour: Neighbour): Message {
  return neighbourMessage(RTM_DELNEIGH, 0, neighbour);
}

/** Asks for all entries of both families. */
export function dumpNeighbours(): Message {
  return new Message(RTM_GETNEIGH, 0, Buffer.alloc(12));
}

/** An answer or event about a permanent IP neighbour; undefined for everything else. */
export function decodeNeighbour(received: Received): Neighbour | undefined {
  const { payload } = received;
  if ((received.type !== RTM_NEWNEIGH && received.type !== RTM_DELNEIGH) || payload.length < 12) return undefined;
  if ((payload.readUInt16LE(8) & NUD_PERMANENT) === 0) return undefined;
  const attributes = attributesOf(payload, 12);
  const [address, mac] = [decodeIp(attributes.get(NDA_DST)), attributes.get(NDA_LLADDR)];
  if (address === undefined || mac?.length !== 6) return undefined;
  return { link: payload.readInt32LE(4), address, mac: macFromBytes(mac) };
}

/** Answers for the address from now on. One that is there already is no error. */
export function newProxy(proxy: ProxyNeighbour): Message {
  return neighbourMessage(RTM_NEWNEIGH, flag.create | flag.replace, proxy, NTF_PROXY).bytesAttribute(
    NDA_PROTOCOL,
    Uint8Array.of(proxy.protocol),
  );
}

/** Answers for it no more. ENOENT when it did not. */
export function deleteProxy(proxy: Omit<ProxyNeighbour, 'protocol'>): Message {
  return neighbourMessage(RTM_DELNEIGH, 0, proxy, NTF_PROXY);
}

/** Asks for all addresses of both families that are answered for. The kernel takes the flag for it alone, with all else zero (neigh_dump_info()). */
export function dumpProxies(): Message {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt8(NTF_PROXY, 10);
  return new Message(RTM_GETNEIGH, 0, fixed);
}

/** An answer about an address that is answered for; undefined for everything else. */
export function decodeProxy(received: Received): ProxyNeighbour | undefined {
  const { payload, type } = received;
  if (type !== RTM_NEWNEIGH || payload.length < 12 || (payload.readUInt8(10) & NTF_PROXY) === 0) return undefined;
  const attributes = attributesOf(payload, 12);
  const address = decodeIp(attributes.get(NDA_DST));
  if (address === undefined) return undefined;
  return { link: payload.readInt32LE(4), address, protocol: attributes.get(NDA_PROTOCOL)?.[0] ?? 0 };
}

function neighbourMessage(type: number, flags: number, { link, address }: Pick<Neighbour, 'link' | 'address'>, ndmFlags = 0): Message {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt8(afOf(familyOf(address)), 0);
  fixed.writeInt32LE(link, 4);
  fixed.writeUInt16LE(NUD_PERMANENT, 8);
  fixed.writeUInt8(ndmFlags, 10);
  return new Message(type, flags, fixed).bytesAttribute(NDA_DST, ipToBytes(address));
}
