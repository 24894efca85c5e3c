/** Interface addresses: rtnetlink RTM_*ADDR (linux/if_addr.h). */
import { type Family, familyOf, type Ip, ipFromBytes, ipToBytes } from '../../net/address.ts';
import { attributesOf, flag, Message, type Received } from './message.ts';

/** Message types (linux/rtnetlink.h) and attributes (linux/if_addr.h). */
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
/** No DAD for IPv6: the cloud has already promised that the address is ours, and DAD would delay the first packet by a second. */
const IFA_F_NODAD = 2;
/** Duplicate address detection (RFC 4862, 5.4) goes on, or somebody else has the address; an optimistic one is used meanwhile. */
const [IFA_F_OPTIMISTIC, IFA_F_DADFAILED, IFA_F_TENTATIVE] = [4, 8, 0x40];

/** linux/rtnetlink.h */
const RT_SCOPE_HOST = 254;

/** Address families (sys/socket.h). */
export const AF_INET = 2;
export const AF_INET6 = 10;

/** AF_INET or AF_INET6. */
export function afOf(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** An address on an interface. */
export interface LinkAddress {
  /** Index of the interface. */
  readonly link: number;
  readonly address: Ip;
  /** Prefix length, 0–128. */
  readonly length: number;
  /** Of IPv6, as long as the kernel does not use it: it still asks whether somebody else has it, or somebody else has. */
  readonly unusable?: 'asking' | 'taken';
}

/** Adds the address; replaces an equal one. IPv6 without duplicate address detection. `scope` host: the kernel never takes it as the source of what leaves. */
export function newAddress(address: LinkAddress & { readonly scope?: 'host' }): Message {
  return addressMessage(RTM_NEWADDR, flag.create | flag.replace, address, address.scope === 'host' ? RT_SCOPE_HOST : 0);
}

/** Removes an address. EADDRNOTAVAIL when it is not there. */
export function deleteAddress(address: LinkAddress): Message {
  return addressMessage(RTM_DELADDR, 0, address);
}

/** Asks for the addresses of all interfaces, both families. */
export function dumpAddresses(): Message {
  return new Message(RTM_GETADDR, 0, Buffer.alloc(8));
}

/** An answer or event about an address; undefined for other messages and families. */
export function decodeAddress(received: Received): LinkAddress | undefined {
  const { payload } = received;
  if ((received.type !== RTM_NEWADDR && received.type !== RTM_DELADDR) || payload.length < 8) return undefined;
  const attributes = attributesOf(payload, 8);
  // For IPv4 LOCAL is the address and ADDRESS a point-to-point peer; IPv6 has ADDRESS alone unless there is a peer.
  const address = decodeIp(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS));
  if (address === undefined) return undefined;
  const unusable = unusableBy(payload.readUInt8(2));
  return { link: payload.readUInt32LE(4), address, length: payload.readUInt8(1), ...(unusable && { unusable }) };
}

function unusableBy(flags: number): LinkAddress['unusable'] {
  if ((flags & IFA_F_DADFAILED) !== 0) return 'taken';
  return (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) === IFA_F_TENTATIVE ? 'asking' : undefined;
}

/** 4 or 16 bytes as an address; undefined for anything else. */
export function decodeIp(bytes: Buffer | undefined): Ip | undefined {
  return bytes?.length === 4 || bytes?.length === 16 ? ipFromBytes(bytes) : undefined;
}

function addressMessage(type: number, flags: number, { link, address, length }: LinkAddress, scope = 0): Message {
  const family = familyOf(address);
  const fixed = Buffer.alloc(8);
  fixed.writeUInt8(afOf(family), 0);
  fixed.writeUInt8(length, 1);
  if (family === 6 && type === RTM_NEWADDR) fixed.writeUInt8(IFA_F_NODAD, 2);
  fixed.writeUInt8(scope, 3);
  fixed.writeUInt32LE(link, 4);
  const bytes = ipToBytes(address);
  const message = new Message(type, flags, fixed).bytesAttribute(IFA_LOCAL, bytes);
  return message.bytesAttribute(IFA_ADDRESS, bytes);
}
