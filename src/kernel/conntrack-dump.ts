/** Forgetting connections on kernels that cannot filter deletions: the table is read, and what matches is deleted one by one. */
import { setImmediate } from 'node:timers/promises';
import { familyOf, type Ip, ipToBytes } from '../net/address.ts';
import { attributesOf, Message, type Received } from './netlink/message.ts';
import { nfgenmsg, protocolFamily, subsystem, typeIn } from './netlink/netfilter.ts';
import { dumpOffLoop } from './netlink/off-loop.ts';
import type { NetlinkSocket } from './netlink/socket.ts';

const CT_NEW = typeIn(subsystem.conntrack, 0);
const CT_GET = typeIn(subsystem.conntrack, 1);
const CT_DELETE = typeIn(subsystem.conntrack, 2);
/** enum ctattr_type; `id` tells two connections apart that follow each other with the same ports. */
const CTA = { tupleOrig: 1, tupleReply: 2, id: 12, zone: 18 } as const;
const CTA_TUPLE_IP = 1;
const CTA_IP_SRC = { 4: 1, 6: 3 } as const;
/** Deletions between two turns of the event loop: about a millisecond. */
const SLICE = 128;

/** One connection, as far as it takes to delete it. */
interface Connection {
  readonly family: number;
  readonly attributes: readonly (readonly [type: number, value: Buffer])[];
}

/** Deletes the connections whose source in either direction is the address; resolves with their number. @throws NetlinkError. */
export async function flushByDump(socket: NetlinkSocket, address: Ip): Promise<number> {
  const family = familyOf(address) === 4 ? protocolFamily.ip : protocolFamily.ip6;
  const request = new Message(CT_GET, 0, nfgenmsg(family));
  const connections = await dumpOffLoop(socket, request, (received) => connectionOf(received, address));
  let deleted = 0;
  for (let at = 0; at < connections.length; at += SLICE) {
    const errors = socket.batch(connections.slice(at, at + SLICE).map(deletionOf));
    // What is refused has ended by itself (ENOENT): nobody keeps a connection against an administrator.
    deleted += errors.filter((error) => error === undefined).length;
    await setImmediate();
  }
  return deleted;
}

/** The connection in a message of a dump, when the address is a source in it; undefined otherwise. Copies what it keeps. */
export function connectionOf(received: Received, address: Ip): Connection | undefined {
  if (received.type !== CT_NEW || received.payload.length < 4) return undefined;
  const attributes = attributesOf(received.payload, 4);
  const wanted = ipToBytes(address);
  const matches = [CTA.tupleOrig, CTA.tupleReply].some((tuple) => sourceOf(attributes.get(tuple), address)?.equals(wanted));
  if (!matches) return undefined;
  const kept = [CTA.tupleOrig, CTA.id, CTA.zone].flatMap((type) => {
    const value = attributes.get(type);
    return value === undefined ? [] : [[type, Buffer.from(value)] as const];
  });
  return { family: received.payload.readUInt8(0), attributes: kept };
}

function sourceOf(tuple: Buffer | undefined, address: Ip): Buffer | undefined {
  const ip = tuple === undefined ? undefined : attributesOf(tuple).get(CTA_TUPLE_IP);
  return ip === undefined ? undefined : attributesOf(ip).get(CTA_IP_SRC[familyOf(address)]);
}

function deletionOf({ family, attributes }: Connection): Message {
  const message = new Message(CT_DELETE, 0, nfgenmsg(family));
  for (const [type, value] of attributes) message.bytesAttribute(type, value);
  return message;
}
