/**
 * One unary gRPC call over HTTP/2 on a unix socket (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), which is all that the CRI asks of a client.
 *
 * Invariants
 * - it ends by its deadline, whatever the other side does, and leaves no connection behind
 * - a reply is never longer than its limit
 * - each call has a connection of its own: there is none that could have gone stale while the runtime was restarted
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { createConnection } from 'node:net';
import { failure } from '../errors/failure.ts';

/** What a call may cost. */
export interface CallLimits {
  /** 10 s unless told otherwise. */
  readonly deadline_ms?: number;
  /** Longest reply; 16 MiB unless told otherwise, as kubelet has it. */
  readonly reply_bytes?: number;
  /** Ends the call early, as its deadline would. */
  readonly signal?: AbortSignal;
}

/** What came back before the stream ended. */
interface Reply {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Flag (0: not compressed) and length of a message, big-endian. */
const PREFIX_bytes = 5;
/** Names of the status codes (grpc.io/docs/guides/status-codes). */
const statusNames =
  'OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED'.split(
    ' ',
  );

/**
 * Calls `method` (`RuntimeService/Version`, without its package) of package runtime.v1 on that socket; request and reply are encoded messages.
 * @throws Failure runtimeSilent (nobody there, no end in time, or it went away in the middle), runtimeRefused (a status that is not OK), runtimeUnclear.
 */
export async function call(socket: string, method: string, request: Uint8Array, limits: CallLimits = {}): Promise<Uint8Array> {
  const { deadline_ms = 10_000, reply_bytes = 16 << 20, signal } = limits;
  const session = connect('http://localhost', { createConnection: () => createConnection(socket) });
  const { promise: ended, reject: end } = Promise.withResolvers<never>();
  const stop = (reason: string) => end(failure('runtimeSilent', { socket, reason }));
  const abort = () => stop('the call was given up');
  const timer = setTimeout(stop, deadline_ms, `no answer to ${method} within ${deadline_ms} ms`);
  signal?.addEventListener('abort', abort);
  try {
    if (signal?.aborted === true) abort();
    const reply = await Promise.race([ended, exchange(session, socket, method, request, { deadline_ms, reply_bytes })]);
    return messageOf(socket, method, reply);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    session.destroy();
  }
}

/** Resolves when the stream has ended, however far it came. */
function exchange(
  session: ClientHttp2Session,
  socket: string,
  method: string,
  request: Uint8Array,
  { deadline_ms, reply_bytes }: { readonly deadline_ms: number; readonly reply_bytes: number },
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const broken = (cause: Error) => reject(brokenBy(socket, cause));
    session.on('error', broken);
    const stream = session.request({
      ':method': 'POST',
      ':authority': 'localhost',
      ':path': `/runtime.v1.${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${deadline_ms}m`,
    });
    const reply = { headers: {} as IncomingHttpHeaders, trailers: {} as IncomingHttpHeaders };
    stream.on('error', broken);
    stream.on('response', (headers) => (reply.headers = headers));
    stream.on('trailers', (trailers) => (reply.trailers = trailers));
    collect(stream, PREFIX_bytes + reply_bytes, reject, (body) => resolve({ ...reply, body }));
    stream.end(framed(request));
  });
}

function collect(stream: ClientHttp2Stream, limit: number, tooLong: (error: Error) => void, ended: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > limit) {
      tooLong(unclear(`its reply has more than ${limit} bytes`));
      stream.destroy();
    } else chunks.push(chunk);
  });
  stream.on('close', () => ended(Buffer.concat(chunks)));
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(PREFIX_bytes + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_bytes);
  return frame;
}

/** The message of a reply that is complete and OK. A status without a message has it among its headers ("Trailers-Only"). */
function messageOf(socket: string, method: string, { headers, trailers, body }: Reply): Uint8Array {
  const status = trailers['grpc-status'] ?? headers['grpc-status'];
  const http = headers[':status'];
  if (http !== undefined && Number(http) !== 200) throw unclear(`HTTP status ${String(http)} instead of gRPC`);
  if (status === undefined) throw failure('runtimeSilent', { socket, reason: `the connection ended in the middle of ${method}` });
  if (status !== '0') {
    const text = decoded(String(trailers['grpc-message'] ?? headers['grpc-message'] ?? ''));
    throw failure('runtimeRefused', { method, status: statusNames[Number(status)] ?? `status ${String(status)}`, text });
  }
  if (body.length < PREFIX_bytes || body.readUInt32BE(1) !== body.length - PREFIX_bytes)
    throw unclear(`${body.length} bytes are not one message`);
  if (body[0] !== 0) throw unclear('the message is compressed, which was not offered');
  return body.subarray(PREFIX_bytes);
}

/** grpc-message is percent-encoded UTF-8; what is not is shown as it came. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A stream that dies with its connection says so twice; the cause is with the first. */
function brokenBy(socket: string, error: Error): Error {
  const cause = error.cause instanceof Error ? error.cause : error;
  const { code } = cause as NodeJS.ErrnoException; // set by Node on every error of a socket or of HTTP/2
  if (code === 'ERR_HTTP2_ERROR') return failure('runtimeUnclear', { reason: `${cause.message}: it does not speak HTTP/2` }, error);
  return failure('runtimeSilent', { socket, reason: cause.message }, error);
}

function unclear(reason: string): Error {
  return failure('runtimeUnclear', { reason });
}
