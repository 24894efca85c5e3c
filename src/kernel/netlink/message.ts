/**
 * Netlink messages, byte by byte (linux/netlink.h): a header of 16 bytes, a fixed part, then attributes, each padded to 4.
 * Host byte order is little-endian on every machine we run on; addresses are in network order.
 */

/** nlmsghdr.nlmsg_flags (linux/netlink.h). */
export const flag = {
  request: 1,
  ack: 4,
  echo: 8,
  dump: 0x300,
  replace: 0x100,
  excl: 0x200,
  create: 0x400,
  append: 0x800,
  dumpInterrupted: 0x10,
} as const;

/** Length of struct nlmsghdr (linux/netlink.h). */
export const HEADER = 16;
const NESTED = 0x8000;

/** Lengths are 16 bit per attribute and we never come near this per message: more is a defect. */
const CAPACITY = 128 * 1024;

/** One message under construction. `bytes` is complete once every nest is closed; sequence number and flags are set by the socket. */
export class Message {
  readonly type: number;
  flags: number;
  private readonly buffer: Buffer;
  private end = HEADER;

  /** `fixed`: the family's own header (ifinfomsg, rtmsg …), already padded to 4. `capacity` in bytes. */
  constructor(type: number, flags: number, fixed: Uint8Array, capacity = 1024) {
    if (capacity > CAPACITY) throw new RangeError(`a netlink message of ${capacity} bytes`);
    this.type = type;
    this.flags = flags;
    // Out of Buffer's pool, which is cheaper than memory of its own; padding must be zero.
    this.buffer = Buffer.allocUnsafe(capacity).fill(0);
    this.buffer.set(fixed, HEADER);
    this.end += fixed.length;
  }

  /** Appends an attribute. */
  bytesAttribute(type: number, value: Uint8Array): this {
    const at = this.end;
    this.buffer.writeUInt16LE(4 + value.length, at);
    this.buffer.writeUInt16LE(type, at + 2);
    this.buffer.set(value, at + 4);
    this.end = at + 4 + ((value.length + 3) & ~3);
    return this;
  }

  u8(type: number, value: number): this {
    return this.bytesAttribute(type, Uint8Array.of(value));
  }

  u16(type: number, value: number): this {
    const at = this.end;
    this.bytesAttribute(type, new Uint8Array(2));
    this.buffer.writeUInt16LE(value, at + 4);
    return this;
  }

  u32(type: number, value: number): this {
    const at = this.end;
    this.buffer.writeUInt16LE(8, at);
    this.buffer.writeUInt16LE(type, at + 2);
    this.buffer.writeUInt32LE(value >>> 0, at + 4);
    this.end = at + 8;
    return this;
  }

  /** NUL-terminated text. */
  text(type: number, value: string): this {
    return this.bytesAttribute(type, Buffer.from(`${value}\0`));
  }

  /** An attribute whose payload is `fixed` (may be empty) and the attributes that `fill` appends. */
  nest(type: number, fill: (message: this) => void, fixed: Uint8Array = new Uint8Array()): this {
    const at = this.end;
    this.buffer.writeUInt16LE(type | (fixed.length === 0 ? NESTED : 0), at + 2);
    this.buffer.set(fixed, at + 4);
    this.end = at + 4 + fixed.length;
    fill(this);
    this.buffer.writeUInt16LE(this.end - at, at);
    return this;
  }

  /** The finished message; the header's length, type, flags and the given sequence number are written now. */
  finish(sequence: number, extraFlags = 0): Buffer {
    this.buffer.writeUInt32LE(this.end, 0);
    this.buffer.writeUInt16LE(this.type, 4);
    this.buffer.writeUInt16LE(this.flags | flag.request | extraFlags, 6);
    this.buffer.writeUInt32LE(sequence, 8);
    return this.buffer.subarray(0, this.end);
  }
}

/** A received message: `payload` starts behind the header. Only valid until the next receive unless copied. */
export interface Received {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
  readonly payload: Buffer;
}

/** Splits what one recv returned. Stops at the first header that does not fit: what is truncated is not guessed at. */
export function* messagesIn(bytes: Buffer): Generator<Received> {
  let at = 0;
  while (at + HEADER <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    if (length < HEADER || at + length > bytes.length) return;
    yield {
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      sequence: bytes.readUInt32LE(at + 8),
      port: bytes.readUInt32LE(at + 12),
      payload: bytes.subarray(at + HEADER, at + length),
    };
    at += (length + 3) & ~3;
  }
}

/** The attributes that start at `offset`, by type without the nested flag. The last of equal types wins. Never throws: a broken rest is left out. */
export function attributesOf(bytes: Buffer, offset = 0): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  eachAttribute(bytes, offset, (type, start, end) => found.set(type, bytes.subarray(start, end)));
  return found;
}

/** Shows each attribute from `offset` on: its type without the nested flag, and where its value lies. A broken rest is left out. */
export function eachAttribute(bytes: Buffer, offset: number, show: (type: number, start: number, end: number) => void): void {
  let at = offset;
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) return;
    show(bytes.readUInt16LE(at + 2) & 0x3fff, at + 4, at + length);
    at += (length + 3) & ~3;
  }
}

/** A u32 attribute's value; undefined when absent or too short. */
export function u32Of(attributes: Map<number, Buffer>, type: number): number | undefined {
  const value = attributes.get(type);
  return value === undefined || value.length < 4 ? undefined : value.readUInt32LE(0);
}

/** A text attribute's value up to its NUL. */
export function textOf(attributes: Map<number, Buffer>, type: number): string | undefined {
  const value = attributes.get(type);
  return value === undefined ? undefined : textIn(value, 0, value.length);
}

/** The text between two offsets, up to its NUL. */
export function textIn(bytes: Buffer, start: number, end: number): string {
  const nul = bytes.indexOf(0, start);
  return bytes.toString('utf8', start, nul < 0 || nul > end ? end : nul);
}
