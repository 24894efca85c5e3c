/** What nftables holds, by raw nfnetlink dumps: the elements of a set, the comment of a table. For CHECK, repair and the sweep, never for ADD. */
import { failure } from '../errors/failure.ts';
import { attributesOf, Message, type Received } from './netlink/message.ts';
import { nfgenmsg, protocolFamily, subsystem, typeIn } from './netlink/netfilter.ts';
import type { NetlinkSocket } from './netlink/socket.ts';
import { DATA_VALUE, ELEMENT, LIST, LIST_ELEMENT, type SetElement, type SetName } from './nft-elements.ts';
import { type SetValue, valueOfBytes } from './nft-values.ts';

const GETTABLE = typeIn(subsystem.nftables, 1);
const GETSET = typeIn(subsystem.nftables, 10);
const GETSETELEM = typeIn(subsystem.nftables, 13);
const NEWSETELEM = typeIn(subsystem.nftables, 12);
const TABLE = { name: 1, userdata: 6 } as const;
const SET = { table: 1, name: 2, keyType: 4, dataType: 6 } as const;
/** libnftnl's udata.h: the comment is entry 0 of a table's user data. */
const TABLE_COMMENT = 0;

/** Types of a set's keys and data, in nft(8)'s numbers. */
interface SetTypes {
  readonly key: number;
  readonly data: number | undefined;
}

/**
 * All elements of a set or map, complete and consistent; undefined when there is no such table or set. Knows the types of {@link SetValue}; an
 * interval set has none of them.
 * @throws NetlinkError; Failure kernelRefused for a set of another type.
 */
export function readSet(socket: NetlinkSocket, set: SetName): SetElement[] | undefined {
  const family = nfgenmsg(protocolFamily[set.family]);
  const types = socket.get(new Message(GETSET, 0, family).text(SET.table, set.table).text(SET.name, set.set), decodeTypes);
  if (types === undefined) return undefined;
  const dump = new Message(GETSETELEM, 0, family).text(LIST.table, set.table).text(LIST.set, set.set);
  return socket.dump(dump, (received) => decodeElements(received, set, types)).flat();
}

/** The comment of a table, empty when it has none; undefined when there is no such table. `nft -j` of version 1.0.6 leaves it out. @throws NetlinkError. */
export function readTableComment(socket: NetlinkSocket, family: SetName['family'], table: string): string | undefined {
  return socket.get(new Message(GETTABLE, 0, nfgenmsg(protocolFamily[family])).text(TABLE.name, table), decodeComment);
}

/** The comment in an answer about a table. */
export function decodeComment({ payload }: Received): string {
  const userdata = attributesOf(payload, 4).get(TABLE.userdata) ?? Buffer.alloc(0);
  // Entries of type u8, length u8, value.
  for (let at = 0; at + 2 <= userdata.length; at += 2 + userdata.readUInt8(at + 1)) {
    const value = userdata.subarray(at + 2, at + 2 + userdata.readUInt8(at + 1));
    if (userdata.readUInt8(at) === TABLE_COMMENT) return value.toString('utf8').replace(/\0.*$/s, '');
  }
  return '';
}

function decodeTypes({ payload }: Received): SetTypes {
  const attributes = attributesOf(payload, 4);
  return { key: u32be(attributes.get(SET.keyType)) ?? 0, data: u32be(attributes.get(SET.dataType)) };
}

/** The elements in one part of a dump; undefined for other messages. @throws Failure kernelRefused when one is of another type than ours. */
export function decodeElements(received: Received, set: SetName, types: SetTypes): SetElement[] | undefined {
  if (received.type !== NEWSETELEM) return undefined;
  const list = attributesOf(received.payload, 4).get(LIST.elements);
  if (list === undefined) return [];
  return partsOf(list, LIST_ELEMENT).map((part) => {
    const attributes = attributesOf(part);
    const key = valueIn(attributes.get(ELEMENT.key), types.key);
    const data = types.data === undefined ? undefined : valueIn(attributes.get(ELEMENT.data), types.data);
    if (key === undefined || (types.data !== undefined && data === undefined) || attributes.has(ELEMENT.flags)) throw foreign(set, types);
    return { ...set, key, ...(data !== undefined && { data }) };
  });
}

function valueIn(data: Buffer | undefined, type: number): SetValue | undefined {
  const bytes = data === undefined ? undefined : attributesOf(data).get(DATA_VALUE);
  return bytes === undefined ? undefined : valueOfBytes(bytes, type);
}

/** The payloads of all attributes of one type: lists repeat it. */
function partsOf(bytes: Buffer, type: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    if ((bytes.readUInt16LE(at + 2) & 0x3fff) === type) parts.push(bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return parts;
}

function foreign(set: SetName, types: SetTypes): Error {
  const text = `its elements are of a type that we do not use (nft type ${types.key}${types.data === undefined ? '' : ` : ${types.data}`})`;
  return failure('kernelRefused', {
    action: 'read',
    object: `nft set ${set.family} ${set.table} ${set.set}`,
    netns: 'host',
    errno: 'EINVAL',
    text,
  });
}

/** nf_tables speaks network byte order. */
function u32be(bytes: Buffer | undefined): number | undefined {
  return bytes === undefined || bytes.length < 4 ? undefined : bytes.readUInt32BE(0);
}
