/**
 * What goes over the socket between the CNI executable (shim.c) and the agent, one request and one reply a connection. Little-endian.
 *
 * Request: u32 length of the rest, u8 version 1, NUL-ended `NAME=value` strings, a NUL, then stdin as it came. The spool holds the same bytes.
 * Reply: u32 length of the rest, u8 exit status, then stdout.
 */
import { failure } from '../errors/failure.ts';

/** Most bytes after the length, in both directions. The same in shim.h. */
export const frameLimit = 16 * 1024 * 1024;
const frameVersion = 1;
/** An environment has a few CNI_* variables; more is no runtime. */
const mostVariables = 1024;

/** A request as the executable saw it. */
export interface RequestFrame {
  /** CNI_*, TRACEPARENT, TRACESTATE, BAGGAGE and FLATPOD_PLUGIN. Bytes that are no UTF-8 became U+FFFD. */
  readonly variables: ReadonlyMap<string, string>;
  readonly stdin: Uint8Array;
}

/** An executable's ending. */
export interface Reply {
  /** Exit status, 0–255. */
  readonly status: number;
  readonly stdout: string;
}

/** Collects one frame from a stream. */
export interface FrameReader {
  /** Takes what arrived; the whole frame, length included, once it is there. @throws Failure frameInvalid when it can never be. */
  take(bytes: Uint8Array): Uint8Array | undefined;
}

/** A reader for one frame of at most {@link frameLimit} bytes. Memory grows with what arrived, not with what was announced. */
export function frameReader(): FrameReader {
  const parts: Uint8Array[] = [];
  let have = 0;
  let want: number | undefined;
  return {
    take(bytes) {
      parts.push(bytes);
      have += bytes.length;
      if (want === undefined && have >= 4) want = 4 + lengthIn(Buffer.concat(parts, 4));
      if (want === undefined || have < want) return undefined;
      if (have > want) throw failure('frameInvalid', { reason: `${have - want} bytes more than announced` });
      return Buffer.concat(parts, have);
    },
  };
}

/** @throws Failure frameInvalid. */
function lengthIn(frame: Buffer): number {
  const length = frame.readUInt32LE(0);
  if (length < 1 || length > frameLimit)
    throw failure('frameInvalid', { reason: `a length of ${length} bytes; 1 to ${frameLimit} are possible` });
  return length;
}

/** The bytes after the length. @throws Failure frameInvalid unless there are exactly as many as announced. */
function payloadOf(frame: Uint8Array): Buffer {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  if (bytes.length < 4) throw failure('frameInvalid', { reason: `only ${bytes.length} bytes` });
  const length = lengthIn(bytes);
  if (length !== bytes.length - 4) throw failure('frameInvalid', { reason: `${bytes.length - 4} bytes where ${length} were announced` });
  return bytes.subarray(4);
}

/** Decodes a whole request frame, from the socket or the spool. `stdin` shares its memory. @throws Failure frameInvalid. */
export function decodeFrame(frame: Uint8Array): RequestFrame {
  const payload = payloadOf(frame);
  if (payload[0] !== frameVersion)
    throw failure('frameInvalid', { reason: `version ${payload[0]} of the frame, ${frameVersion} is known` });
  const variables = new Map<string, string>();
  for (let at = 1; ; ) {
    const end = payload.indexOf(0, at);
    if (end < 0) throw failure('frameInvalid', { reason: 'the variables do not end' });
    if (end === at) return { variables, stdin: payload.subarray(end + 1) };
    const text = payload.toString('utf8', at, end);
    const equals = text.indexOf('=');
    if (equals < 1) throw failure('frameInvalid', { reason: 'a variable without a name' });
    // An environment may hold a name twice; getenv() sees the first.
    if (!variables.has(text.slice(0, equals))) variables.set(text.slice(0, equals), text.slice(equals + 1));
    if (variables.size > mostVariables) throw failure('frameInvalid', { reason: `more than ${mostVariables} variables` });
    at = end + 1;
  }
}

/** The inverse of {@link decodeFrame}, for whoever plays the executable. Names and values must be free of NUL. @throws Failure frameInvalid. */
export function encodeFrame({ variables, stdin }: RequestFrame): Uint8Array {
  const strings = [...variables].map(([name, value]) => `${name}=${value}\0`).join('');
  return framed(Buffer.concat([Buffer.from([frameVersion]), Buffer.from(`${strings}\0`), stdin]));
}

/** The reply's bytes. @throws Failure frameInvalid when it is larger than {@link frameLimit}. */
export function encodeReply({ status, stdout }: Reply): Uint8Array {
  return framed(Buffer.concat([Buffer.from([status]), Buffer.from(stdout)]));
}

/** The inverse of {@link encodeReply}. @throws Failure frameInvalid. */
export function decodeReply(frame: Uint8Array): Reply {
  const payload = payloadOf(frame);
  return { status: payload.readUInt8(0), stdout: payload.toString('utf8', 1) };
}

function framed(payload: Buffer): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(payload.length);
  lengthIn(length);
  return Buffer.concat([length, payload]);
}
