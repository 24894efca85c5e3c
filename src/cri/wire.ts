/**
 * The protobuf wire format (protobuf.dev/programming-guides/encoding), as far as the CRI needs it: integers, texts, bytes, nested messages.
 *
 * Invariants
 * - fields nobody asks for are skipped, whatever their type: a newer runtime may send more than we know
 * - any bytes decode, or fail with runtimeUnclear; a length is never believed beyond the bytes that are there
 */
import { failure } from '../errors/failure.ts';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A message taken apart one level deep: what each field number held, in order. Fixed-width fields are kept as their bytes. */
export type Message = ReadonlyMap<number, readonly (bigint | Uint8Array)[]>;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const none: readonly never[] = [];

/** A field of any integer or boolean type but sint and fixed. Negative numbers go as 64-bit two's complement. */
export function integerField(field: number, value: number | bigint | boolean): Uint8Array {
  return Buffer.concat([varint(field * 8 + VARINT), varint(BigInt.asUintN(64, BigInt(value)))]);
}

/** A field of type string. */
export function textField(field: number, value: string): Uint8Array {
  return messageField(field, Buffer.from(value, 'utf8'));
}

/** A nested message, of the fields that belong into it. */
export function messageField(field: number, ...fields: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(fields);
  return Buffer.concat([varint(field * 8 + BYTES), varint(body.length), body]);
}

/** A map<string, string>: one message a pair. */
export function mapField(field: number, pairs: Readonly<Record<string, string>>): Uint8Array {
  return Buffer.concat(Object.entries(pairs).map(([key, value]) => messageField(field, textField(1, key), textField(2, value))));
}

/** Takes a message apart. @throws Failure runtimeUnclear. */
export function decodeMessage(bytes: Uint8Array): Message {
  const fields = new Map<number, (bigint | Uint8Array)[]>();
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    const field = Number(tag.value >> 3n);
    if (field === 0 || field > 0x1fff_ffff) throw malformed(`a field has the number ${field}`);
    const read = readValue(bytes, tag.end, Number(tag.value & 7n));
    const values = fields.get(field);
    if (values === undefined) fields.set(field, [read.value]);
    else values.push(read.value);
    at = read.end;
  }
  return fields;
}

/** The integer in the field, of a repeated one the last; 0 when absent. @throws Failure runtimeUnclear when it holds no integer. */
export function integerIn(message: Message, field: number): bigint {
  const value = message.get(field)?.at(-1) ?? 0n;
  if (typeof value !== 'bigint') throw malformed(`field ${field} holds bytes instead of a number`);
  return value;
}

/** The text in the field, of a repeated one the last; '' when absent. @throws Failure runtimeUnclear when it holds none, or no UTF-8. */
export function textIn(message: Message, field: number): string {
  const value = bytesIn(message, field).at(-1);
  if (value === undefined) return '';
  try {
    return utf8.decode(value);
  } catch (cause) {
    throw malformed(`field ${field} is not UTF-8`, cause);
  }
}

/** The messages (or byte strings) in the field, in order. @throws Failure runtimeUnclear. */
export function bytesIn(message: Message, field: number): readonly Uint8Array[] {
  return (message.get(field) ?? none).map((value) => {
    if (typeof value === 'bigint') throw malformed(`field ${field} holds a number instead of bytes`);
    return value;
  });
}

/** The map<string, string> in the field. Of two pairs with one key the later holds. @throws Failure runtimeUnclear. */
export function mapIn(message: Message, field: number): ReadonlyMap<string, string> {
  return new Map(
    bytesIn(message, field).map((bytes) => {
      const pair = decodeMessage(bytes);
      return [textIn(pair, 1), textIn(pair, 2)];
    }),
  );
}

interface Read<T> {
  readonly value: T;
  /** Where the next thing begins. */
  readonly end: number;
}

function readValue(bytes: Uint8Array, at: number, type: number): Read<bigint | Uint8Array> {
  switch (type) {
    case VARINT:
      return readVarint(bytes, at);
    case FIXED64:
      return take(bytes, at, 8n);
    case BYTES: {
      const length = readVarint(bytes, at);
      return take(bytes, length.end, length.value);
    }
    case FIXED32:
      return take(bytes, at, 4n);
    default:
      throw malformed(`a field has the wire type ${type}`);
  }
}

function take(bytes: Uint8Array, at: number, length: bigint): Read<Uint8Array> {
  if (length > BigInt(bytes.length - at)) throw malformed(`a field of ${length} bytes, of which ${bytes.length - at} are there`);
  const end = at + Number(length);
  return { value: bytes.subarray(at, end), end };
}

function readVarint(bytes: Uint8Array, at: number): Read<bigint> {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw malformed('it ends in the middle of a number');
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value: BigInt.asUintN(64, value), end: at + i + 1 };
  }
  throw malformed('a number of more than 10 bytes');
}

function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function malformed(reason: string, cause?: unknown): Error {
  return failure('runtimeUnclear', { reason }, cause);
}
